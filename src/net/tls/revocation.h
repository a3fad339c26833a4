// Whether a certificate was taken back, as its authority says: by OCSP (RFC 6960) or a list (CRL, RFC 5280 5). Only
// what is said by an authority in force counts: signature, validity and scope are checked here. Sends nothing: who asks
// brings the bytes. All bytes are hostile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/tls/client_authorities.h"
#include "net/tls/peer_chain.h"

struct X509_crl_st;
struct ocsp_request_st;

namespace net::tls {

enum class Standing : std::uint8_t { unknown, good, revoked };

struct Ruling {
    Standing standing = Standing::unknown;
    std::int64_t until_s = 0;  // seconds since 1970: how long the authority means it; 0: it does not say
    std::string fault;         // why it is unknown
};

// http or https, whatever the case, of printable characters.
[[nodiscard]] bool is_web(std::string_view url);

// Where a certificate says that its authority can be asked: of the web only, few.
inline constexpr std::size_t most_sources = 4;
[[nodiscard]] std::vector<std::string> ocsp_sources(const x509_st* certificate);
[[nodiscard]] std::vector<std::string> crl_sources(const x509_st* certificate);
// Its authority means to say something about it, be it at a place that cannot be read here.
[[nodiscard]] bool names_who_to_ask(const x509_st* certificate);

class OcspQuestion {
  public:
    static constexpr std::string_view content_type = "application/ocsp-request";
    static constexpr std::size_t most_answer = 64 * 1024;
    static constexpr long skew_s = 300;                // of clocks
    static constexpr long longest_silence_s = 86'400;  // an answer that names no end is good for, at most

    enum class Nonce : std::uint8_t { none, fresh };
    static base::Result<OcspQuestion> about(x509_st* certificate, x509_st* issuer, Nonce nonce);
    OcspQuestion(OcspQuestion&& other) noexcept;
    ~OcspQuestion();

    [[nodiscard]] const std::string& bytes() const { return bytes_; }  // DER
    [[nodiscard]] Ruling read(std::string_view answer) const;

  private:
    OcspQuestion() = default;
    ocsp_request_st* request_ = nullptr;
    CertificatePointer certificate_;
    CertificatePointer issuer_;
    std::string bytes_;
};

// A whole list of what one authority has taken back: one of changes only (RFC 5280 5.2.4) is refused. Immutable, any
// thread.
class RevocationList {
  public:
    static constexpr std::size_t most_bytes = 16 * 1024 * 1024;
    static base::Result<std::shared_ptr<const RevocationList>> parse(std::string_view bytes);  // DER or PEM
    RevocationList(const RevocationList&) = delete;
    ~RevocationList();

    [[nodiscard]] bool is_of(const x509_st* issuer) const;
    [[nodiscard]] std::int64_t until_s() const { return until_s_; }  // 0: it does not say
    [[nodiscard]] std::size_t size() const { return size_; }         // bytes that it was parsed from
    [[nodiscard]] Ruling about(x509_st* certificate, x509_st* issuer, std::int64_t now_s) const;

  private:
    explicit RevocationList(X509_crl_st* list) : list_(list) {}
    X509_crl_st* list_;
    std::int64_t until_s_ = 0;
    std::size_t size_ = 0;
};

}  // namespace net::tls
