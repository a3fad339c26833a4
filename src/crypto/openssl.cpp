#include "crypto/openssl.h"

#include <array>

#include "base/ensure.h"

namespace crypto {

const char* openssl_name(Hash hash) {
    constexpr const char* names[hash_count] = {"SHA1", "SHA256", "SHA384", "SHA512"};
    return names[static_cast<std::size_t>(hash)];
}

const EVP_MD* evp_digest(Hash hash) {
    // Kept to the end of the process: threads may still hash while statics die.
    static const std::array<const EVP_MD*, hash_count> digests = [] {
        std::array<const EVP_MD*, hash_count> out{};
        for (std::size_t i = 0; i < hash_count; ++i) {
            out[i] = EVP_MD_fetch(nullptr, openssl_name(static_cast<Hash>(i)), nullptr);
            ensure(out[i] != nullptr, i);
        }
        return out;
    }();
    return digests[static_cast<std::size_t>(hash)];
}

EVP_MAC* evp_hmac() {
    static EVP_MAC* hmac = [] {
        EVP_MAC* fetched = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
        ensure(fetched != nullptr);
        return fetched;
    }();
    return hmac;
}

}  // namespace crypto
