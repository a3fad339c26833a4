#include "route/upstream_path.h"

#include <algorithm>

namespace route {
namespace {

// What stripping leaves must not climb out of the base: "/a" stripped of "/a../b" would leave "../b". Nor where only
// the upstream sees a dot segment (http::has_dot_segment).
std::string_view without_leading_dots(std::string_view rest) {
    for (std::string_view dots : {"../", "./"}) {
        if (rest.starts_with(dots)) return rest.substr(dots.size());
    }
    for (std::string_view dots : {"..", "."}) {
        if (!rest.starts_with(dots)) continue;
        std::string_view behind = rest.substr(dots.size());
        bool is_end = behind.empty();
        for (std::string_view end : {"\\", ";", "%2F", "%5C", "%3B"}) is_end = is_end || behind.starts_with(end);
        if (is_end) return behind;
    }
    return rest;
}

std::string_view stripped_v0(std::string_view base, std::string_view path, std::string_view rest, base::Arena& arena) {
    bool path_ends_in_slash = path.ends_with('/');
    if (base.ends_with('/')) {
        if (rest.empty()) return base.size() == 1 || path_ends_in_slash ? base : base.substr(0, base.size() - 1);
        return rest.starts_with('/') ? arena.join(base.substr(0, base.size() - 1), rest) : arena.join(base, rest);
    }
    if (rest.empty()) return path.size() > 1 && path_ends_in_slash ? arena.join(base, "/") : base;
    return rest.starts_with('/') ? arena.join(base, rest) : arena.join(base, "/", rest);
}

}  // namespace

std::string_view upstream_path(std::string_view base, std::string_view path, std::string_view matched, StripPath strip,
                               PathHandling handling, base::Arena& arena) {
    if (base.empty()) base = "/";
    std::string_view behind_slash = path.starts_with('/') ? path.substr(1) : path;
    if (strip == StripPath::no) {
        if (handling == PathHandling::v1) return arena.join(base, behind_slash);
        if (base.ends_with('/')) return base.size() == 1 ? path : arena.join(base, behind_slash);
        return path == "/" ? base : arena.join(base, path);
    }
    // A route that matched without a path strips the root, so that "/" itself leaves nothing to join.
    std::string_view rest = matched.empty() ? behind_slash : path.substr(std::min(matched.size(), path.size()));
    rest = without_leading_dots(rest);
    if (handling == PathHandling::v0) return stripped_v0(base, path, rest, arena);
    if (base.ends_with('/') && rest.starts_with('/')) rest.remove_prefix(1);
    return arena.join(base, rest);
}

}  // namespace route
