// The plugins this program serves, by name. A plugin's file registers itself before main(); the dialect asks, so that a
// document with a plugin that nobody serves is never started in silence.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace plugin {

void register_name(std::string_view name);
[[nodiscard]] const std::set<std::string>& served_names();

}  // namespace plugin
