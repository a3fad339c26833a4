// What consistent hashing hashes (kong.md 7.4): where the value comes from, how several values become one, and the
// cookie that is given to a client that has none. Taking the value out of a request is the gateway's part.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/hash.h"

namespace upstream {

enum class HashSource : std::uint8_t { none, consumer, ip, header, cookie, path, query_arg, uri_capture };

struct HashRule {
    HashSource on = HashSource::none;
    std::string name;  // hash_on_header, _cookie, _query_arg or _uri_capture
    HashSource fallback = HashSource::none;
    std::string fallback_name;
    std::string cookie_path = "/";  // hash_on_cookie_path
};

// Stable over versions and machines.
inline std::uint64_t hash_of(std::string_view value) { return base::hash64(value); }

// The values of a header or query argument as one: sorted and joined by commas, so that their order does not matter.
// Sorts `values` in place; the result lives in the arena, or is the only value itself.
std::string_view joined(std::span<std::string_view> values, base::Arena& arena);

// The values found for `on` and for `fallback` (empty view: nothing found) -> the hash. Nothing at all hashes as "".
std::uint64_t hash_key(std::string_view value, std::string_view fallback_value);

// Set-Cookie of the cookie that pins a client: `name=value; Path=/; SameSite=Lax; HttpOnly`. Kong writes `Same-Site`,
// which no browser knows (RFC 6265bis 4.1.2.7), so its cookie has no such protection.
std::string hash_cookie(const HashRule& rule, std::string_view value);

}  // namespace upstream
