// Assignments: what each source of settings says, before anybody asks whether it makes sense. Used by settings.cpp.
#pragma once

#include <string>
#include <vector>

#include "command/settings.h"

namespace command {

// `name = value` from somewhere.
struct Assignment {
    std::string name;
    std::string value;
    Origin origin = Origin::built_in;
    schema::Mark name_mark;
    schema::Mark value_mark;
    std::string source;
};

// Where assignments and problems are collected.
struct SettingsSources {
    std::vector<Assignment> assignments;
    schema::Problems problems;
    std::vector<std::string> names;  // by Mark::file

    schema::Mark mark(std::string name);
    void problem(schema::Severity severity, schema::Mark mark, const std::string& setting, std::string message,
                 std::string hint = {});
};

// kong.conf's form: `key = value`, `#` begins a comment, `\#` is a plain one.
void read_settings_file(const std::string& path, const std::string& text, SettingsSources& out);
void read_environment(const std::vector<std::pair<std::string, std::string>>& environment, SettingsSources& out);
void read_set_options(const std::vector<std::string>& options, SettingsSources& out);
void read_flags(const std::vector<std::pair<std::string, std::string>>& flags, SettingsSources& out);

// `nginx_<block>_<directive>`: replaced by assignments to our settings where we have them, refused where ignoring it
// would be unsafe, else dropped with a warning.
void translate_nginx_directives(SettingsSources& sources,
                                std::vector<std::pair<std::string, std::string>>& log_formats);

}  // namespace command
