// ClientAuthorities: who may have signed a client's certificate, for one use of it. Whoever asks for certificates has a
// list of its own: what one list proves says nothing to another. Immutable, any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/tls/peer_chain.h"

struct x509_store_st;

namespace net::tls {

struct FreeCertificate {
    void operator()(x509_st* certificate) const;
};
using CertificatePointer = std::unique_ptr<x509_st, FreeCertificate>;
[[nodiscard]] CertificatePointer shared(const x509_st* certificate);  // one more owner

// What was found out about a chain.
struct ClientProof {
    std::string fault;                      // empty: it holds
    std::int64_t until_s = 0;               // when the first of its certificates ends
    std::vector<CertificatePointer> chain;  // as proven: the client's own first, the authority's last
    std::vector<std::size_t> authorities;   // those of the list that are in it, the nearest to the client first
    [[nodiscard]] bool holds() const { return fault.empty(); }
};

class ClientAuthorities {
  public:
    static constexpr int most_between = 8;    // certificates between the client's and the authority's
    static constexpr int security_level = 2;  // OpenSSL's: RSA of 2048 bits, P-224, SHA-256

    enum class Anchor : std::uint8_t {
        root,       // the chain must end at a certificate of the list that has signed itself
        any_listed  // any certificate of the list is trusted
    };
    // PEM, each with one certificate.
    static base::Result<std::shared_ptr<const ClientAuthorities>> make(const std::vector<std::string>& certificates,
                                                                       Anchor anchor);
    ClientAuthorities(const ClientAuthorities&) = delete;
    ~ClientAuthorities();

    // As a client's certificate (RFC 5280 6, extended key usage), at that time in seconds since 1970.
    [[nodiscard]] ClientProof prove(const PeerChain& shown, std::int64_t now_s) const;
    // DER of the subjects, for who asks clients for certificates.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  private:
    ClientAuthorities() = default;

    x509_store_st* store_ = nullptr;
    Anchor anchor_ = Anchor::root;
    std::vector<CertificatePointer> listed_;
    std::vector<std::string> names_;
};

}  // namespace net::tls
