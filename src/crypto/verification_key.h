// VerificationKey: what checks the signature of a token, a secret or a public key. It holds the algorithms it may be
// used with, fixed when it is made: a token's `alg` picks among them and never decides what kind of key this is
// (RFC 8725 3.1). Const, and used from any thread at once.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/hmac.h"
#include "crypto/public_key.h"

namespace crypto {

class VerificationKey {
  public:
    // Asymmetric algorithms in `wanted` are left out; nothing left is an error.
    static base::Result<VerificationKey> from_secret(std::string_view secret, Algorithms wanted);
    // Symmetric algorithms in `wanted` are left out: a public key is no secret.
    static base::Result<VerificationKey> from_pem(std::string_view pem, Algorithms wanted, const KeyRules& rules = {});
    explicit VerificationKey(PublicKey key);

    [[nodiscard]] Algorithms algorithms() const { return algorithms_; }
    // False for an algorithm that is not among algorithms().
    [[nodiscard]] bool verify(Algorithm algorithm, std::string_view message, std::string_view signature) const;

  private:
    VerificationKey() = default;
    Algorithms algorithms_;
    std::vector<HmacKey> secrets_;  // one for each digest
    std::optional<PublicKey> public_key_;
};

}  // namespace crypto
