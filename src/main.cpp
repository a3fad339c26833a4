// The command line: cardea run | check | schema | settings | reload | status | version. Parses it, loads the settings
// and hands over; each word is a function of command/ or dialect/.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/version.h"
#include "command/admin_client.h"
#include "command/documents.h"
#include "command/run.h"
#include "command/settings.h"
#include "dialect/kong/check.h"
#include "schema/error.h"

namespace {

struct Options {
    std::vector<std::string> documents;
    std::optional<std::string> settings_file;
    std::vector<std::string> set;
    std::vector<std::string> listen;
    std::string admin_listen;
    std::string workers;
    std::string log;
    std::vector<std::string> resolve;
    bool watch = false;
    bool as_json = false;
    bool as_kong = false;
    std::string status_of;
    std::string entity;
};

void add_settings_options(CLI::App& word, Options& options) {
    word.add_option("-c,--conf", options.settings_file,
                    "Settings file in kong.conf's form (default: /etc/cardea/cardea.conf, /etc/kong/kong.conf)");
    word.add_option("--set", options.set, "One setting, as key=value; may come several times")->allow_extra_args(false);
    word.add_option("--admin-listen", options.admin_listen,
                    "Where status, metrics and reload are served, ADDRESS:PORT or off");
}

void add_serving_options(CLI::App& word, Options& options) {
    add_settings_options(word, options);
    word.add_option("-l,--listen", options.listen, "Where clients connect, ADDRESS:PORT; may come several times")
        ->allow_extra_args(false);
    word.add_option("-w,--workers", options.workers, "Serving threads, a number or auto");
    word.add_option("--log", options.log, "Access log: off, json, combined, or a format with $variables");
    word.add_option("--resolve", options.resolve,
                    "NAME:PORT:ADDRESS[:PORT]: this name is reached there, whatever DNS says")
        ->allow_extra_args(false);
    word.add_flag("--watch", options.watch, "Load the document again when a file of it changes");
}

command::LoadedSettings load_settings(const Options& options) {
    command::SettingsInput input;
    input.file = command::find_settings_file(options.settings_file);
    input.environment = command::process_environment();
    input.set = options.set;
    auto flag = [&](const char* name, const std::string& value) {
        if (!value.empty()) input.flags.emplace_back(name, value);
    };
    std::string listen;
    for (const std::string& address : options.listen) listen += (listen.empty() ? "" : ", ") + address;
    flag("--listen", listen);
    flag("--admin-listen", options.admin_listen);
    flag("--workers", options.workers);
    flag("--log", options.log);
    if (options.watch) flag("--watch", "on");
    for (const std::string& text : options.resolve) flag("--resolve", text);
    for (const std::string& document : options.documents) flag("--document", document);
    return command::load_settings(input);
}

// Prints what is wrong with the settings; false if they cannot be used.
bool are_usable(const command::LoadedSettings& loaded) {
    std::fputs(schema::print_human(loaded.problems, loaded.sources).c_str(), stderr);
    return loaded.ok();
}

int check(const Options& options, const gateway::Settings& settings) {
    auto sources = command::read_documents(settings);
    if (!sources) {
        std::fprintf(stderr, "cardea: %s\n", sources.error().detail.c_str());
        return 1;
    }
    std::string out;
    kong::CheckFormat format = options.as_json   ? kong::CheckFormat::json
                               : options.as_kong ? kong::CheckFormat::kong
                                                 : kong::CheckFormat::human;
    int code = kong::check(std::move(*sources), command::load_options(settings), format, out);
    std::fputs(out.c_str(), stdout);
    return code;
}

// A word that there is not: CLI11 would only say that one is missing.
bool is_known_word(const CLI::App& app, std::string_view given) {
    if (given.starts_with('-')) return true;
    std::vector<std::string> names;
    for (const CLI::App* word : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(word->get_name());
    if (std::find(names.begin(), names.end(), given) != names.end()) return true;
    std::string_view near = schema::nearest(given, {names.begin(), names.end()});
    std::fputs(
        fmt::format("cardea: there is no word '{}'{}\nwords: {}; `cardea WORD --help` says more\n", given,
                    near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near), fmt::join(names, ", "))
            .c_str(),
        stderr);
    return false;
}

}  // namespace

int main(int count, char** arguments) {
    CLI::App app{"Cardea, an API gateway: starts from the configuration you already have."};
    app.require_subcommand(1);
    Options options;

    CLI::App* run = app.add_subcommand("run", "Serve a document (Kong's declarative format, YAML or JSON)");
    run->add_option("FILE", options.documents, "Files or folders; several are merged");
    add_serving_options(*run, options);
    CLI::App* check_word =
        app.add_subcommand("check", "Say all that is wrong with a document; exit code 0 if it would start");
    check_word->add_option("FILE", options.documents, "Files or folders; several are merged");
    CLI::Option* json = check_word->add_flag("--json", options.as_json, "For programs");
    check_word->add_flag("--kong", options.as_kong, "In the form of kong config parse")->excludes(json);
    add_settings_options(*check_word, options);
    CLI::App* schema_word = app.add_subcommand("schema", "JSON Schema of the document, or of one entity");
    schema_word->add_option("ENTITY", options.entity, "service, route, upstream, ...");
    CLI::App* settings_word = app.add_subcommand("settings", "Every setting, its value and where that came from");
    settings_word->add_flag("--json", options.as_json, "For programs");
    add_serving_options(*settings_word, options);
    CLI::App* reload_word = app.add_subcommand("reload", "Let a running gateway load its document again");
    add_settings_options(*reload_word, options);
    CLI::App* status_word = app.add_subcommand("status", "What a running gateway is doing");
    status_word->add_option("what", options.status_of, "upstreams: every target, its health and why")
        ->check(CLI::IsMember({"upstreams"}));
    status_word->add_flag("--json", options.as_json, "For programs");
    add_settings_options(*status_word, options);
    CLI::App* version_word = app.add_subcommand("version", "The version of this program");
    if (count > 1 && !is_known_word(app, arguments[1])) return 2;
    CLI11_PARSE(app, count, arguments);

    if (*version_word) return std::printf("cardea %s\n", std::string(base::version).c_str()) < 0;
    if (*schema_word) {
        std::string out;
        kong::LoadOptions load = command::load_options({});
        int code = kong::print_schema(options.entity, load.served.plugins, out);
        std::fputs(out.c_str(), code == 0 ? stdout : stderr);
        return code;
    }
    command::Inheritance inheritance;
    if (*run) inheritance = command::take_inheritance();
    command::LoadedSettings loaded = load_settings(options);
    if (*settings_word) {
        std::string text = options.as_json ? command::print_settings_json(loaded) : command::print_settings(loaded);
        std::fputs(text.c_str(), stdout);
        return are_usable(loaded) ? 0 : 1;
    }
    if (!are_usable(loaded)) return 1;
    if (*check_word) return check(options, loaded.settings);
    if (*reload_word) return command::reload(loaded.settings);
    if (*status_word) {
        return options.status_of == "upstreams" ? command::status_of_upstreams(loaded.settings, options.as_json)
                                                : command::status(loaded.settings, options.as_json);
    }
    return command::run(loaded, std::move(inheritance), arguments);
}
