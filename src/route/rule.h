// Rule: one candidate of the router, as a dialect hands it over. All conditions must hold; within a condition any of
// its values suffices; an empty condition always holds. A dialect may make several rules of one route (`Rule::route` is
// what a match answers), each with its own priority.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"

namespace route {

// Bounds of one rule; more is refused by Router::build.
inline constexpr std::size_t max_paths_per_rule = 65535;
inline constexpr std::size_t max_path_pattern = 32768;  // bytes of a prefix, or of a regex
inline constexpr std::size_t max_host_length = 255;     // longer hosts match no host condition
inline constexpr std::size_t max_capture_groups = 32;   // of one regex

struct HostPattern {
    enum class Kind : std::uint8_t { exact, suffix, prefix };
    Kind kind = Kind::exact;
    std::string text;        // suffix: ".example.com" of "*.example.com"; prefix: "example." of "example.*"
    std::uint16_t port = 0;  // 0: any

    // "a.b", "*.b", "a.*", each with an optional ":port". "[::1]:80" is an address with a port.
    static base::Result<HostPattern> parse(std::string_view text);
    // For server names (TLS), which have no port.
    static base::Result<HostPattern> parse_server_name(std::string_view text);
    auto operator<=>(const HostPattern&) const = default;
};

struct HeaderCondition {
    std::string name;                  // case does not matter, and '_' equals '-'
    std::vector<std::string> values;   // compared whole, without regard to case
    std::vector<std::string> regexes;  // searched anywhere in the value, without regard to case
};

struct EndpointCondition {
    std::optional<net::Cidr> block;
    std::uint16_t port = 0;  // 0: any
};

struct Rule {
    std::uint32_t route = 0;
    std::uint64_t priority = 0;  // higher first
    std::array<std::uint8_t, 16>
        tie_break{};  // among equal priorities: higher bytes first, then the lower route number
    std::vector<std::string> methods;
    std::vector<HostPattern> hosts;
    // Paths: a rule has prefixes or regexes or neither. The first in this order that matches is the one reported.
    std::vector<std::string> prefixes;
    std::vector<std::string> regexes;  // without the dialect's mark; anchored at the start, open at the end
    std::vector<HeaderCondition> headers;
    std::vector<HostPattern> server_names;  // looked at only on TLS
    std::vector<EndpointCondition> sources;
    std::vector<EndpointCondition> destinations;
};

}  // namespace route
