// PeerChain: the certificates that a client showed in its handshake, or in the one that its session goes back to. That
// it holds the key of the first is proven; whether anybody should believe them is not asked here (ClientAuthorities
// does).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls/session.h"

struct x509_st;
struct stack_st_X509;
struct ssl_ctx_st;

namespace net::tls {

// What a certificate says about whom it was made for, as text without control characters.
struct CertificateNames {
    std::string subject;                    // RFC 4514: "CN=alice,O=Example"
    std::string common_name;                // empty: none, or several
    std::vector<std::string> alternatives;  // subjectAltName, in its order: names, mailboxes, URIs, addresses
};
[[nodiscard]] CertificateNames names_of(const x509_st* certificate);
[[nodiscard]] std::string encoded(const x509_st* certificate);  // DER

class PeerChain {
  public:
    static constexpr std::size_t most_bytes = 32 * 1024;   // of what a client sends; beyond it there is no handshake
    static constexpr std::size_t most_certificates = 10;   // beyond it nothing of it is believed
    static constexpr std::size_t most_in_ticket = 16'384;  // beyond it the client may not come back by a ticket

    // Null: the client showed none.
    static std::unique_ptr<const PeerChain> of(const Session& session);
    // From PEM texts, the client's own first.
    static std::unique_ptr<const PeerChain> parse(std::string_view pem);
    PeerChain(const PeerChain&) = delete;
    ~PeerChain();

    [[nodiscard]] x509_st* leaf() const { return leaf_; }
    [[nodiscard]] stack_st_X509* others() const { return others_; }  // as they came
    [[nodiscard]] std::size_t size() const;
    // SHA-256 over all of them: 32 bytes.
    [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

  private:
    PeerChain(x509_st* leaf, stack_st_X509* others);

    x509_st* leaf_;
    stack_st_X509* others_;
    std::string fingerprint_;
};

// A ticket of OpenSSL's holds the client's own certificate and no other: the rest of the chain is put beside it, so
// that who comes back can be verified as when they came first.
void keep_chains_in_tickets(ssl_ctx_st* context);

}  // namespace net::tls
