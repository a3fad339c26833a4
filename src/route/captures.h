// What the groups of a route's regex took from the path. Shared by the regex engines, the router and its callers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/raw_array.h"
#include "route/rule.h"

namespace route {

struct CaptureName {
    std::string name;
    std::uint16_t group = 0;
};

// Group 0 is the whole match.
struct Captures {
    base::RawArray<std::string_view, max_capture_groups + 1> groups;  // `count` of them
    std::size_t count = 0;
};

}  // namespace route
