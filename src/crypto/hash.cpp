#include "crypto/hash.h"

#include <utility>

#include "base/ensure.h"
#include "crypto/openssl.h"

namespace crypto {
namespace {

using DigestState = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

EVP_MD_CTX* scratch() {
    thread_local DigestState state(EVP_MD_CTX_new());
    return state.get();
}

void begin(EVP_MD_CTX* state, Hash hash) { ensure(EVP_DigestInit_ex(state, evp_digest(hash), nullptr) == 1); }
void add_to(EVP_MD_CTX* state, std::string_view bytes) {
    ensure(EVP_DigestUpdate(state, bytes.data(), bytes.size()) == 1);
}
Digest end(EVP_MD_CTX* state, Hash hash) {
    Digest out(digest_size(hash));
    ensure(EVP_DigestFinal_ex(state, out.data(), nullptr) == 1);
    return out;
}

}  // namespace

Digest digest(Hash hash, std::string_view bytes) { return digest(hash, bytes, {}); }

Digest digest(Hash hash, std::string_view first, std::string_view second) {
    EVP_MD_CTX* state = scratch();
    begin(state, hash);
    add_to(state, first);
    if (!second.empty()) add_to(state, second);
    return end(state, hash);
}

std::string hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(2 * bytes.size());
    for (char c : bytes) {
        auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

struct Hasher::State {
    DigestState digest{EVP_MD_CTX_new()};
};

Hasher::Hasher(Hash hash) : state_(new State), hash_(hash) { begin(state_->digest.get(), hash); }
Hasher::Hasher(Hasher&& other) noexcept : state_(std::exchange(other.state_, nullptr)), hash_(other.hash_) {}
Hasher& Hasher::operator=(Hasher&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(hash_, other.hash_);
    return *this;
}
Hasher::~Hasher() { delete state_; }
void Hasher::add(std::string_view bytes) { add_to(state_->digest.get(), bytes); }
Digest Hasher::finish() { return end(state_->digest.get(), hash_); }

}  // namespace crypto
