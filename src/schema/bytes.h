// Bytes: a number of bytes as a type, so that text and arithmetic about sizes cannot disagree. For fields and limits.
#pragma once

#include <compare>
#include <cstdint>

namespace schema {

struct Bytes {
    std::uint64_t value = 0;
    [[nodiscard]] constexpr std::uint64_t count() const { return value; }
    auto operator<=>(const Bytes&) const = default;
};

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long value) { return {value}; }
constexpr Bytes operator""_KiB(unsigned long long value) { return {value << 10}; }
constexpr Bytes operator""_MiB(unsigned long long value) { return {value << 20}; }
}  // namespace literals

}  // namespace schema
