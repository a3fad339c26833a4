// How settings are shown: the columns and the JSON of `cardea settings`, and the reference page.
#include <fmt/format.h>

#include <algorithm>

#include "command/settings.h"
#include "command/settings_table.h"
#include "observe/access_log.h"

namespace command {

namespace {
constexpr std::size_t widest_name = 36;
constexpr std::size_t widest_value = 44;

// One line, whatever is in the value.
std::string shown(View value) {
    std::string out;
    for (char letter : value) out += static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f ? ' ' : letter;
    return out.empty() ? "-" : out;
}

std::string cell(View text) {
    std::string out;
    for (char letter : text) {
        if (letter == '|') out += '\\';
        out += letter;
    }
    return out;
}
}  // namespace

std::string print_settings(const LoadedSettings& loaded) {
    std::size_t name_width = 0;
    std::size_t value_width = 0;
    for (const SettingValue& value : loaded.values) {
        name_width = std::max(name_width, std::min(value.name.size(), widest_name));
        value_width = std::max(value_width, std::min(shown(value.value).size(), widest_value));
    }
    std::string out;
    for (const SettingValue& value : loaded.values)
        fmt::format_to(std::back_inserter(out), "{:<{}}  {:<{}}  {}{}\n", value.name, name_width, shown(value.value),
                       value_width, value.source, value.remark.empty() ? "" : "  (" + value.remark + ")");
    return out;
}

std::string print_settings_json(const LoadedSettings& loaded) {
    std::string out = "[";
    for (const SettingValue& value : loaded.values) {
        fmt::format_to(std::back_inserter(out), "{}\n  {{\"name\": {}, \"value\": {}, \"source\": {}",
                       out.size() == 1 ? "" : ",", schema::json_quoted(value.name), schema::json_quoted(value.value),
                       schema::json_quoted(value.source));
        if (!value.remark.empty()) out += ", \"remark\": " + schema::json_quoted(value.remark);
        out += "}";
    }
    return out + "\n]\n";
}

std::string settings_reference() {
    std::string out =
        "# Settings\n\n"
        "<!-- Made from src/command/settings_table.cpp by the unit test `SettingsReference`; CARDEA_REWRITE=1 writes "
        "it anew. -->\n\n"
        "Names and forms are those of Kong's `kong.conf`, and Cardea's own where Kong has none. Sources, each winning "
        "over those\n"
        "before it:\n\n"
        "1. the defaults below\n"
        "2. the settings file: `--conf FILE`, else `/etc/cardea/cardea.conf`, else `/etc/kong/kong.conf`; lines of "
        "`name = value`, `#` begins a\n"
        "   comment, `\\#` is a plain one\n"
        "3. variables `KONG_NAME`\n"
        "4. variables `CARDEA_NAME`\n"
        "5. `--set name=value`\n"
        "6. the flags `--listen`, `--admin-listen`, `--workers`, `--log`, `--watch`, `--resolve`\n\n"
        "`cardea settings` shows each value and where it came from. `{vault://env/NAME}` as a value takes it from the "
        "variable `NAME`.\n"
        "Times are seconds, or have a unit (`500ms`, `90s`, `1h30m`); sizes are bytes, or have one (`8k`, `10m`, "
        "`1g`). Lists are comma\n"
        "separated. An unknown name in the file or in `--set` is an error; an unknown variable is a warning.\n";
    View group;
    for (const Setting& setting : settings_table()) {
        if (setting.standing != Standing::served) continue;
        if (setting.group != group) {
            group = setting.group;
            fmt::format_to(std::back_inserter(out),
                           "\n## {}\n\n| name | type | default | meaning |\n| --- | --- | --- | --- |\n", group);
        }
        fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} |\n", setting.name, setting.type,
                       setting.fallback.empty() ? "" : fmt::format("`{}`", setting.fallback), cell(setting.help));
    }
    out +=
        "\n## Listen addresses\n\n"
        "`off`, or a list of `IP:PORT [flags]`, IPv6 in brackets. Flags: `backlog=N` (511), `reuseport` (a listening "
        "socket per core),\n"
        "`deferred`, `ipv6only=on|off` (on), `so_keepalive=on|off` (off), `bind` (always so); of proxy_listen also "
        "`ssl` "
        "(TLS), with it `http2`,\n"
        "and `proxy_protocol` (docs/proxy-protocol.md). `udp` and `unix:` paths are "
        "not served by this version and are refused, so that nothing listens in a way that was not "
        "asked for.\n"
        "\n## Variables of the access log\n\n"
        "A text with `$name` or `${name}`, as in nginx's `log_format`; `escape=json ` at its start escapes values for "
        "JSON.\n\n"
        "| variable | meaning |\n| --- | --- |\n";
    for (auto [name, help] : observe::AccessFormat::variables())
        fmt::format_to(std::back_inserter(out), "| `${}` | {} |\n", name, cell(help));
    out +=
        "\n## Injected nginx directives\n\n"
        "`nginx_<block>_<directive>` as in Kong: `client_max_body_size`, `client_header_timeout`, "
        "`client_body_timeout`,\n"
        "`send_timeout`, `keepalive_timeout`, `keepalive_requests`, `lingering_timeout`, "
        "`large_client_header_buffers`,\n"
        "`worker_processes`, `worker_rlimit_nofile`, `worker_shutdown_timeout`, `real_ip_header`, `real_ip_recursive`, "
        "`log_format` and `pid`\n"
        "become the settings above. Directives that guard or change traffic are refused, all others are named in a "
        "warning.\n"
        "\n## Known from Kong, not served\n\n"
        "\"refused\": an error unless it has Kong's default value. \"ignored\": a warning. \"no effect\": accepted, "
        "there is nothing it could\n"
        "change.\n\n| name | | why |\n| --- | --- | --- |\n";
    for (const Setting& setting : settings_table()) {
        if (setting.standing == Standing::served) continue;
        View standing = setting.standing == Standing::refused    ? "refused"
                        : setting.standing == Standing::unserved ? "ignored"
                                                                 : "no effect";
        fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} |\n", setting.name, standing, cell(setting.help));
    }
    return out;
}

}  // namespace command
