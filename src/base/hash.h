// hash64: a 64-bit hash of bytes whose value never changes, over versions, machines and byte orders, so that every node
// of a cluster sends a key to the same target. Not a defence against chosen collisions: seed tables that outsiders
// fill.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace base {

// A bijection that spreads each input bit over all output bits.
constexpr std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93U;
    value = (value ^ (value >> 29)) * 0x9fb21c651e98df25U;
    return value ^ (value >> 32);
}

inline std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) {
    auto word = [&](std::size_t at, std::size_t size) {
        std::uint64_t out = 0;
        std::memcpy(&out, bytes.data() + at, size);
        if constexpr (std::endian::native == std::endian::big) out = __builtin_bswap64(out);
        return out;
    };
    std::uint64_t hash = mixed(seed + 0x9e3779b97f4a7c15U * (bytes.size() + 1));
    std::size_t at = 0;
    for (; bytes.size() - at >= 8; at += 8) hash = mixed(hash ^ word(at, 8)) + 0x9e3779b97f4a7c15U;
    if (at < bytes.size()) hash = mixed(hash ^ word(at, bytes.size() - at)) + 0x9e3779b97f4a7c15U;
    return mixed(hash);
}

}  // namespace base
