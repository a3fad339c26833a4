#include "crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <atomic>
#include <memory>

#include "base/ensure.h"
#include "crypto/openssl.h"

namespace crypto {
namespace {

using MacState = Owned<EVP_MAC_CTX, EVP_MAC_CTX_free>;

struct Slot {
    std::uint64_t id = 0;
    MacState state;
};

// Keys of one configuration are numbered in a row, so as many as there are slots never meet.
Slot& slot_of(std::uint64_t id) {
    thread_local std::unique_ptr<Slot[]> slots = std::make_unique<Slot[]>(HmacKey::kept_states);
    return slots[id % HmacKey::kept_states];
}

std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

MacState prepared(Hash hash, std::string_view secret) {
    MacState state(EVP_MAC_CTX_new(evp_hmac()));
    ensure(state != nullptr);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(openssl_name(hash)), 0),
        OSSL_PARAM_construct_end(),
    };
    ensure(EVP_MAC_init(state.get(), bytes_of(secret), secret.size(), parameters) == 1);
    return state;
}

}  // namespace

bool equal_in_constant_time(std::string_view left, std::string_view right) {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

Digest hmac(Hash hash, std::string_view secret, std::string_view message) {
    MacState state = prepared(hash, secret);
    Digest out(digest_size(hash));
    std::size_t size = 0;
    ensure(EVP_MAC_update(state.get(), bytes_of(message), message.size()) == 1);
    ensure(EVP_MAC_final(state.get(), out.data(), &size, out.size()) == 1 && size == out.size(), size);
    return out;
}

HmacKey::HmacKey(Hash hash, std::string_view secret) : hash_(hash), id_(next_id()), secret_(secret) {}
HmacKey::~HmacKey() { OPENSSL_cleanse(secret_.data(), secret_.size()); }

base::Result<HmacKey> HmacKey::make(Hash hash, std::string_view secret) {
    if (secret.empty()) return base::Error::us(base::Code::invalid, "an empty secret");
    return HmacKey(hash, secret);
}

Digest HmacKey::sign(std::string_view message) const {
    Slot& slot = slot_of(id_);
    if (slot.id != id_) {
        slot.state = prepared(hash_, secret_);
        slot.id = id_;
    } else {
        // Without a key: back to the state behind the key (EVP_MAC(3)).
        ensure(EVP_MAC_init(slot.state.get(), nullptr, 0, nullptr) == 1);
    }
    Digest out(digest_size(hash_));
    std::size_t size = 0;
    ensure(EVP_MAC_update(slot.state.get(), bytes_of(message), message.size()) == 1);
    ensure(EVP_MAC_final(slot.state.get(), out.data(), &size, out.size()) == 1 && size == out.size(), size);
    return out;
}

bool HmacKey::verify(std::string_view message, std::string_view mac) const {
    return equal_in_constant_time(sign(message).view(), mac);
}

}  // namespace crypto
