#include "upstream/hash_key.h"

#include <algorithm>

namespace upstream {

std::string_view joined(std::span<std::string_view> values, base::Arena& arena) {
    if (values.empty()) return {};
    if (values.size() == 1) return values.front();
    std::sort(values.begin(), values.end());
    std::size_t size = values.size() - 1;
    for (std::string_view value : values) size += value.size();
    char* start = arena.bytes(size);
    char* at = start;
    for (std::string_view value : values) {
        at = std::copy(value.begin(), value.end(), at);
        if (at != start + size) *at++ = ',';
    }
    return {start, size};
}

std::uint64_t hash_key(std::string_view value, std::string_view fallback_value) {
    return hash_of(value.empty() ? fallback_value : value);
}

std::string hash_cookie(const HashRule& rule, std::string_view value) {
    std::string out;
    out.append(rule.name).append("=").append(value).append("; Path=").append(rule.cookie_path);
    return out.append("; SameSite=Lax; HttpOnly");
}

}  // namespace upstream
