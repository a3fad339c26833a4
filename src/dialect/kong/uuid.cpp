#include "dialect/kong/uuid.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace kong {

base::Uuid uuid_v5(const base::Uuid& name_space, std::string_view name) {
    // Fetched once: looking an algorithm up costs more than the digest of a short name.
    static const EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    unsigned char hash[EVP_MAX_MD_SIZE];
    bool done = sha1 != nullptr && digest != nullptr && EVP_DigestInit_ex2(digest.get(), sha1, nullptr) == 1 &&
                EVP_DigestUpdate(digest.get(), name_space.bytes.data(), name_space.bytes.size()) == 1 &&
                EVP_DigestUpdate(digest.get(), name.data(), name.size()) == 1 &&
                EVP_DigestFinal_ex(digest.get(), hash, nullptr) == 1;
    ensure(done);
    base::Uuid uuid;
    std::copy_n(hash, uuid.bytes.size(), uuid.bytes.begin());
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x50);  // version 5
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);  // variant 10
    return uuid;
}

}  // namespace kong
