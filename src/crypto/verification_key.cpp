#include "crypto/verification_key.h"

namespace crypto {

base::Result<VerificationKey> VerificationKey::from_secret(std::string_view secret, Algorithms wanted) {
    VerificationKey out;
    for (Algorithm algorithm : {Algorithm::hs256, Algorithm::hs384, Algorithm::hs512}) {
        if (!wanted.has(algorithm)) continue;
        TRY(key, HmacKey::make(hash_of(algorithm), secret));
        out.secrets_.push_back(std::move(key));
        out.algorithms_ |= algorithm;
    }
    if (out.secrets_.empty()) return base::Error::us(base::Code::invalid, "a secret for an algorithm with public keys");
    return out;
}

base::Result<VerificationKey> VerificationKey::from_pem(std::string_view pem, Algorithms wanted,
                                                        const KeyRules& rules) {
    TRY(key, PublicKey::from_pem(pem, wanted, rules));
    return VerificationKey(std::move(key));
}

VerificationKey::VerificationKey(PublicKey key) : algorithms_(key.algorithms()), public_key_(std::move(key)) {}

bool VerificationKey::verify(Algorithm algorithm, std::string_view message, std::string_view signature) const {
    if (!algorithms_.has(algorithm)) return false;
    if (public_key_) return public_key_->verify(algorithm, message, signature);
    for (const HmacKey& secret : secrets_) {
        if (secret.hash() == hash_of(algorithm)) return secret.verify(message, signature);
    }
    return false;
}

}  // namespace crypto
