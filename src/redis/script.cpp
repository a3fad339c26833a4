#include "redis/script.h"

#include <openssl/evp.h>

#include <array>

#include "base/ensure.h"

namespace redis {

// SHA-1 is how Redis names scripts; nothing is protected by it.
Script::Script(std::string_view source) : source_(source) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    ensure(EVP_Digest(source.data(), source.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1 && size == 20);
    constexpr std::string_view digits = "0123456789abcdef";
    for (unsigned i = 0; i < size; ++i) {
        digest_ += digits[digest[i] >> 4];
        digest_ += digits[digest[i] & 15];
    }
}

}  // namespace redis
