// Token: a JWS in compact form (RFC 7515 7.1) taken apart, without a word on whether its signature holds: that is
// VerificationKey's to say. Strict, since whatever is let through here is what an attacker has to play with. Keys that
// a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
//
// Views point into the compact text and the arena; both must outlive the Token.
#pragma once

#include <optional>
#include <string_view>

#include "crypto/algorithm.h"
#include "crypto/json.h"

namespace crypto {

class Token {
  public:
    static constexpr std::size_t longest = 16 * 1024;  // of the compact text

    // The error's detail is one of: "too large", "invalid JSON" (also for anything that is not three parts of
    // base64url, and a member that comes twice in the header), "invalid alg" (absent, no string, unknown, `none`),
    // "invalid crit" (RFC 7515 4.1.11: an extension must be understood, and none is), "invalid signature" (not
    // base64url).
    static base::Result<Token> parse(std::string_view compact, base::Arena& arena);

    [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
    [[nodiscard]] const Object& header() const { return header_; }
    [[nodiscard]] std::optional<std::string_view> key_id() const { return header_.string("kid"); }
    // What the signature is over: both parts as they came.
    [[nodiscard]] std::string_view signed_text() const { return signed_text_; }
    [[nodiscard]] std::string_view payload() const { return payload_; }
    [[nodiscard]] std::string_view signature() const { return signature_; }

    // The payload of a JWT (RFC 7519 7.2): an object in which no name comes twice; else "invalid claims".
    [[nodiscard]] base::Result<Object> claims(base::Arena& arena) const;

  private:
    Token() = default;
    Object header_;
    std::string_view signed_text_;
    std::string_view payload_;
    std::string_view signature_;
    Algorithm algorithm_ = Algorithm::hs256;
};

}  // namespace crypto
