// HmacKey: a secret made ready for HMAC once, so that a MAC of a token costs a few hundred nanoseconds instead of the
// key schedule again; and the one comparison for secrets. A key is const, small, and used from any thread.
//
// The prepared states live in a cache of each thread (at most `kept_states`, the oldest gives way), because OpenSSL's
// state is written while it computes and a million keys with one of 1 KiB each would not be small.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/hash.h"

namespace crypto {

// The time depends on the sizes only.
[[nodiscard]] bool equal_in_constant_time(std::string_view left, std::string_view right);

// With a secret that is not used often enough to be kept ready.
[[nodiscard]] Digest hmac(Hash hash, std::string_view secret, std::string_view message);

class HmacKey {
  public:
    static constexpr std::size_t kept_states = 2048;  // a thread, 0.9 KiB each once used

    // An empty secret is refused: every token would have the same, known one.
    static base::Result<HmacKey> make(Hash hash, std::string_view secret);
    HmacKey(HmacKey&& other) noexcept = default;
    HmacKey& operator=(HmacKey&& other) noexcept = default;
    ~HmacKey();

    [[nodiscard]] Hash hash() const { return hash_; }
    [[nodiscard]] Digest sign(std::string_view message) const;
    // In constant time; the MAC must have its full size.
    [[nodiscard]] bool verify(std::string_view message, std::string_view mac) const;

  private:
    HmacKey(Hash hash, std::string_view secret);
    Hash hash_;
    std::uint64_t id_;  // never used again, so a state of a key that is gone is never taken for another's
    std::string secret_;
};

}  // namespace crypto
