// The path sent upstream: how the service's base path, the request's path and the part the route matched are joined.
// A dialect picks the handling; the gateway calls this once per request.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace route {

enum class PathHandling : std::uint8_t {
    v0,  // joins with exactly one slash
    v1,  // joins as text (Kong's old flavour `traditional`)
};
enum class StripPath : std::uint8_t { no, yes };

// `base` and `path` begin with '/' (an empty `base` counts as "/"); `path` is in normal form; `matched` is the part at
// the start of `path` that the route matched (empty: it has no paths), removed if `strip`. The result lives in `arena`
// or is a view of an argument.
[[nodiscard]] std::string_view upstream_path(std::string_view base, std::string_view path, std::string_view matched,
                                             StripPath strip, PathHandling handling, base::Arena& arena);

}  // namespace route
