// Runs of token, field-value or target characters, measured and copied: the inner loops of HTTP/1, 16 bytes at a time
// where SSSE3 is there (x86-64-v2), by table elsewhere and for the last bytes. Never reads outside what it is given.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include "http/characters.h"

namespace http {

namespace scan {

#if defined(__SSSE3__)
// For each low nibble the set of high nibbles (as bits, 2 to 7) with which it makes a token character.
constexpr std::array<std::uint8_t, 16> make_token_rows() {
    std::array<std::uint8_t, 16> rows{};
    for (unsigned c = 0x20; c < 0x80; ++c) {
        if ((character::classes[c] & character::token) != 0) rows[c & 15] |= static_cast<std::uint8_t>(1U << (c >> 4));
    }
    return rows;
}
alignas(16) inline constexpr std::array<std::uint8_t, 16> token_rows = make_token_rows();
alignas(16) inline constexpr std::array<std::uint8_t, 16> high_nibble_bits = {1, 2, 4, 8, 16, 32, 64, 128};

inline __m128i load(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

// Bits of the 16 bytes that are not in the class.
inline unsigned not_token(__m128i bytes) {
    const __m128i nibble = _mm_set1_epi8(0x0f);
    __m128i rows = _mm_shuffle_epi8(load(token_rows.data()), _mm_and_si128(bytes, nibble));
    __m128i bits = _mm_shuffle_epi8(load(high_nibble_bits.data()), _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(rows, bits), _mm_setzero_si128())));
}
inline unsigned not_field_value(__m128i bytes) {
    __m128i graphic = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
    __m128i good = _mm_or_si128(graphic, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')));
    __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(good, _mm_setzero_si128()), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    return static_cast<unsigned>(_mm_movemask_epi8(bad));
}
inline unsigned not_target(__m128i bytes) {
    __m128i blank = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
    __m128i other = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(blank, other)));
}
#else
struct Table {};
inline constexpr Table not_token, not_field_value, not_target;
#endif

// `outside` marks the bytes of a block that are not in the class.
template <std::uint8_t wanted, typename Outside>
inline std::size_t length(const char* at, const char* end, [[maybe_unused]] Outside outside) {
    const char* start = at;
#if defined(__SSSE3__)
    for (; end - at >= 16; at += 16) {
        unsigned bad = outside(load(at));
        if (bad != 0) return static_cast<std::size_t>(at - start) + static_cast<unsigned>(std::countr_zero(bad));
    }
#endif
    while (at != end && is(*at, wanted)) ++at;
    return static_cast<std::size_t>(at - start);
}

}  // namespace scan

inline std::size_t token_length(const char* at, const char* end) {
    return scan::length<character::token>(at, end, scan::not_token);
}
inline std::size_t field_value_length(const char* at, const char* end) {
    return scan::length<character::field_value>(at, end, scan::not_field_value);
}
inline std::size_t target_length(const char* at, const char* end) {
    return scan::length<character::target>(at, end, scan::not_target);
}

// Copies a field value and says whether it is one (no control character but HTAB): writing a head, both in one pass.
// `to` must have room for text.size() bytes.
inline bool copy_field_value(char* to, std::string_view text) {
    const char* from = text.data();
    std::size_t size = text.size();
#if defined(__SSSE3__)
    if (size >= 16) {
        unsigned bad = 0;
        auto block = [&](std::size_t at) {
            __m128i bytes = scan::load(from + at);
            bad |= scan::not_field_value(bytes);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), bytes);
        };
        for (std::size_t at = 0; at + 16 <= size; at += 16) block(at);
        block(size - 16);  // the last ones, overlapping
        return bad == 0;
    }
    if (size >= 8) {
        __m128i first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
        __m128i last = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + size - 8));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), first);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to + size - 8), last);
        return scan::not_field_value(_mm_unpacklo_epi64(first, last)) == 0;
    }
#endif
    bool good = true;
    for (std::size_t i = 0; i < size; ++i) {
        good &= is(from[i], character::field_value);
        to[i] = from[i];
    }
    return good;
}

// The first line feed or NUL, or `end`.
inline const char* find_line_feed_or_nul(const char* at, const char* end) {
#if defined(__SSSE3__)
    for (; end - at >= 16; at += 16) {
        __m128i bytes = scan::load(at);
        __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
        auto bits = static_cast<unsigned>(_mm_movemask_epi8(found));
        if (bits != 0) return at + std::countr_zero(bits);
    }
#endif
    while (at != end && *at != '\n' && *at != '\0') ++at;
    return at;
}

}  // namespace http
