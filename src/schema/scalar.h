// What a plain (unquoted) YAML scalar means. Kong reads YAML through lyaml, so this is lyaml's reading of YAML 1.1:
// yes/no/on/off are booleans (y/n are text), 0x, 0b and leading-zero octal are integers. Used by yaml.cpp.
#pragma once

#include <string_view>

#include "schema/node.h"

namespace schema {

// True and `out` set if `text` is not plain text. Sexagesimal numbers (`1:30`) stay text, unlike in lyaml: nobody means
// them, and an address such as `10:80` must not turn into a number.
bool resolve_plain(std::string_view text, Mark mark, Node& out);

}  // namespace schema
