// Digests of bytes at hand, and their text in hexadecimal. Safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/algorithm.h"

namespace crypto {

// A digest or a MAC: at most 64 bytes, by value.
class Digest {
  public:
    Digest() = default;
    explicit Digest(std::size_t size) : size_(static_cast<std::uint8_t>(size)) {}

    [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }

  private:
    std::array<std::uint8_t, largest_digest> bytes_;  // the first size_ are written
    std::uint8_t size_ = 0;
};

[[nodiscard]] Digest digest(Hash hash, std::string_view bytes);
// Of two pieces, one behind the other.
[[nodiscard]] Digest digest(Hash hash, std::string_view first, std::string_view second);

// Lower-case hexadecimal.
[[nodiscard]] std::string hex(std::string_view bytes);

// A digest of bytes that come piece by piece (a body).
class Hasher {
  public:
    explicit Hasher(Hash hash);
    Hasher(Hasher&& other) noexcept;
    Hasher& operator=(Hasher&& other) noexcept;
    ~Hasher();
    void add(std::string_view bytes);
    [[nodiscard]] Digest finish();  // once, the last call

  private:
    struct State;
    State* state_;
    Hash hash_;
};

}  // namespace crypto
