// Settings of the program: from defaults, a settings file in kong.conf's form and names, KONG_* and CARDEA_* variables,
// --set, and the command line's own flags, each winning over those before it. Every value remembers where it came from;
// all errors are reported together. Called by command/run, check and settings before anything else starts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/settings.h"
#include "schema/error.h"

namespace command {

// Weakest first.
enum class Origin : std::uint8_t { built_in, file, kong_variable, cardea_variable, set_option, flag };

struct SettingsInput {
    using ReadFile = std::function<base::Result<std::string>(const std::string& path)>;

    std::optional<std::string> file;  // path; none: no settings file
    std::vector<std::pair<std::string, std::string>> environment;
    std::vector<std::string> set;  // `key=value` of each --set
    // Flag and value: --listen, --admin-listen, --workers, --log (off, json, combined or a format), --watch (on),
    // --resolve (may come several times), --document (the same; the FILE arguments).
    std::vector<std::pair<std::string, std::string>> flags;
    ReadFile read_file;  // empty: the file system
};

struct SettingValue {
    std::string name;
    std::string value;  // as written; `***` for a secret
    Origin origin = Origin::built_in;
    std::string source;  // "default", "cardea.conf:3", "KONG_LOG_LEVEL", "--set log_level", "--listen"
    std::string remark;  // why a value of Kong's has no effect here; else empty
};

struct LoadedSettings {
    gateway::Settings settings;        // complete only if there are no errors
    std::vector<SettingValue> values;  // every served setting, and what was given of the others, in the table's order
    schema::Problems problems;
    std::vector<std::string> sources;  // the names that the problems' marks mean
    [[nodiscard]] bool ok() const { return !problems.has_errors(); }
};

LoadedSettings load_settings(const SettingsInput& input);

// The environment of this process.
std::vector<std::pair<std::string, std::string>> process_environment();
// --conf if given, else the first of these that exists, else nothing: /etc/cardea/cardea.conf, /etc/kong/kong.conf.
std::optional<std::string> find_settings_file(const std::optional<std::string>& given);

// `cardea settings`: name, value and source in columns; and the same as JSON.
std::string print_settings(const LoadedSettings& loaded);
std::string print_settings_json(const LoadedSettings& loaded);
// docs/reference/settings.md, from the table.
std::string settings_reference();

}  // namespace command
