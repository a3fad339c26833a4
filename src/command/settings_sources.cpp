#include "command/settings_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "command/settings_table.h"

namespace command {

namespace {
// One line of a settings file without its comment; `\#` has become `#`. Columns of what follows a `\#` move by one, and
// values with one in them are rare.
std::string without_comment(View line) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '#') {
            out += '#';
            ++i;
        } else if (line[i] == '#') {
            break;
        } else {
            out += line[i];
        }
    }
    return out;
}

schema::Mark at(schema::Mark mark, std::size_t line, std::size_t column) {
    mark.line = static_cast<std::uint32_t>(line);
    mark.column = static_cast<std::uint16_t>(std::min<std::size_t>(column + 1, 65535));
    return mark;
}

// Kubernetes sets KONG_SERVICE_HOST, CARDEA_PORT_8000_TCP_ADDR and the like for every service of that name; image
// builders set KONG_VERSION. Others are likely slips of the pen, and are said.
bool is_somebody_elses(View rest) {
    static constexpr std::array<View, 6> known{"VERSION", "PORT", "REWRITE", "SOURCE_DIR", "SHA256", "SERVICE_HOST"};
    if (std::find(known.begin(), known.end(), rest) != known.end()) return true;
    return rest.find("_PORT_") != View::npos || rest.starts_with("PORT_") || rest.find("SERVICE_PORT") != View::npos ||
           rest.ends_with("_SERVICE_HOST") || rest.ends_with("_PORT");
}
}  // namespace

schema::Mark SettingsSources::mark(std::string name) {
    schema::Mark out;
    out.file = static_cast<std::uint16_t>(std::min<std::size_t>(names.size(), 65535));
    names.push_back(std::move(name));
    return out;
}

void SettingsSources::problem(schema::Severity severity, schema::Mark mark, const std::string& setting,
                              std::string message, std::string hint) {
    schema::Problem out;
    out.severity = severity;
    out.mark = mark;
    if (!setting.empty()) out.path.push_back({setting, 0});
    out.message = std::move(message);
    out.hint = std::move(hint);
    problems.add(std::move(out));
}

void read_settings_file(const std::string& path, const std::string& text, SettingsSources& out) {
    schema::Mark file = out.mark(path);
    std::map<std::string, std::size_t> lines;  // where a name was set
    View rest = text;
    if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
    for (std::size_t number = 1; !rest.empty(); ++number) {
        std::size_t end = std::min(rest.find('\n'), rest.size());
        std::string line = without_comment(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        View content = trimmed(line);
        if (content.empty()) continue;
        auto column = [&](View part) { return static_cast<std::size_t>(part.data() - line.data()); };
        std::size_t equals = content.find('=');
        View name = trimmed(content.substr(0, equals));
        if (equals == View::npos || name.empty() || name.find_first_of(" \t") != View::npos) {
            out.problem(schema::Severity::error, at(file, number, column(content)), "", "expected `name = value`");
            continue;
        }
        View value = trimmed(content.substr(equals + 1));
        auto name_mark = at(file, number, column(name));
        auto value_mark = at(file, number, value.empty() ? column(content) + equals + 1 : column(value));
        auto [earlier, is_first] = lines.emplace(name, number);
        if (!is_first)
            out.problem(schema::Severity::warning, name_mark, std::string(name),
                        fmt::format("set in line {} already; this line counts", earlier->second));
        earlier->second = number;
        out.assignments.push_back({std::string(name), std::string(value), Origin::file, name_mark, value_mark,
                                   fmt::format("{}:{}", path, number)});
    }
}

void read_environment(const std::vector<std::pair<std::string, std::string>>& environment, SettingsSources& out) {
    auto sorted = environment;
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [variable, value] : sorted) {
        bool is_kong = variable.starts_with("KONG_");
        if (!is_kong && !variable.starts_with("CARDEA_")) continue;
        View rest = View(variable).substr(is_kong ? 5 : 7);
        std::string name = lower(rest);
        bool is_known =
            find_setting(name) != nullptr || find_setting_family(name) != nullptr || name.starts_with("nginx_");
        if (is_somebody_elses(rest) || (!is_known && value.empty())) continue;
        schema::Mark mark = out.mark(variable);
        out.assignments.push_back({name, std::string(trimmed(value)),
                                   is_kong ? Origin::kong_variable : Origin::cardea_variable, mark, mark, variable});
    }
}

void read_set_options(const std::vector<std::string>& options, SettingsSources& out) {
    for (const std::string& option : options) {
        std::size_t equals = option.find('=');
        std::string name(trimmed(View(option).substr(0, equals)));
        schema::Mark mark = out.mark("--set " + name);
        if (equals == option.npos || name.empty()) {
            out.problem(schema::Severity::error, mark, "", "expected --set name=value");
            continue;
        }
        std::string value(trimmed(View(option).substr(equals + 1)));
        out.assignments.push_back({name, value, Origin::set_option, mark, mark, "--set"});
    }
}

void read_flags(const std::vector<std::pair<std::string, std::string>>& flags, SettingsSources& out) {
    static const std::map<View, View> names{{"--listen", "proxy_listen"}, {"--admin-listen", "admin_listen"},
                                            {"--workers", "workers"},     {"--watch", "watch"},
                                            {"--resolve", "resolve"},     {"--document", "declarative_config"}};
    auto assign = [&](const std::string& flag, View name, const std::string& value) {
        schema::Mark mark = out.mark(flag);
        out.assignments.push_back({std::string(name), value, Origin::flag, mark, mark, flag});
    };
    for (const auto& [flag, value] : flags) {
        if (flag == "--log") {
            if (value == "off") {
                assign(flag, "proxy_access_log", value);
            } else {
                assign(flag, "access_log_format", value);
                // Asked for by name, so it shall be seen, even if a weaker source switched it off.
                auto last = std::find_if(out.assignments.rbegin(), out.assignments.rend(),
                                         [](const Assignment& one) { return one.name == "proxy_access_log"; });
                if (last != out.assignments.rend() && last->value == "off")
                    assign(flag, "proxy_access_log", "/dev/stdout");
            }
            continue;
        }
        auto known = names.find(flag);
        ensure(known != names.end(), flag);
        bool is_list = flag == "--resolve" || flag == "--document";
        auto earlier = std::find_if(out.assignments.begin(), out.assignments.end(), [&](const Assignment& assignment) {
            return assignment.origin == Origin::flag && assignment.name == known->second;
        });
        if (is_list && earlier != out.assignments.end())
            earlier->value += "," + value;
        else
            assign(flag, known->second, value);
    }
}

}  // namespace command
