// Source files: reads a file within a limit, and chooses the parser by its name as Kong does (1.1 of the contract).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/node.h"

namespace schema {

struct SourceFile {
    std::string name;  // as the operator wrote it; for messages, and for the choice of the parser
    std::string bytes;
};

// Refuses a file above the limit by its size, before reading it; a pipe once the limit is passed.
[[nodiscard]] base::Result<SourceFile> read_file(const std::string& path, const Limits& limits);

// The files of several paths; a folder stands for the `.yml`, `.yaml` and `.json` files in it, by name, not deeper.
[[nodiscard]] base::Result<std::vector<SourceFile>> read_sources(const std::vector<std::string>& paths,
                                                                 const Limits& limits);

// `.json` is JSON, `.yml`/`.yaml` YAML, no extension JSON if it parses as that, else YAML; anything else is refused.
[[nodiscard]] ParseResult parse(const SourceFile& source, std::uint16_t file, const Limits& limits);

}  // namespace schema
