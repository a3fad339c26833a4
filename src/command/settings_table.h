// The table of settings: each one declared once, with its type, default and sentence. From it come parsing, `cardea
// settings`, docs/reference/settings.md and the hints for misspelt names. A new setting is one line in
// settings_table.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "command/settings_values.h"

namespace command {

// What values are applied to, and what a value may look up.
struct SettingsTarget {
    gateway::Settings settings;
    const std::function<base::Result<std::string>(const std::string& path)>* read_file = nullptr;
    std::map<std::string, std::string, std::less<>> log_formats;  // nginx_http_log_format
    bool tokens_as_kong = false;
};

enum class Standing : std::uint8_t {
    served,
    no_effect,  // known from Kong, nothing here that it could change: accepted
    unserved,   // known from Kong, missing here: a warning if set to something else than Kong's default
    refused,    // the same where ignoring it would be unsafe or would leave out what was asked for: an error
};

struct Setting {
    View name;
    Standing standing = Standing::served;
    View group;     // heading in the reference
    View type;      // as shown in the reference
    View fallback;  // default, as one would write it
    View help;      // what it does; for others than served: why it does not
    base::Result<void> (*apply)(SettingsTarget& target, View value) = nullptr;
    bool secret = false;  // never printed
};

const std::vector<Setting>& settings_table();
// Exact names only.
const Setting* find_setting(View name);
// Settings of Kong that are known by the beginning of their name, such as pg_*; null if none is.
const Setting* find_setting_family(View name);

}  // namespace command
