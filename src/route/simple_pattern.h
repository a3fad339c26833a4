// SimplePattern: a regex of the shape that nearly all routes have, such as "(?<id>\d+)/items/[a-z]+$": literals and
// repeated classes in a row, groups around parts of it, each repetition ending where the next part must begin. Such a
// pattern needs no backtracking, and its program of some dozen bytes spares a general engine's kilobytes for each
// route. Anything else is declined, and Regex takes a general engine. What is accepted means exactly what RE2 means by
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "route/captures.h"

namespace route {

class SimplePattern {
  public:
    // Nothing if the pattern has another shape, or is faulty.
    static std::optional<SimplePattern> compile(std::string_view pattern, std::vector<CaptureName>& names);

    // Matches at `from` exactly; on a match fills `captures` if given.
    [[nodiscard]] bool match(std::string_view text, std::size_t from, Captures* captures) const;
    [[nodiscard]] std::size_t groups() const { return groups_; }
    [[nodiscard]] std::size_t memory_bytes() const { return program_.capacity() > 15 ? program_.capacity() + 1 : 0; }

  private:
    SimplePattern(std::string program, std::size_t groups) : program_(std::move(program)), groups_(groups) {}
    std::string program_;
    std::size_t groups_;
};

}  // namespace route
