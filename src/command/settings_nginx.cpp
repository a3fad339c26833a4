// Kong's injected nginx directives (kong.md 6): the meaningful ones become settings of ours, unsafe ones to ignore are
// refused, the rest is named in a warning.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "command/settings_sources.h"
#include "command/settings_table.h"

namespace command {

namespace {
enum class Fate : std::uint8_t {
    same,       // the value goes to `setting` as it is
    first,      // only its first word does
    no_effect,  // accepted; `reason` says why nothing changes
    refused,    // `reason` says why
};

struct Directive {
    View name;  // or its beginning, with a `*` at the end
    Fate fate;
    View setting;
    View reason;
};

constexpr View streams_bodies = "bodies are streamed through buffers of fixed size";
constexpr View no_tls = "TLS is not served by this version";
constexpr View changes_traffic = "it changes what clients or upstreams see, and is not served by this version";
constexpr View guards = "it restricts who is served, and is not served by this version";
constexpr View per_service = "each service has its own connect_timeout, write_timeout and read_timeout";

constexpr std::array<Directive, 64> directives{{
    {"worker_processes", Fate::same, "workers", ""},
    {"worker_rlimit_nofile", Fate::same, "descriptor_limit", ""},
    {"worker_shutdown_timeout", Fate::same, "drain_timeout", ""},
    {"client_max_body_size", Fate::same, "client_max_body_size", ""},
    {"client_header_timeout", Fate::same, "header_timeout", ""},
    {"client_body_timeout", Fate::same, "body_timeout", ""},
    {"send_timeout", Fate::same, "send_timeout", ""},
    {"keepalive_timeout", Fate::first, "idle_timeout", ""},
    {"keepalive_requests", Fate::same, "keepalive_requests", ""},
    {"lingering_timeout", Fate::same, "linger_timeout", ""},
    {"real_ip_header", Fate::same, "real_ip_header", ""},
    {"real_ip_recursive", Fate::same, "real_ip_recursive", ""},
    {"pid", Fate::same, "pid_file", ""},
    {"ssl_stapling", Fate::same, "ssl_stapling", ""},
    {"daemon", Fate::no_effect, "", "Cardea stays in the foreground"},
    {"user", Fate::no_effect, "", "start Cardea as the user it shall run as"},
    {"worker_connections", Fate::no_effect, "", "connections are bounded by max_connections and descriptor_limit"},
    {"multi_accept", Fate::no_effect, "", "connections are always accepted in batches"},
    {"worker_cpu_affinity", Fate::no_effect, "", "each worker has a core of its own"},
    {"lua_*", Fate::no_effect, "", "there is no Lua in this version"},
    {"client_body_buffer_size", Fate::no_effect, "", streams_bodies},
    {"client_body_temp_path", Fate::no_effect, "", streams_bodies},
    {"client_header_buffer_size", Fate::no_effect, "", "a head grows to limit_header_bytes as it comes"},
    {"proxy_buffer*", Fate::no_effect, "", streams_bodies},
    {"proxy_busy_buffers_size", Fate::no_effect, "", streams_bodies},
    {"proxy_temp_path", Fate::no_effect, "", streams_bodies},
    {"proxy_max_temp_file_size", Fate::no_effect, "", streams_bodies},
    {"proxy_request_buffering", Fate::no_effect, "", "routes have request_buffering"},
    {"proxy_connect_timeout", Fate::no_effect, "", per_service},
    {"proxy_read_timeout", Fate::no_effect, "", per_service},
    {"proxy_send_timeout", Fate::no_effect, "", per_service},
    {"underscores_in_headers", Fate::no_effect, "", "names with underscores are always passed on, as in Kong"},
    {"tcp_nodelay", Fate::no_effect, "", "always on"},
    {"tcp_nopush", Fate::no_effect, "", "heads and bodies go out together"},
    {"sendfile", Fate::no_effect, "", "no files are served"},
    {"variables_hash_*", Fate::no_effect, "", "there is no such table"},
    {"server_names_hash_*", Fate::no_effect, "", "there is no such table"},
    {"map_hash_*", Fate::no_effect, "", "there is no such table"},
    {"types_hash_*", Fate::no_effect, "", "there is no such table"},
    {"upstream_keepalive*", Fate::refused, "", "use upstream_keepalive_pool_size, _max_requests and _idle_timeout"},
    {"keepalive", Fate::refused, "", "use upstream_keepalive_pool_size"},
    {"set_real_ip_from", Fate::refused, "", "use trusted_ips"},
    {"ssl_*", Fate::refused, "", no_tls},
    {"proxy_ssl_*", Fate::refused, "", no_tls},
    {"grpc_ssl_*", Fate::refused, "", no_tls},
    {"add_header", Fate::refused, "", changes_traffic},
    {"more_*", Fate::refused, "", changes_traffic},
    {"proxy_set_header", Fate::refused, "", changes_traffic},
    {"proxy_hide_header", Fate::refused, "", changes_traffic},
    {"proxy_pass_header", Fate::refused, "", changes_traffic},
    {"proxy_ignore_headers", Fate::refused, "", changes_traffic},
    {"proxy_next_upstream*", Fate::refused, "", "services have `retries`; connection errors and timeouts are retried"},
    {"error_page", Fate::refused, "", "use error_template_html, _json, _xml and _plain"},
    {"return", Fate::refused, "", changes_traffic},
    {"rewrite", Fate::refused, "", changes_traffic},
    {"include", Fate::refused, "", "what it includes is not read, so nobody could say what is missing"},
    {"allow", Fate::refused, "", guards},
    {"deny", Fate::refused, "", guards},
    {"satisfy", Fate::refused, "", guards},
    {"auth_*", Fate::refused, "", guards},
    {"limit_*", Fate::refused, "", guards},
    {"valid_referers", Fate::refused, "", guards},
    {"secure_link*", Fate::refused, "", guards},
    {"modsecurity*", Fate::refused, "", guards},
}};

const Directive* find_directive(View name) {
    for (const Directive& directive : directives) {
        bool is_family = directive.name.ends_with('*');
        if (is_family ? name.starts_with(directive.name.substr(0, directive.name.size() - 1)) : name == directive.name)
            return &directive;
    }
    return nullptr;
}

// Without `nginx_<block>_`; nothing if the block is none of Kong's. Streams and Kong's own pages are blocks we do not
// serve.
std::optional<View> directive_of(View name, View& block) {
    // Kong's own two, which name no block.
    if (name == "nginx_worker_processes" || name == "nginx_daemon" || name == "nginx_user" || name == "nginx_pid") {
        block = "main";
        return name.substr(6);
    }
    name.remove_prefix(6);
    for (View known : {"main", "events", "http", "upstream", "proxy", "location", "status", "admin", "stream",
                       "supstream", "sproxy"}) {
        if (!name.starts_with(known) || name.size() <= known.size() + 1 || name[known.size()] != '_') continue;
        block = known;
        return name.substr(known.size() + 1);
    }
    return std::nullopt;
}

// "name 'text'" with or without the quotes, also several quoted pieces, as nginx's log_format.
std::optional<std::pair<std::string, std::string>> read_log_format(View value) {
    std::size_t space = value.find(' ');
    if (space == View::npos) return std::nullopt;
    std::string name(value.substr(0, space));
    View rest = trimmed(value.substr(space));
    std::string text;
    for (View escape : {"escape=json", "escape=default", "escape=none"}) {
        if (!rest.starts_with(escape)) continue;
        text = std::string(escape) + " ";
        rest = trimmed(rest.substr(escape.size()));
    }
    if (rest.empty()) return std::nullopt;
    if (rest[0] != '\'' && rest[0] != '"') return std::pair(name, text + std::string(rest));
    while (!rest.empty()) {
        std::size_t end = rest.find(rest[0], 1);
        if ((rest[0] != '\'' && rest[0] != '"') || end == View::npos) return std::nullopt;
        text += rest.substr(1, end - 1);
        rest = trimmed(rest.substr(end + 1));
    }
    return std::pair(name, text);
}

class Translation {
  public:
    Translation(SettingsSources& sources, std::vector<std::pair<std::string, std::string>>& log_formats)
        : sources_(sources), log_formats_(log_formats) {}

    void run() {
        std::vector<Assignment> before = std::exchange(sources_.assignments, {});
        for (Assignment& assignment : before) {
            if (assignment.name.starts_with("nginx_") && find_setting(assignment.name) == nullptr)
                translate(assignment);
            else
                keep(std::move(assignment));
        }
    }

  private:
    void keep(Assignment assignment) { sources_.assignments.push_back(std::move(assignment)); }
    void assign(const Assignment& from, View name, View value) {
        Assignment out = from;
        out.name = name;
        out.value = value;
        out.source = fmt::format("{} ({})", from.source, from.name);
        keep(std::move(out));
    }
    void warn(const Assignment& about, std::string message) {
        sources_.problem(schema::Severity::warning, about.name_mark, about.name, std::move(message));
    }
    void fail(const Assignment& about, std::string message) {
        sources_.problem(schema::Severity::error, about.name_mark, about.name, std::move(message));
    }

    void translate(const Assignment& assignment) {
        View block;
        std::optional<View> name = directive_of(assignment.name, block);
        if (!name)
            return fail(assignment,
                        "unknown block; an injected directive is nginx_<block>_<directive>, as in "
                        "nginx_http_keepalive_timeout");
        View value = trimmed(assignment.value);
        if (value.ends_with(';')) value = trimmed(value.substr(0, value.size() - 1));
        if (block == "stream" || block == "supstream" || block == "sproxy")
            return warn(assignment, "ignored: streams are not served by this version");
        if (*name == "large_client_header_buffers") return header_buffers(assignment, value);
        if (*name == "log_format") return log_format(assignment, value);
        // Their safe values change nothing: TLS to upstreams is refused where a document asks for it.
        if (*name == "proxy_ssl_verify" && value == "off") return;
        const Directive* directive = find_directive(*name);
        if (directive == nullptr)
            return warn(assignment, fmt::format("ignored: the nginx directive {} is not served", *name));
        switch (directive->fate) {
            case Fate::same:
                return assign(assignment, directive->setting, value);
            case Fate::first:
                return assign(assignment, directive->setting, value.substr(0, value.find(' ')));
            case Fate::no_effect:
                return warn(assignment, fmt::format("no effect: {}", directive->reason));
            case Fate::refused:
                return fail(assignment, std::string(directive->reason));
        }
    }

    // nginx: no line longer than one buffer, all of them within `number` buffers.
    void header_buffers(const Assignment& assignment, View value) {
        std::size_t space = std::min(value.find(' '), value.size());
        auto number = read_number(value.substr(0, space), {1, 1024});
        auto size = read_size(trimmed(value.substr(space)), {256, 1 << 20});
        if (!number || !size) return fail(assignment, "expected `number size`, as in 4 8k");
        assign(assignment, "limit_request_line", std::to_string(*size));
        assign(assignment, "limit_header_line", std::to_string(*size));
        assign(assignment, "limit_header_bytes", std::to_string(std::max<std::uint64_t>(*number * *size, 1024)));
    }

    void log_format(const Assignment& assignment, View value) {
        auto format = read_log_format(value);
        if (!format) return fail(assignment, "expected `name 'text'`, as in nginx's log_format");
        log_formats_.push_back(std::move(*format));
    }

    SettingsSources& sources_;
    std::vector<std::pair<std::string, std::string>>& log_formats_;
};
}  // namespace

void translate_nginx_directives(SettingsSources& sources,
                                std::vector<std::pair<std::string, std::string>>& log_formats) {
    Translation(sources, log_formats).run();
}

}  // namespace command
