// Character classes of RFC 9110 and RFC 3986 as tables, and comparison of ASCII text without regard to case.
// For every parser of the folder; nothing here depends on a locale.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace http {

namespace character {
inline constexpr std::uint8_t token = 1;         // RFC 9110 5.6.2 tchar
inline constexpr std::uint8_t field_value = 2;   // RFC 9110 5.5: VCHAR, obs-text, SP, HTAB
inline constexpr std::uint8_t target = 4;        // may stand in a request target: no CTL, SP, DEL, '#'
inline constexpr std::uint8_t host_name = 8;     // RFC 3986 3.2.2 reg-name without pct-encoded
inline constexpr std::uint8_t path_safe = 16;    // sent in a path as it is: unreserved, reserved, '%'
inline constexpr std::uint8_t reserved = 32;     // RFC 3986 2.2 and '%': its escape is never decoded
inline constexpr std::uint8_t path_plain = 64;   // needs no thought in a path: graphic ASCII but '%', '.', '/', '\\'
inline constexpr std::uint8_t query_safe = 128;  // sent in a query as it is: graphic ASCII but '#'

constexpr bool contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }
constexpr bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned i = 0; i < 256; ++i) {
        char c = static_cast<char>(i);
        bool graphic = i > 0x20 && i != 0x7f;
        std::uint8_t bits = 0;
        if (is_alphanumeric(c) || contains("!#$%&'*+-.^_`|~", c)) bits |= token;
        if (graphic || c == ' ' || c == '\t') bits |= field_value;
        if (graphic && c != '#') bits |= target;
        if (is_alphanumeric(c) || contains("-._~!$&'()*+,;=", c)) bits |= host_name;
        if (is_alphanumeric(c) || contains("-._~!$&'()*+,/:;=?@[]%", c)) bits |= path_safe;
        if (contains("!#$%&'()*+,/:;=?@[]", c)) bits |= reserved;
        if (graphic && i < 0x80 && c != '#') bits |= query_safe;
        if (graphic && i < 0x80 && !contains("%./\\", c)) bits |= path_plain;
        classes[i] = bits;
    }
    return classes;
}
inline constexpr std::array<std::uint8_t, 256> classes = make_classes();
}  // namespace character

inline bool is(char c, std::uint8_t wanted) {
    return (character::classes[static_cast<unsigned char>(c)] & wanted) != 0;
}
inline bool all_are(std::string_view text, std::uint8_t wanted) {
    for (char c : text) {
        if (!is(c, wanted)) return false;
    }
    return true;
}
inline bool is_token(std::string_view text) { return !text.empty() && all_are(text, character::token); }

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr bool equals_ignore_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Cuts SP and HTAB at both ends (RFC 9110 5.6.3 OWS).
constexpr std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Takes the next element off a comma-separated list (RFC 9110 5.6.1), without blanks around it; empty ones are skipped.
// False at the end. Quoted strings are not recognised: for lists of tokens.
constexpr bool next_element(std::string_view& list, std::string_view& element) {
    while (!list.empty()) {
        std::size_t comma = list.find(',');
        element = trim(list.substr(0, comma));
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        if (!element.empty()) return true;
    }
    return false;
}

}  // namespace http
