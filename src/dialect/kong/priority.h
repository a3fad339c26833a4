// The traditional_compatible order of Kong's router: a route's matcher fields become rules, one for all its regexes and
// one for each length of its prefixes, with the 64-bit priority of Kong 3 (bits 63-61 number of attributes, 60 plain
// hosts, 59-52 headers, 51 regex, 50-19 regex_priority, 18-0 prefix length). Called by the document's translation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "route/rule.h"

namespace kong {

// A source or destination as written: `ip` may be empty, an address or a block; port 0 is "not given".
struct AddressMatcher {
    std::string ip;
    std::uint16_t port = 0;
};

struct RouteMatchers {
    base::Uuid id;
    std::vector<std::string> protocols;
    std::vector<std::string> methods;
    std::vector<std::string> hosts;
    std::vector<std::string> paths;                                         // "/prefix" or "~/regex"
    std::vector<std::pair<std::string, std::vector<std::string>>> headers;  // a value "~*..." is a regex
    std::vector<std::string> snis;
    std::vector<AddressMatcher> sources;
    std::vector<AddressMatcher> destinations;
    std::uint32_t regex_priority = 0;
};

// Appends the rules of one route; `route` is the number that a match answers. Fails on a host, address or block that
// does not parse (the document's checks came first), leaving `rules` as it was.
base::Result<void> append_rules(const RouteMatchers& matchers, std::uint32_t route, std::vector<route::Rule>& rules);

// The priority alone, for `explain` and tests. `prefix_length` counts for a prefix group.
enum class PathGroup : std::uint8_t { none, prefixes, regexes };
[[nodiscard]] std::uint64_t priority(const RouteMatchers& matchers, PathGroup group, std::size_t prefix_length);

}  // namespace kong
