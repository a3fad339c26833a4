// What the files of this folder share of OpenSSL: algorithms fetched once for the whole process, and owners of its
// objects. Included by .cpp files only, so that nobody else sees OpenSSL's headers. Everything here is safe from any
// thread.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string_view>

#include "crypto/algorithm.h"

namespace crypto {

template <auto free_function>
struct Free {
    template <typename T>
    void operator()(T* object) const {
        free_function(object);
    }
};
template <typename T, auto free_function>
using Owned = std::unique_ptr<T, Free<free_function>>;

// Never null: a libcrypto without these digests cannot serve, and aborts at the first use, which is at start-up.
[[nodiscard]] const EVP_MD* evp_digest(Hash hash);
[[nodiscard]] EVP_MAC* evp_hmac();
[[nodiscard]] const char* openssl_name(Hash hash);

inline const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace crypto
