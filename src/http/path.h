// Paths of request targets: their one normal form (used by routing, authentication, cache key and upstream alike) and
// the way back to what may be sent. The rules are Kong's (kong.md 2.3, 2.4): escapes of all but reserved characters are
// decoded, the others' hex digits upper-cased, dot segments resolved, slashes merged.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace http {

enum class PathFault : std::uint8_t {
    none,
    not_absolute,  // does not begin with '/'
    bad_escape,    // '%' without two hex digits
    nul,           // NUL, escaped or not
    above_root,    // more ".." than segments
    not_utf8,      // bytes that are no UTF-8, raw or escaped: Kong's router answers 404, the others are 400
    hidden_dots,   // a dot segment that only another server would see, has_dot_segment
};
[[nodiscard]] std::string_view message(PathFault fault);

struct NormalPath {
    std::string_view path;  // empty on a fault
    PathFault fault = PathFault::none;
    [[nodiscard]] bool ok() const { return fault == PathFault::none; }
};

// The normal form of `raw` (a path without query). Returns `raw` itself when it is normal already, else bytes of the
// arena. The normal form may hold decoded blanks, control characters and UTF-8: escape it before it goes into a
// message. Idempotent: normalising what escape_path made of a normal path gives that path.
[[nodiscard]] NormalPath normalise(std::string_view raw, base::Arena& arena);

// Whether some server sees a "." or ".." segment in it: with its dots escaped too, and where a backslash, an escaped
// slash or a parameter (';') ends it. In a normal path only such a one is left.
[[nodiscard]] bool has_dot_segment(std::string_view path);

// Whether servers disagree about what a normal path means, so that the router may have matched another one than they
// serve: escaped slashes, backslashes, parameters, what is escaped twice, control characters.
[[nodiscard]] bool is_ambiguous(std::string_view normal_path);

// A path ready to be sent: every byte that is not unreserved, reserved or '%' as %XX. Returns `path` itself when there
// is nothing to escape.
[[nodiscard]] std::string_view escape_path(std::string_view path, base::Arena& arena);

// A query ready to be sent: it goes as received (Kong appends it verbatim) but for bytes that may not stand in a
// target.
[[nodiscard]] std::string_view escape_query(std::string_view query, base::Arena& arena);

// A text as a field's value: what may not stand in one (RFC 9110 5.5) as %XX, as nginx's Lua does it.
[[nodiscard]] std::string_view escape_value(std::string_view text, base::Arena& arena);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace http
