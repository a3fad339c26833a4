// What holds for the normal form of any path: for the test and the fuzz target.
#pragma once

#include <string_view>

#include "base/ensure.h"
#include "http/characters.h"
#include "http/path.h"

namespace http {

inline void check_path(std::string_view raw) {
    base::Arena arena;
    NormalPath normal = normalise(raw, arena);
    ensure(normal.ok() == !normal.path.empty(), raw);
    if (!normal.ok()) return;
    ensure(normal.path[0] == '/' && normal.path.size() <= raw.size(), raw, normal.path);
    ensure(normal.path.find("//") == std::string_view::npos, raw, normal.path);
    ensure(normal.path.find('\0') == std::string_view::npos, raw);
    std::string_view padded = arena.join(normal.path, "/");
    ensure(padded.find("/./") == std::string_view::npos && padded.find("/../") == std::string_view::npos, raw);
    ensure(!has_dot_segment(normal.path), raw, normal.path);
    NormalPath again = normalise(normal.path, arena);
    ensure(again.ok() && again.path == normal.path, raw, normal.path, again.path);
    std::string_view sent = escape_path(normal.path, arena);
    ensure(all_are(sent, character::target) && all_are(sent, character::path_safe), raw, sent);
    NormalPath received = normalise(sent, arena);
    // A raw '#' is the one character that a normal path may hold, if its source is no request, and that is not sent
    // raw.
    ensure((received.ok() && received.path == normal.path) || normal.path.find('#') != std::string_view::npos, raw,
           sent);
    ensure(escape_path(sent, arena) == sent, sent);
}

}  // namespace http
