// Reads from a regex, without compiling it, which bytes every match must contain. The router files a regex under its
// literal prefix and finds it by its further literals. Whatever these functions are not sure of they leave out: a
// pattern they do not understand has an empty prefix and no literals, which costs time and never a match.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace route {

struct LiteralPrefix {
    std::string text;       // every match (anchored at the start) begins with it
    std::string_view rest;  // the pattern for what follows; empty: the pattern was all literal
};
[[nodiscard]] LiteralPrefix literal_prefix(std::string_view pattern);

// Runs of bytes that occur in every match of `pattern`.
[[nodiscard]] std::vector<std::string> required_literals(std::string_view pattern);

}  // namespace route
