// Environment variables as a document sees them: through a function that the caller gives, never through the process.
// deck's `${{ env "DECK_X" }}` (before parsing) and Kong's `{vault://env/...}` (in single fields) both draw on it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "schema/error.h"

namespace kong {

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// Replaces every `${{ env "DECK_X" | filter }}` in a file's text, as deck does before it parses: filters toBool, toInt,
// toFloat, indent N. A text that grows beyond `limit` bytes is a fault. Faults go to `problems` at their place; the
// text is then left as it is.
[[nodiscard]] std::string with_deck_variables(std::string_view text, std::uint16_t file, const Environment& environment,
                                              std::size_t limit, schema::Problems& problems);

// A vault of kind `env`: its variables begin with `variable_prefix`.
struct EnvironmentVault {
    std::string variable_prefix;
};
// Vaults by the name that references use; "env" itself is always there.
using Vaults = std::map<std::string, EnvironmentVault, std::less<>>;

// What `{vault://env/name[/key]}` stands for; nothing if there is no such vault, variable or key.
[[nodiscard]] std::optional<std::string> resolve(std::string_view reference, const Vaults& vaults,
                                                 const Environment& environment);

}  // namespace kong
