#include "net/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstring>
#include <mutex>

namespace net::tls {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::hours key_life{1};
constexpr std::size_t name_size = 16;  // RFC 5077 4

struct TicketKey {
    std::array<unsigned char, name_size> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> digest;
    Clock::time_point born;
};

// A lock a handshake; handshakes are what costs.
class Keys {
  public:
    // False: there is no randomness; then no ticket is made.
    bool newest(TicketKey& out) {
        std::lock_guard guard(lock_);
        Clock::time_point now = Clock::now();
        if (used_ == 0 || now - keys_[0].born >= key_life) {
            TicketKey fresh;
            fresh.born = now;
            if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
                RAND_priv_bytes(fresh.cipher.data(), static_cast<int>(fresh.cipher.size())) != 1 ||
                RAND_priv_bytes(fresh.digest.data(), static_cast<int>(fresh.digest.size())) != 1)
                return false;
            for (std::size_t i = keys_.size() - 1; i > 0; --i) keys_[i] = keys_[i - 1];
            keys_[0] = fresh;
            if (used_ < keys_.size()) ++used_;
        }
        out = keys_[0];
        return true;
    }
    bool find(const unsigned char* name, TicketKey& out) {
        std::lock_guard guard(lock_);
        for (std::size_t i = 0; i < used_; ++i) {
            if (std::memcmp(keys_[i].name.data(), name, name_size) != 0) continue;
            if (Clock::now() - keys_[i].born >= key_life * static_cast<int>(keys_.size())) return false;
            out = keys_[i];
            return true;
        }
        return false;
    }

  private:
    std::mutex lock_;
    std::array<TicketKey, 3> keys_;
    std::size_t used_ = 0;
};

Keys& keys() {
    static Keys all;
    return all;
}

bool seal_with(EVP_MAC_CTX* digest, TicketKey& key) {
    char sha256[] = "SHA256";
    std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.digest.data(), key.digest.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(digest, parameters.data()) == 1;
}

int ticket(SSL*, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* digest, int is_made) {
    TicketKey key;
    if (is_made == 1) {
        if (!keys().newest(key) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
        std::memcpy(name, key.name.data(), key.name.size());
        if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) != 1) return -1;
        return seal_with(digest, key) ? 1 : -1;
    }
    if (!keys().find(name, key)) return 0;
    if (!seal_with(digest, key) || EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) != 1)
        return -1;
    return 2;  // good, and replaced by a fresh one: a ticket that is used twice tells who came back (RFC 8446 C.4)
}

}  // namespace

void use_ticket_keys(ssl_ctx_st* context) { SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &ticket); }

}  // namespace net::tls
