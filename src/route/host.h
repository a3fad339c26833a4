// Host names as the router compares them: lower case, without the root's trailing dot (RFC 9110 4.2.3, RFC 1034 3.1).
// Used while building the index, by its host conditions, and once per match for the request's own host.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "route/rule.h"

namespace route {

using HostBuffer = std::array<char, max_host_length>;

// The comparable form in `buffer`; empty if the host is empty or longer than any pattern may be.
[[nodiscard]] std::string_view comparable_host(std::string_view host, HostBuffer& buffer);

// Does `pattern` (from HostPattern::parse) accept the comparable `host`? The port is the caller's.
[[nodiscard]] bool accepts_name(const HostPattern& pattern, std::string_view host);

[[nodiscard]] constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool equal_caseless(std::string_view text, std::string_view lower_text);

}  // namespace route
