// The words `cardea check` and `cardea schema`, and the reference pages: text out, exit code back. The command line
// calls them; they never touch the process.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/kong/load.h"
#include "schema/source.h"

namespace kong {

enum class CheckFormat : std::uint8_t {
    human,
    json,
    kong,  // as `kong config parse` prints it
};

// Loads the files and says all that is wrong. Answers the exit code: 0 = it would start, 1 = it would not.
[[nodiscard]] int check(std::vector<schema::SourceFile> sources, const LoadOptions& options, CheckFormat format,
                        std::string& out);

// JSON Schema (2020-12) of an entity by its singular or plural name, of a served plugin's settings, or of the whole
// document if `name` is empty. Exit code 1 and a hint if there is no such thing.
[[nodiscard]] int print_schema(std::string_view name, std::span<const PluginType> plugins, std::string& out);

struct ReferencePage {
    std::string file;  // below docs/reference
    std::string text;
};
[[nodiscard]] std::vector<ReferencePage> reference_pages();

}  // namespace kong
