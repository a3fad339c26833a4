#include "http/path.h"

#include <cstddef>
#include <cstring>

#include "http/characters.h"

namespace http {

namespace {

constexpr char hex_digits[] = "0123456789ABCDEF";

// Nothing to decode, to merge or to resolve, as far as one quick look tells ("/.well-known" is taken for a suspect).
bool is_surely_normal(std::string_view path) {
    for (std::size_t i = 0; i < path.size(); ++i) {
        char c = path[i];
        if (is(c, character::path_plain)) continue;
        if (c == '.') continue;
        if (c != '/') return false;
        if (i + 1 < path.size() && (path[i + 1] == '/' || path[i + 1] == '.')) return false;
    }
    return true;
}

struct Decoded {
    std::size_t size = 0;
    bool has_high_bytes = false;
    PathFault fault = PathFault::none;
};

// kong.md 2.3: escapes of unreserved and other characters are decoded, reserved ones stay with upper-case digits.
Decoded decode(std::string_view raw, char* into) {
    Decoded decoded;
    char* at = into;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i];
        if (c == '%') {
            int high = i + 2 < raw.size() ? hex_value(raw[i + 1]) : -1;
            int low = i + 2 < raw.size() ? hex_value(raw[i + 2]) : -1;
            if (high < 0 || low < 0) return {0, false, PathFault::bad_escape};
            c = static_cast<char>(high * 16 + low);
            i += 2;
            if (is(c, character::reserved)) {
                *at++ = '%';
                *at++ = hex_digits[high];
                c = hex_digits[low];
            }
        }
        if (c == '\0') return {0, false, PathFault::nul};
        decoded.has_high_bytes |= static_cast<unsigned char>(c) >= 0x80;
        *at++ = c;
    }
    decoded.size = static_cast<std::size_t>(at - into);
    return decoded;
}

// What `text` begins with: one of `plain`, or the escape of one of `escaped`. Its size, or 0.
std::size_t separator(std::string_view text, std::string_view plain, std::string_view escaped) {
    if (plain.find(text[0]) != std::string_view::npos) return 1;
    if (text[0] != '%' || text.size() < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) return 0;
    auto code = static_cast<char>(hex_value(text[1]) * 16 + hex_value(text[2]));
    return escaped.find(code) != std::string_view::npos ? 3 : 0;
}

// RFC 3986 5.2.4 with slashes merged, in place. Zero if ".." leads above the root (which nginx refuses), else the size.
std::size_t resolve_dots(char* path, std::size_t size) {
    std::size_t out = 0;
    std::size_t at = 0;
    bool ends_in_slash = false;
    while (at < size) {
        while (at < size && path[at] == '/') ++at;
        if (at == size) {
            ends_in_slash = true;
            break;
        }
        const void* slash = std::memchr(path + at, '/', size - at);
        std::size_t end = slash == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(slash) - path);
        std::string_view segment(path + at, end - at);
        ends_in_slash = segment == "." || segment == "..";
        if (segment == "..") {
            if (out == 0) return 0;
            while (path[--out] != '/') {
            }
        } else if (segment != ".") {
            path[out] = '/';
            std::memmove(path + out + 1, path + at, segment.size());
            out += segment.size() + 1;
        }
        at = end;
    }
    if (out == 0 || ends_in_slash) path[out++] = '/';
    return out;
}

std::string_view escape(std::string_view text, std::uint8_t safe, base::Arena& arena) {
    std::size_t unsafe = 0;
    for (char c : text) unsafe += is(c, safe) ? 0 : 1;
    if (unsafe == 0) return text;
    char* start = arena.bytes(text.size() + 2 * unsafe);
    char* at = start;
    for (char c : text) {
        if (is(c, safe)) {
            *at++ = c;
            continue;
        }
        auto byte = static_cast<unsigned char>(c);
        *at++ = '%';
        *at++ = hex_digits[byte >> 4];
        *at++ = hex_digits[byte & 15];
    }
    return {start, static_cast<std::size_t>(at - start)};
}

}  // namespace

std::string_view message(PathFault fault) {
    switch (fault) {
        case PathFault::none:
            return "";
        case PathFault::not_absolute:
            return "the path does not begin with '/' (RFC 9112 3.2.1)";
        case PathFault::bad_escape:
            return "'%' in the path without two hexadecimal digits (RFC 3986 2.1)";
        case PathFault::nul:
            return "the path holds a NUL";
        case PathFault::above_root:
            return "the path leads above the root (RFC 3986 5.2.4)";
        case PathFault::not_utf8:
            return "the path is not UTF-8 (RFC 3629)";
        case PathFault::hidden_dots:
            return "the path holds a dot segment that only some servers would see";
    }
    return "";
}

NormalPath normalise(std::string_view raw, base::Arena& arena) {
    if (!raw.starts_with('/')) return {{}, PathFault::not_absolute};
    if (is_surely_normal(raw)) return {raw};
    char* path = arena.bytes(raw.size());
    Decoded decoded = decode(raw, path);
    if (decoded.fault != PathFault::none) return {{}, decoded.fault};
    std::size_t size = resolve_dots(path, decoded.size);
    if (size == 0) return {{}, PathFault::above_root};
    std::string_view normal(path, size);
    if (decoded.has_high_bytes && !is_utf8(normal)) return {{}, PathFault::not_utf8};
    if (has_dot_segment(normal)) return {{}, PathFault::hidden_dots};
    return {normal == raw ? raw : normal};
}

bool has_dot_segment(std::string_view path) {
    bool is_start = false;  // of a segment
    while (!path.empty()) {
        if (std::size_t slash = separator(path, "/\\", "/\\"); slash != 0) {
            path.remove_prefix(slash);
            is_start = true;
            continue;
        }
        std::size_t dots = 0;
        for (std::size_t dot = 0; is_start && !path.empty() && (dot = separator(path, ".", ".")) != 0; ++dots)
            path.remove_prefix(dot);
        if ((dots == 1 || dots == 2) && (path.empty() || separator(path, "/\\;", "/\\;") != 0)) return true;
        is_start = false;
        if (dots == 0) path.remove_prefix(1);
    }
    return false;
}

bool is_ambiguous(std::string_view normal_path) {
    for (std::size_t i = 0; i < normal_path.size(); ++i) {
        auto byte = static_cast<unsigned char>(normal_path[i]);
        if (byte < 0x20 || byte == 0x7f) return true;
        std::string_view rest = normal_path.substr(i);
        if (separator(rest, "\\;", "/\\;") != 0) return true;
        if (rest.size() >= 5 && rest.starts_with("%25") && hex_value(rest[3]) >= 0 && hex_value(rest[4]) >= 0)
            return true;
    }
    return false;
}

std::string_view escape_path(std::string_view path, base::Arena& arena) {
    return escape(path, character::path_safe, arena);
}

std::string_view escape_query(std::string_view query, base::Arena& arena) {
    return escape(query, character::query_safe, arena);
}

std::string_view escape_value(std::string_view text, base::Arena& arena) {
    return escape(text, character::field_value, arena);
}

bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    while (i < text.size()) {
        unsigned first = byte(i++);
        if (first < 0x80) continue;
        // RFC 3629 4: the first continuation byte has a narrower range after some lead bytes.
        unsigned lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        unsigned highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        std::size_t more = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2 : 3;
        if (first < 0xc2 || first > 0xf4) return false;
        for (std::size_t k = 0; k < more; ++k) {
            unsigned next = byte(i++);
            if (next < lowest || next > highest) return false;
            lowest = 0x80;
            highest = 0xbf;
        }
    }
    return true;
}

}  // namespace http
