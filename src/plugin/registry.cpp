#include "plugin/registry.h"

namespace plugin {

namespace {
std::set<std::string>& names() {
    static std::set<std::string> all;
    return all;
}
}  // namespace

void register_name(std::string_view name) { names().emplace(name); }

const std::set<std::string>& served_names() { return names(); }

}  // namespace plugin
