// The digests and the JWS algorithms (RFC 7518 3.1, RFC 8037 3.1) that Cardea knows. `none` is not one of them, so a
// token that asks for it names an unknown algorithm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace crypto {

enum class Hash : std::uint8_t { sha1, sha256, sha384, sha512 };
inline constexpr std::size_t hash_count = 4;
inline constexpr std::size_t largest_digest = 64;

constexpr std::size_t digest_size(Hash hash) {
    constexpr std::size_t sizes[] = {20, 32, 48, 64};
    return sizes[static_cast<std::size_t>(hash)];
}

enum class Algorithm : std::uint8_t {
    hs256,
    hs384,
    hs512,
    rs256,
    rs384,
    rs512,
    ps256,
    ps384,
    ps512,
    es256,
    es384,
    es512,
    eddsa,
};
inline constexpr std::size_t algorithm_count = 13;

// By its exact name ("RS256"); names are case-sensitive (RFC 7515 4.1.1).
[[nodiscard]] std::optional<Algorithm> algorithm(std::string_view name);
[[nodiscard]] std::string_view name(Algorithm algorithm);

constexpr bool is_symmetric(Algorithm algorithm) { return algorithm <= Algorithm::hs512; }

// The digest of an algorithm; not for eddsa, which has its own inside.
constexpr Hash hash_of(Algorithm algorithm) { return static_cast<Hash>(1 + static_cast<std::uint8_t>(algorithm) % 3); }

class Algorithms {  // a set
  public:
    constexpr Algorithms() = default;
    constexpr Algorithms(Algorithm one) : bits_(bit(one)) {}  // NOLINT: implicit by design
    static constexpr Algorithms all() { return Algorithms(static_cast<std::uint16_t>((1U << algorithm_count) - 1)); }

    [[nodiscard]] constexpr bool has(Algorithm one) const { return (bits_ & bit(one)) != 0; }
    [[nodiscard]] constexpr bool is_empty() const { return bits_ == 0; }
    constexpr Algorithms& operator|=(Algorithms other) {
        bits_ = static_cast<std::uint16_t>(bits_ | other.bits_);
        return *this;
    }
    friend constexpr Algorithms operator|(Algorithms left, Algorithms right) { return left |= right; }
    friend constexpr Algorithms operator&(Algorithms left, Algorithms right) {
        return Algorithms(static_cast<std::uint16_t>(left.bits_ & right.bits_));
    }
    friend constexpr bool operator==(Algorithms left, Algorithms right) = default;

  private:
    constexpr explicit Algorithms(std::uint16_t bits) : bits_(bits) {}
    static constexpr std::uint16_t bit(Algorithm one) {
        return static_cast<std::uint16_t>(1U << static_cast<unsigned>(one));
    }
    std::uint16_t bits_ = 0;
};

}  // namespace crypto
