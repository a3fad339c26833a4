// Edits of header fields that both transformers make (kong.md 4.11, 4.12).
#pragma once

#include <cstddef>
#include <new>
#include <string_view>

#include "base/arena.h"
#include "http/headers.h"

namespace plugin {

// All values of `from` under the name `to`, in the place of those there; nothing if there is no `from`.
inline void rename_header(http::Headers& headers, std::string_view from, std::string_view to, base::Arena& arena) {
    std::size_t count = headers.count(from);
    if (count == 0) return;
    auto* kept =
        static_cast<std::string_view*>(arena.allocate(count * sizeof(std::string_view), alignof(std::string_view)));
    std::size_t at = 0;
    headers.all(from, [&](std::string_view value) { new (kept + at++) std::string_view(value); });
    headers.remove(from);
    headers.remove(to);
    for (std::size_t i = 0; i < count; ++i) headers.add(to, kept[i]);
}

}  // namespace plugin
