// PublicKey: an RSA, EC or Edwards key that verifies JWS signatures (RFC 7518 3.3 to 3.5, RFC 8037 3.1), with what an
// algorithm needs prepared once. Made from PEM (the operator's) or from the numbers of a JWK; a key too weak, or of
// the wrong kind for its algorithm, is refused when it is made. Const, and used from any thread at once.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/algorithm.h"

namespace crypto {

struct KeyRules {
    unsigned smallest_rsa_bits = 2048;  // RFC 7518 3.3
    unsigned largest_rsa_bits = 8192;   // what a verification costs grows with the square
};

class PublicKey {
  public:
    static constexpr std::size_t largest_pem = 32 * 1024;

    // "PUBLIC KEY" (RFC 5480, RFC 8017 A.1, RFC 8410) or "RSA PUBLIC KEY". `wanted`: what it shall verify; what the key
    // cannot do is left out, and nothing left is an error. The error's detail never holds the key's text.
    static base::Result<PublicKey> from_pem(std::string_view pem, Algorithms wanted, const KeyRules& rules = {});
    // Big-endian numbers (RFC 7518 6.3.1).
    static base::Result<PublicKey> from_rsa(std::string_view modulus, std::string_view exponent, Algorithms wanted,
                                            const KeyRules& rules = {});
    // `curve` as in JWK (P-256, P-384, P-521); coordinates of the curve's full size (RFC 7518 6.2.1.2).
    static base::Result<PublicKey> from_ec(std::string_view curve, std::string_view x, std::string_view y,
                                           Algorithms wanted);
    // Ed25519 or Ed448 (RFC 8037 2).
    static base::Result<PublicKey> from_edwards(std::string_view curve, std::string_view x, Algorithms wanted);

    PublicKey(PublicKey&&) noexcept;
    PublicKey& operator=(PublicKey&&) noexcept;
    ~PublicKey();

    [[nodiscard]] Algorithms algorithms() const { return algorithms_; }
    // False for an algorithm that is not among algorithms(). The signature is raw, as it stands in a JWS.
    [[nodiscard]] bool verify(Algorithm algorithm, std::string_view message, std::string_view signature) const;

  private:
    struct State;
    PublicKey(std::unique_ptr<State> state, Algorithms algorithms);
    static base::Result<PublicKey> make(std::unique_ptr<State> state, Algorithms wanted, const KeyRules& rules);
    std::unique_ptr<State> state_;
    Algorithms algorithms_;
};

}  // namespace crypto
