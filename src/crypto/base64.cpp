#include "crypto/base64.h"

#include <array>
#include <cstdint>

namespace crypto {
namespace {

constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint32_t no_digit = 0x80000000U;

using Values = std::array<std::uint32_t, 256>;
constexpr Values values_of(std::string_view alphabet) {
    Values out{};
    for (auto& value : out) value = no_digit;
    for (std::size_t i = 0; i < alphabet.size(); ++i) out[static_cast<unsigned char>(alphabet[i])] = i;
    return out;
}
constexpr Values standard_values = values_of(standard);
constexpr Values url_safe_values = values_of(url_safe);

// False where the '=' at the end are not those that the padding rule wants; else they are gone from `text`.
bool strip_padding(std::string_view& text, Padding padding) {
    std::size_t pads = 0;
    while (pads < 2 && pads < text.size() && text[text.size() - 1 - pads] == '=') ++pads;
    std::size_t digits = text.size() - pads;
    std::size_t wanted = (4 - digits % 4) % 4;
    if (padding == Padding::forbidden || (padding == Padding::optional && pads == 0)) return pads == 0;
    if (pads != wanted) return false;
    text.remove_suffix(pads);
    return true;
}

std::optional<std::size_t> decode(const Values& values, std::string_view text, Padding padding, char* out) {
    if (!strip_padding(text, padding) || text.size() % 4 == 1) return std::nullopt;
    const char* at = text.data();
    const char* start = out;
    auto value = [&](std::size_t index) { return values[static_cast<unsigned char>(at[index])]; };
    std::uint32_t seen = 0;  // no_digit stays in it
    for (std::size_t groups = text.size() / 4; groups != 0; --groups, at += 4) {
        std::uint32_t a = value(0), b = value(1), c = value(2), d = value(3);
        seen |= a | b | c | d;
        std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
        *out++ = static_cast<char>(group >> 16);
        *out++ = static_cast<char>(group >> 8);
        *out++ = static_cast<char>(group);
    }
    if (text.size() % 4 != 0) {
        std::uint32_t a = value(0), b = value(1), c = text.size() % 4 == 3 ? value(2) : 0;
        seen |= a | b | c;
        std::uint32_t group = a << 10 | b << 4 | c >> 2;
        std::uint32_t unused = text.size() % 4 == 3 ? c & 3 : b & 15;
        if (unused != 0) return std::nullopt;
        *out++ = static_cast<char>(group >> 8);
        if (text.size() % 4 == 3) *out++ = static_cast<char>(group);
    }
    if ((seen & no_digit) != 0) return std::nullopt;
    return static_cast<std::size_t>(out - start);
}

std::optional<std::string> decoded(const Values& values, std::string_view text, Padding padding) {
    std::string out(decoded_bound(text.size()), '\0');
    std::optional<std::size_t> size = decode(values, text, padding, out.data());
    if (!size) return std::nullopt;
    out.resize(*size);
    return out;
}

std::string encode(std::string_view alphabet, std::string_view bytes, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::size_t left = bytes.size() - at;
        auto byte = [&](std::size_t index) -> std::uint32_t {
            return index < left ? static_cast<unsigned char>(bytes[at + index]) : 0U;
        };
        std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
        out += alphabet[group >> 18];
        out += alphabet[group >> 12 & 63];
        if (left > 1) out += alphabet[group >> 6 & 63];
        if (left > 2) out += alphabet[group & 63];
    }
    while (pad && out.size() % 4 != 0) out += '=';
    return out;
}

}  // namespace

std::optional<std::size_t> decode_base64(std::string_view text, Padding padding, char* out) {
    return decode(standard_values, text, padding, out);
}
std::optional<std::size_t> decode_base64url(std::string_view text, Padding padding, char* out) {
    return decode(url_safe_values, text, padding, out);
}
std::optional<std::string> decode_base64(std::string_view text, Padding padding) {
    return decoded(standard_values, text, padding);
}
std::optional<std::string> decode_base64url(std::string_view text, Padding padding) {
    return decoded(url_safe_values, text, padding);
}
std::optional<std::string_view> decode_base64url(std::string_view text, base::Arena& arena) {
    char* out = arena.bytes(decoded_bound(text.size()));
    std::optional<std::size_t> size = decode(url_safe_values, text, Padding::forbidden, out);
    if (!size) return std::nullopt;
    return std::string_view(out, *size);
}

std::string base64(std::string_view bytes) { return encode(standard, bytes, true); }
std::string base64url(std::string_view bytes) { return encode(url_safe, bytes, false); }

}  // namespace crypto
