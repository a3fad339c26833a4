#include "plugin/type.h"

#include <algorithm>
#include <string>
#include <vector>

namespace plugin {

namespace {

using MakeType = Type (*)();
std::vector<MakeType>& makers() {
    static std::vector<MakeType> all;
    return all;
}

std::vector<Type> sorted_types() {
    std::vector<Type> all;
    for (MakeType make : makers()) all.push_back(make());
    std::sort(all.begin(), all.end(), [](const Type& a, const Type& b) {
        return a.priority != b.priority ? a.priority > b.priority : a.name < b.name;
    });
    return all;
}

}  // namespace

// Runs before main(), in any order: nothing but the list may be touched.
Registered::Registered(Type (*make)()) { makers().push_back(make); }

std::span<const Type> types() {
    static const std::vector<Type> all = sorted_types();
    return all;
}

const Type* find_type(std::string_view name) {
    for (const Type& type : types())
        if (type.name == name) return &type;
    return nullptr;
}

std::string page(const Type& type) {
    std::string name(type.name);
    std::string example = "plugins:\n- name: " + name + "\n";
    for (std::string_view rest = type.example; !rest.empty();) {
        std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
        if (!line.empty()) example += "  " + std::string(line) + "\n";
    }
    std::string phases;
    for (auto [phase, has] : {std::pair{"request", type.on_request != nullptr || type.wait_request != nullptr},
                              {"upstream request", type.on_upstream_request != nullptr},
                              {"upstream response", type.on_upstream_response != nullptr},
                              {"response", type.on_response != nullptr},
                              {"response body", type.on_response_body != nullptr},
                              {"log", type.on_log != nullptr}})
        if (has) phases += (phases.empty() ? "" : ", ") + std::string(phase);
    std::string out = "# " + name + "\n\n" + std::string(type.summary) + "\n\n";
    out += "Priority " + std::to_string(type.priority) + "; phases: " + phases + ".";
    out += type.is_for_consumers ? "" : " It cannot be bound to a consumer.";
    out += "\n\n## Example\n\n```yaml\n" + example + "```\n\n## Settings\n\n" + schema::reference_table(*type.config);
    if (!type.aliases.empty()) {
        out += "\nOlder names that are read too:";
        for (const Alias& alias : type.aliases)
            out += " `" + std::string(alias.old_name) + "` (`" + std::string(alias.path) + "`)";
        out += ".\n";
    }
    return out;
}

}  // namespace plugin
