// Arguments of a query string (name=value&...), one at a time and without copying until one is decoded.
#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"

namespace http {

struct QueryArgument {
    std::string_view name;   // as received
    std::string_view value;  // as received, empty without '='
    bool has_value = false;  // an '=' was there
};

// Walks the arguments in their order; empty ones ("&&") are skipped.
class QueryArguments {
  public:
    explicit QueryArguments(std::string_view query) : rest_(query) {}
    bool next(QueryArgument& argument);

  private:
    std::string_view rest_;
};

// '+' becomes a blank, %XX its byte; a '%' without two hex digits stays (as nginx's Lua does). Returns `text` itself
// when there is nothing to decode.
[[nodiscard]] std::string_view decode_argument(std::string_view text, base::Arena& arena);

// The decoded value of the first argument whose decoded name is `name` (case-sensitive).
[[nodiscard]] std::optional<std::string_view> find_argument(std::string_view query, std::string_view name,
                                                            base::Arena& arena);

}  // namespace http
