// Lists of targets as a file or an HTTP endpoint gives them, in YAML or JSON:
//
//     targets:                  # or the list alone
//     - 10.0.0.1:8080
//     - {target: "10.0.0.2:8080", weight: 50}
//
// Read as a whole or not at all: the error names each fault with its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "upstream/targets.h"

namespace upstream {

inline constexpr std::size_t most_list_bytes = 4 << 20;
inline constexpr std::size_t most_found_targets = 10'000;  // of one source

enum class ListForm : std::uint8_t { yaml, json };
// `name` is that of the list in messages, as in `name:line:column: ...`.
[[nodiscard]] base::Result<std::vector<Target>> parse_target_list(std::string_view text, ListForm form,
                                                                  const std::string& name);

// "10.0.0.1:80", "[::1]:80", "name:80"; without a port Kong's 8000.
[[nodiscard]] base::Result<Target> parse_target(std::string_view text);

// By host and port, each once: so that the order in which a source lists them changes nothing.
void put_in_order(std::vector<Target>& targets);

}  // namespace upstream
