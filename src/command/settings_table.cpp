#include "command/settings_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "observe/access_log.h"

namespace command {

namespace {
using Target = SettingsTarget;
using gateway::Limits;
using gateway::Settings;
using Done = base::Result<void>;

base::Error invalid(std::string detail) { return base::Error::us(base::Code::invalid, std::move(detail)); }

constexpr std::uint64_t most_bytes = 1ull << 40;
constexpr std::uint64_t day = 86'400'000;
constexpr View kong_token = "kong/3.10.0";

template <typename Number>
Done set_number(View value, Range range, Number& out) {
    TRY(number, read_number(value, range));
    out = static_cast<Number>(number);
    return base::success();
}
template <typename Number>
Done set_size(View value, Range range, Number& out) {
    TRY(number, read_size(value, range));
    out = static_cast<Number>(number);
    return base::success();
}
template <typename Duration>
Done set_time(View value, Range range, Duration& out) {
    TRY(time, read_time(value, range));
    if (std::chrono::duration_cast<Duration>(time) != time) return invalid("whole seconds only");
    out = std::chrono::duration_cast<Duration>(time);
    return base::success();
}
Done set_boolean(View value, bool& out) {
    TRY(boolean, read_boolean(value));
    out = boolean;
    return base::success();
}
template <typename List>
Done set_list(base::Result<List> read, List& out) {
    if (!read) return std::move(read).error();
    out = std::move(*read);
    return base::success();
}
Done set_text(View value, std::string& out) {
    out = value;
    return base::success();
}
Done set_texts(View value, std::vector<std::string>& out) {
    out.clear();
    for (View item : list_items(value)) out.emplace_back(item);
    return base::success();
}

Done set_choice(View value, std::initializer_list<View> choices, std::string& out) {
    std::string names;
    for (View choice : choices) {
        if (choice == value) return set_text(value, out);
        names += (names.empty() ? "" : ", ") + std::string(choice);
    }
    return invalid("expected one of: " + names);
}

Done set_template(Target& target, View path, std::string& out) {
    out.clear();
    if (path.empty()) return base::success();
    TRY(content, (*target.read_file)(std::string(path)));
    std::size_t places = 0;
    for (std::size_t at = content.find("%s"); at != content.npos; at = content.find("%s", at + 2)) ++places;
    if (places > 2)
        return invalid(fmt::format("{}: has {} places %s, at most two (message, request id) are filled", path, places));
    out = std::move(content);
    return base::success();
}

// `PATH`, `off`, or as in Kong `PATH FORMAT` with the name of a format.
Done set_access_log(Target& target, View value, std::string& destination, std::string* format) {
    std::size_t space = std::min(value.find(' '), value.size());
    View name = trimmed(value.substr(space));
    if (value.empty()) return invalid("expected off, a path, /dev/stdout or /dev/stderr");
    if (!name.empty()) {
        auto named = target.log_formats.find(name);
        if (format == nullptr) return invalid("this log has one form; a format cannot be named here");
        if (named == target.log_formats.end() && name != "combined" && name != "json")
            return invalid(fmt::format(
                "unknown format {}: expected combined, json, or the name that nginx_http_log_format gives", name));
        *format = named == target.log_formats.end() ? std::string(name) : named->second;
    }
    destination = value.substr(0, space);
    return base::success();
}

Done set_error_log(View value, std::string& out) {
    std::size_t space = std::min(value.find(' '), value.size());
    if (value.empty() || space != value.size())
        return invalid("expected off, a path, /dev/stdout or /dev/stderr; the level is log_level");
    return set_text(value, out);
}

// RFC 9110 5.1: a field name is a token.
Done set_field_name(View value, std::string& out) {
    if (lower(value) == gateway::Settings::proxy_protocol) return set_text(gateway::Settings::proxy_protocol, out);
    auto is_token = [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               (letter >= 'A' && letter <= 'Z') || View("!#$%&'*+-.^_`|~").find(letter) != View::npos;
    };
    if (value.empty() || !std::all_of(value.begin(), value.end(), is_token))
        return invalid("expected the name of a header field");
    return set_text(value, out);
}

base::Result<std::vector<gateway::ListenAddress>> without_tls(base::Result<std::vector<gateway::ListenAddress>> read) {
    if (read)
        for (const gateway::ListenAddress& listen : *read)
            if (listen.ssl || listen.proxied)
                return invalid(fmt::format("{}: flag {}: it is served for clients only", listen.address.text(),
                                           listen.ssl ? "ssl" : "proxy_protocol"));
    return read;
}

// Kong's words: TLSv1 and TLSv1.1 are broken (RFC 8996).
Done set_protocols(View value, net::tls::ServerRules& out) {
    out.has_tls12 = out.has_tls13 = false;
    while (!(value = trimmed(value)).empty()) {
        std::size_t size = std::min(value.find(' '), value.size());
        View word = value.substr(0, size);
        if (word != "TLSv1.2" && word != "TLSv1.3")
            return invalid(fmt::format("{}: only TLSv1.2 and TLSv1.3 are served", word));
        (word == "TLSv1.2" ? out.has_tls12 : out.has_tls13) = true;
        value.remove_prefix(size);
    }
    if (!out.has_tls12 && !out.has_tls13) return invalid("expected TLSv1.2, TLSv1.3 or both");
    return base::success();
}

constexpr auto served = Standing::served;
constexpr auto no_effect = Standing::no_effect;
constexpr auto unserved = Standing::unserved;
constexpr auto refused = Standing::refused;

std::vector<Setting> make_table() {
    View group = "Listening and workers";
    std::vector<Setting> out;
    auto add = [&](View name, View type, View fallback, View help, Done (*apply)(Target&, View), bool secret = false) {
        out.push_back({name, served, group, type, fallback, help, apply, secret});
    };
    add("proxy_listen", "listen", "0.0.0.0:8000 reuseport backlog=16384",
        "Where clients connect: `off`, or a list of `IP:PORT [flags]`.",
        [](Target& t, View v) { return set_list(read_listen(v), t.settings.proxy_listen); });
    add("admin_listen", "listen", "127.0.0.1:8001", "Where status and metrics are shown. Keep it off public addresses.",
        [](Target& t, View v) { return set_list(without_tls(read_listen(v)), t.settings.admin_listen); });
    add("status_listen", "listen", "off", "A second place for the same pages, such as one for the monitoring network.",
        [](Target& t, View v) { return set_list(without_tls(read_listen(v)), t.settings.status_listen); });
    add("workers", "number or auto", "auto", "Threads that serve, each with its own loop; `auto`: as many as cores.",
        [](Target& t, View v) -> Done {
            if (v == "auto") {
                t.settings.workers = 0;
                return base::success();
            }
            return set_number(v, {1, 1024}, t.settings.workers);
        });
    add("loop", "auto, uring or epoll", "auto",
        "The kernel interface: io_uring where the kernel allows it, else epoll.", [](Target& t, View v) -> Done {
            std::string word;
            TRY_VOID(set_choice(v, {"auto", "uring", "epoll"}, word));
            t.settings.loop = word == "auto"    ? gateway::LoopKind::automatic
                              : word == "uring" ? gateway::LoopKind::uring
                                                : gateway::LoopKind::epoll;
            return base::success();
        });
    add("descriptor_limit", "number", "0", "Open files to ask the kernel for; 0: as many as the hard limit allows.",
        [](Target& t, View v) { return set_number(v, {0, 1 << 30}, t.settings.descriptor_limit); });
    add("port_maps", "list", "",
        "`PUBLIC:OURS` pairs, where a port is mapped in front of us: X-Forwarded-Port tells the public one.",
        [](Target& t, View v) { return set_list(read_port_maps(v), t.settings.port_maps); });
    add("drain_timeout", "time", "30s", "After SIGTERM: how long running exchanges may take to end.",
        [](Target& t, View v) { return set_time(v, {0, day}, t.settings.drain_timeout); });
    add("pid_file", "path", "", "A file that holds the process number, for `cardea reload`; empty: none.",
        [](Target& t, View v) { return set_text(v, t.settings.pid_file); });
    add("prefix", "path", "/var/lib/cardea", "Where relative paths of these settings start.",
        [](Target& t, View v) -> Done {
            if (!v.starts_with('/')) return invalid("expected an absolute path");
            return set_text(v, t.settings.prefix);
        });

    group = "TLS";
    add("ssl_cert", "list of paths", "",
        "Certificate chains, PEM, shown where no name of the document fits; one for each kind of key. Empty: one for "
        "`localhost` is made at start.",
        [](Target& t, View v) { return set_texts(v, t.settings.ssl_certificates); });
    add("ssl_cert_key", "list of paths", "", "The keys of ssl_cert, PEM, in the same order.",
        [](Target& t, View v) { return set_texts(v, t.settings.ssl_keys); });
    add("ssl_cipher_suite", "modern, intermediate or custom", "intermediate",
        "`modern`: TLS 1.3 only. `intermediate`: TLS 1.2 too, with forward secrecy and authenticated ciphers. "
        "`custom`: ssl_ciphers.",
        [](Target& t, View v) -> Done {
            std::string word;
            TRY_VOID(set_choice(v, {"modern", "intermediate", "custom"}, word));
            t.settings.tls.suite = word == "modern"         ? net::tls::CipherSuite::modern
                                   : word == "intermediate" ? net::tls::CipherSuite::intermediate
                                                            : net::tls::CipherSuite::custom;
            return base::success();
        });
    add("ssl_ciphers", "text", "", "Ciphers of TLS 1.2 in OpenSSL's notation, with ssl_cipher_suite `custom`.",
        [](Target& t, View v) { return set_text(v, t.settings.tls.ciphers); });
    add("ssl_protocols", "list", "TLSv1.2 TLSv1.3", "Versions that clients may speak.",
        [](Target& t, View v) { return set_protocols(v, t.settings.tls); });
    add("ssl_stapling", "boolean", "off",
        "Certificates are shown with what their authority says of them (OCSP). It is asked beside the handshakes.",
        [](Target& t, View v) { return set_boolean(v, t.settings.tls.has_staples); });
    add("limit_handshakes", "number", "1000",
        "TLS handshakes that a core has under way at once; connections beyond it are closed.",
        [](Target& t, View v) { return set_number(v, {1, 1 << 20}, t.settings.limits.handshakes); });

    group = "Document";
    add("declarative_config", "list of paths", "",
        "The document: files and folders, merged. The command line's files replace them.",
        [](Target& t, View v) { return set_texts(v, t.settings.documents); });
    add(
        "declarative_config_string", "text", "", "The document itself, YAML or JSON.",
        [](Target& t, View v) { return set_text(v, t.settings.document_text); }, true);
    add("watch", "boolean", "off", "Load the document again when a file of it changes.",
        [](Target& t, View v) { return set_boolean(v, t.settings.watch); });
    add("database", "off", "off", "Cardea runs from documents; there is no database.", [](Target&, View v) -> Done {
        if (v == "off") return base::success();
        return invalid(fmt::format("{}: there is no database here; only off, with the document given as a file", v));
    });
    add("role", "traditional", "traditional", "A node runs by itself.", [](Target&, View v) -> Done {
        if (v == "traditional") return base::success();
        return invalid(fmt::format("{}: control and data planes are not served; only traditional", v));
    });
    add("router_flavor", "traditional_compatible", "traditional_compatible", "How routes match.",
        [](Target&, View v) -> Done {
            if (v == "traditional_compatible") return base::success();
            return invalid(fmt::format(
                "{}: only traditional_compatible is served: the same document could choose other routes", v));
        });
    add("plugins", "list", "bundled",
        "Plugins that a document may use: names, `bundled` for all of Cardea's, or `off`.",
        [](Target& t, View v) -> Done {
            if (v != "off") return set_texts(v, t.settings.plugins);
            t.settings.plugins.clear();
            return base::success();
        });
    add("vaults", "list", "bundled", "Where `{vault://...}` may look: only `env` is served.",
        [](Target&, View v) -> Done {
            for (View item : list_items(v))
                if (item != "bundled" && item != "env" && item != "off")
                    return invalid(fmt::format("{}: only the vault env is served", item));
            return base::success();
        });
    add("vault_env_prefix", "text", "", "Put before the name of a variable that `{vault://env/...}` names.",
        [](Target& t, View v) { return set_text(v, t.settings.vault_env_prefix); });

    group = "Limits";
    add("limit_request_line", "size", "8k", "Longest request line. Beyond: 414.",
        [](Target& t, View v) { return set_size(v, {256, 1 << 20}, t.settings.limits.message.request_line); });
    add("limit_header_line", "size", "8k", "Longest single header field of a request. Beyond: header_too_large_status.",
        [](Target& t, View v) { return set_size(v, {256, 1 << 20}, t.settings.limits.message.header_line); });
    add("limit_header_bytes", "size", "32k",
        "All header fields of a request together. Beyond: header_too_large_status.",
        [](Target& t, View v) { return set_size(v, {1024, 16 << 20}, t.settings.limits.message.header_bytes); });
    add("limit_header_count", "number", "1000", "Header fields of a request. Beyond: header_too_large_status.",
        [](Target& t, View v) { return set_number(v, {1, 10'000}, t.settings.limits.message.header_count); });
    add("header_too_large_status", "431 or 400", "431",
        "The answer to too large header fields: RFC 6585's 431, or Kong's 400.", [](Target& t, View v) -> Done {
            std::string word;
            TRY_VOID(set_choice(v, {"431", "400"}, word));
            t.settings.limits.header_too_large_status = word == "431" ? 431 : 400;
            return base::success();
        });
    add("client_max_body_size", "size", "0", "Largest request body, 0: no limit. Beyond: 413.",
        [](Target& t, View v) { return set_size(v, {0, most_bytes}, t.settings.limits.body_bytes); });
    add("limit_response_header_bytes", "size", "64k", "Whole head of an upstream's response. Beyond: 502.",
        [](Target& t, View v) { return set_size(v, {1024, 16 << 20}, t.settings.limits.message.response_head); });
    add("header_timeout", "time", "30s",
        "From the first byte of a request to the end of its header fields. Beyond: 408.",
        [](Target& t, View v) { return set_time(v, {100, day}, t.settings.limits.header_timeout); });
    add("body_timeout", "time", "60s", "Between two pieces of a request body. Beyond: 408.",
        [](Target& t, View v) { return set_time(v, {100, day}, t.settings.limits.body_timeout); });
    add("body_min_rate", "size", "100", "Bytes a second of a request body, on average, 0: no limit. Below: 408.",
        [](Target& t, View v) { return set_size(v, {0, 1 << 30}, t.settings.limits.body_min_rate); });
    add("body_min_rate_after", "time", "30s", "How long a body may take before body_min_rate counts.",
        [](Target& t, View v) { return set_time(v, {100, day}, t.settings.limits.body_min_rate_after); });
    add("idle_timeout", "time", "75s", "A kept client connection without a request. Beyond: closed.",
        [](Target& t, View v) { return set_time(v, {0, day}, t.settings.limits.idle_timeout); });
    add("send_timeout", "time", "60s", "A client that takes nothing of its answer. Beyond: closed.",
        [](Target& t, View v) { return set_time(v, {100, day}, t.settings.limits.send_timeout); });
    add("linger_timeout", "time", "5s",
        "Reading on after an answer that came before the request's end, so that the client sees it.",
        [](Target& t, View v) { return set_time(v, {0, 60'000}, t.settings.limits.linger_timeout); });
    add("keepalive_requests", "number", "10000",
        "Requests of one client connection, 0: no limit. The last answer closes it.",
        [](Target& t, View v) { return set_number(v, {0, 1ull << 40}, t.settings.limits.keepalive_requests); });
    add("pipeline_depth", "number", "32",
        "Pipelined requests of a client answered in a row; then other clients have their turn.",
        [](Target& t, View v) { return set_number(v, {1, 1024}, t.settings.limits.pipeline_depth); });
    add("max_connections", "number", "0",
        "Client connections in all, 0: what descriptor_limit allows. Beyond: 503 and closed.",
        [](Target& t, View v) { return set_number(v, {0, 1 << 30}, t.settings.limits.max_connections); });
    add("max_connections_per_client", "number", "0",
        "Connections of one client address, 0: no limit. Beyond: 503 and closed.",
        [](Target& t, View v) { return set_number(v, {0, 1 << 30}, t.settings.limits.max_connections_per_client); });

    group = "Clients and headers";
    add("trusted_ips", "list of blocks", "", "Peers whose X-Forwarded-* and real_ip_header are believed.",
        [](Target& t, View v) { return set_list(read_cidrs(v), t.settings.trusted_ips); });
    add("real_ip_header", "header name", "X-Real-IP", "Where a trusted peer tells the client's address.",
        [](Target& t, View v) { return set_field_name(v, t.settings.real_ip_header); });
    add("real_ip_recursive", "boolean", "off", "Take the last address in it that is not trusted, instead of the last.",
        [](Target& t, View v) { return set_boolean(v, t.settings.real_ip_recursive); });
    add("ambiguous_paths", "pass or refuse", "pass",
        "Paths that some servers read as others: with `%2F`, `;`, a backslash, control characters, or escaped twice. "
        "`refuse`: 400.",
        [](Target& t, View v) -> Done {
            std::string word;
            TRY_VOID(set_choice(v, {"pass", "refuse"}, word));
            t.settings.refuses_ambiguous_paths = word == "refuse";
            return base::success();
        });
    add("headers", "list", "server_tokens, latency_tokens, X-Kong-Request-Id", "Headers added to answers; `off`: none.",
        [](Target& t, View v) { return set_list(read_header_tokens(v), t.settings.headers); });
    add("headers_upstream", "x-kong-request-id or off", "X-Kong-Request-Id", "Headers added to requests.",
        [](Target& t, View v) -> Done {
            std::string word;
            TRY_VOID(set_choice(lower(v), {"x-kong-request-id", "off"}, word));
            t.settings.request_id_upstream = word != "off";
            return base::success();
        });
    add("server_tokens_as_kong", "boolean", "off", "Via and Server say `kong/3.10.0`, for those who match on it.",
        [](Target& t, View v) -> Done {
            TRY_VOID(set_boolean(v, t.tokens_as_kong));
            t.settings.product_token = t.tokens_as_kong ? kong_token : base::product_token;
            return base::success();
        });
    add("allow_debug_header", "boolean", "off", "A request with `Kong-Debug: 1` is told its route and service.",
        [](Target& t, View v) { return set_boolean(v, t.settings.allow_debug_header); });
    add("error_default_type", "media type", "text/plain",
        "Form of errors for clients that accept nothing in particular.", [](Target& t, View v) {
            return set_choice(v, {"application/json", "application/xml", "text/html", "text/plain"},
                              t.settings.answers.default_type);
        });
    add("error_template_html", "path", "", "Replaces the HTML error page; two `%s`: message, request id.",
        [](Target& t, View v) { return set_template(t, v, t.settings.answers.templates.html); });
    add("error_template_json", "path", "", "The same for JSON.",
        [](Target& t, View v) { return set_template(t, v, t.settings.answers.templates.json); });
    add("error_template_xml", "path", "", "The same for XML.",
        [](Target& t, View v) { return set_template(t, v, t.settings.answers.templates.xml); });
    add("error_template_plain", "path", "", "The same for plain text.",
        [](Target& t, View v) { return set_template(t, v, t.settings.answers.templates.plain); });

    group = "Upstream connections";
    add("upstream_keepalive_pool_size", "number", "512", "Idle connections a core keeps to one target, 0: none.",
        [](Target& t, View v) { return set_number(v, {0, 1 << 20}, t.settings.upstream_keepalive.idle); });
    add("upstream_keepalive_max_requests", "number", "10000", "Requests of one connection, 0: no limit.",
        [](Target& t, View v) { return set_number(v, {0, 1ull << 40}, t.settings.upstream_keepalive.requests); });
    add("upstream_keepalive_idle_timeout", "time", "60s", "How long one may be idle, 0: until the upstream closes it.",
        [](Target& t, View v) { return set_time(v, {0, day}, t.settings.upstream_keepalive.idle_timeout); });
    add("resolve", "list", "", "`NAME:PORT:ADDRESS[:PORT]`: reached there, whatever DNS says.",
        [](Target& t, View v) -> Done {
            t.settings.resolve = {};
            for (View item : list_items(v)) TRY_VOID(t.settings.resolve.add(item));
            return base::success();
        });

    group = "Names";
    add("dns_resolver", "list", "", "Name servers `IP[:PORT]`; empty: those of /etc/resolv.conf.",
        [](Target& t, View v) -> Done {
            if (!v.empty()) return set_list(net::dns::parse_servers(v), t.settings.dns.servers);
            t.settings.dns.servers.clear();
            return base::success();
        });
    add("dns_hostsfile", "path", "/etc/hosts", "Names known without asking; empty: none.",
        [](Target& t, View v) { return set_text(v, t.settings.dns.hosts_file); });
    add("dns_order", "list", "LAST,SRV,A,CNAME",
        "Record types in the order of asking; LAST is the one that answered last time.",
        [](Target& t, View v) { return set_list(net::dns::parse_order(v), t.settings.dns.order); });
    add("dns_valid_ttl", "time", "0", "Instead of the records' own time to live; 0: their own.",
        [](Target& t, View v) -> Done {
            std::chrono::seconds time{0};
            TRY_VOID(set_time(v, {0, 365 * day}, time));
            t.settings.dns.valid_ttl.reset();
            if (time.count() != 0) t.settings.dns.valid_ttl = time;
            return base::success();
        });
    add("dns_stale_ttl", "time", "3600", "How long an expired answer serves while it is asked for anew.",
        [](Target& t, View v) { return set_time(v, {0, 365 * day}, t.settings.dns.stale_ttl); });
    add("dns_not_found_ttl", "time", "30", "How long a name stays unknown.",
        [](Target& t, View v) { return set_time(v, {0, 365 * day}, t.settings.dns.not_found_ttl); });
    add("dns_error_ttl", "time", "1", "How long a failure of the resolver counts.",
        [](Target& t, View v) { return set_time(v, {0, 365 * day}, t.settings.dns.error_ttl); });
    add("dns_rebind_protection", "boolean", "off",
        "Addresses of this host or its link (loopback, link-local) in what the DNS answers are left out.",
        [](Target& t, View v) { return set_boolean(v, t.settings.dns.refuses_local); });
    add("dns_cache_size", "number", "10000", "Names remembered.",
        [](Target& t, View v) { return set_number(v, {100, 10'000'000}, t.settings.dns.cache_size); });
    add("dns_timeout", "time", "2s", "First wait for a name server; doubled with each round.",
        [](Target& t, View v) { return set_time(v, {10, 60'000}, t.settings.dns.timeout); });
    add("dns_tries", "number", "3", "Rounds over the name servers.",
        [](Target& t, View v) { return set_number(v, {1, 10}, t.settings.dns.tries); });

    group = "Logs";
    add("log_level", "level", "notice", "debug, info, notice, warn, error, crit, alert or emerg.",
        [](Target& t, View v) -> Done {
            auto level = observe::parse_level(v);
            if (!level) return invalid("expected one of: debug, info, notice, warn, error, crit, alert, emerg");
            t.settings.logs.level = *level;
            return base::success();
        });
    add("proxy_error_log", "path or off", "/dev/stderr", "The error log.",
        [](Target& t, View v) { return set_error_log(v, t.settings.logs.error); });
    add("access_log_format", "format", "combined", "`combined`, `json`, or a text with variables (below).",
        [](Target& t, View v) -> Done {
            if (auto compiled = observe::AccessFormat::compile(v); !compiled) return std::move(compiled).error();
            return set_text(v, t.settings.logs.access_format);
        });
    add("proxy_access_log", "path or off", "/dev/stdout",
        "The access log; after a space the name of a format may follow.",
        [](Target& t, View v) { return set_access_log(t, v, t.settings.logs.access, &t.settings.logs.access_format); });
    add("admin_access_log", "path or off", "off", "The access log of the admin pages, in the same format.",
        [](Target& t, View v) { return set_access_log(t, v, t.settings.logs.admin_access, nullptr); });
    add("log_buffer", "size", "256k",
        "Lines of one core on the way to one log; what does not fit is dropped and counted.",
        [](Target& t, View v) { return set_size(v, {256 << 10, 64 << 20}, t.settings.logs.buffer_bytes); });

    group = "Known from Kong, not served";
    auto known = [&](Standing standing, View name, View fallback, View why, bool secret = false) {
        out.push_back({name, standing, group, "", fallback, why, nullptr, secret});
    };
    constexpr View no_tls = "this part of TLS is not served by this version";
    for (View name : {"ssl_dhparam", "client_ssl_cert", "client_ssl_cert_key", "admin_ssl_cert", "admin_ssl_cert_key",
                      "status_ssl_cert", "status_ssl_cert_key"})
        known(refused, name, "", no_tls, name.ends_with("key"));
    known(refused, "ssl_prefer_server_ciphers", "on", no_tls);
    known(refused, "ssl_session_tickets", "on", no_tls);
    known(no_effect, "ssl_session_timeout", "1d", no_tls);
    known(no_effect, "ssl_session_cache_size", "10m", no_tls);
    known(refused, "client_ssl", "off", no_tls);
    known(refused, "lua_ssl_trusted_certificate", "system", no_tls);
    known(no_effect, "lua_ssl_verify_depth", "1", no_tls);
    known(no_effect, "lua_ssl_protocols", "TLSv1.2 TLSv1.3", no_tls);
    known(refused, "tls_certificate_verify", "off", no_tls);
    known(refused, "stream_listen", "off", "streams are not served by this version");
    known(unserved, "admin_gui_listen", "off", "there is no dashboard in this version");
    known(refused, "enforce_rbac", "off", "access control of the admin API is not served by this version");
    known(refused, "admin_gui_auth", "", "access control of the admin API is not served by this version");
    known(no_effect, "anonymous_reports", "on", "Cardea sends no reports to anybody");
    known(unserved, "proxy_server", "", "nothing here goes out through a proxy");
    known(refused, "proxy_server_ssl_verify", "off", "nothing here goes out through a proxy");
    known(no_effect, "mem_cache_size", "128m", "there is no such cache");
    known(no_effect, "client_body_buffer_size", "8k", "bodies are streamed");
    known(no_effect, "worker_consistency", "eventual", "a new configuration takes effect at once on every core");
    known(no_effect, "worker_state_update_frequency", "5", "a new configuration takes effect at once on every core");
    known(no_effect, "worker_events_max_payload", "65535", "there are no such events");
    known(no_effect, "legacy_worker_events", "off", "there are no such events");
    known(no_effect, "node_id", "", "nodes have no number here");
    known(no_effect, "untrusted_lua", "sandbox", "there is no Lua in this version");
    known(no_effect, "untrusted_lua_sandbox_requires", "", "there is no Lua in this version");
    known(no_effect, "untrusted_lua_sandbox_environment", "", "there is no Lua in this version");
    known(unserved, "lua_package_path", "./?.lua;./?/init.lua;", "there is no Lua in this version");
    known(unserved, "lua_package_cpath", "", "there is no Lua in this version");
    for (View name : {"lua_max_req_headers", "lua_max_resp_headers", "lua_max_uri_args", "lua_max_post_args"})
        known(no_effect, name, "100", "there is no Lua in this version; limit_header_count limits header fields");
    known(no_effect, "lua_socket_pool_size", "256", "there is no Lua in this version");
    known(unserved, "tracing_instrumentations", "off", "tracing is not served by this version");
    known(no_effect, "tracing_sampling_rate", "0.01", "tracing is not served by this version");
    known(unserved, "opentelemetry_tracing", "off", "tracing is not served by this version");
    known(no_effect, "request_debug", "on", "request debugging is not served by this version");
    known(no_effect, "request_debug_token", "", "request debugging is not served by this version", true);
    known(unserved, "wasm", "off", "WebAssembly filters are not served by this version");
    known(unserved, "new_dns_client", "off", "there is one resolver here, set by dns_*");
    known(no_effect, "dns_no_sync", "off", "one query at a time runs for a name, and serves all who wait for it");
    known(no_effect, "admin_error_log", "logs/error.log", "all errors go to proxy_error_log");
    known(no_effect, "status_error_log", "logs/status_error.log", "all errors go to proxy_error_log");
    known(no_effect, "proxy_stream_access_log", "logs/access.log basic", "streams are not served by this version");
    known(no_effect, "proxy_stream_error_log", "logs/error.log", "streams are not served by this version");
    known(no_effect, "status_access_log", "off", "the status pages are in admin_access_log");
    known(no_effect, "nginx_user", "kong kong", "start Cardea as the user it shall run as");
    known(no_effect, "nginx_daemon", "on", "Cardea stays in the foreground");
    known(no_effect, "dedicated_config_processing", "on", "a document is always loaded off the serving threads");
    return out;
}

// The rest of kong.conf, by the beginning of the name.
std::vector<Setting> make_families() {
    auto family = [](View name, Standing standing, View why, bool secret = false) {
        return Setting{name, standing, "Known from Kong, not served", "", "", why, nullptr, secret};
    };
    return {
        family("pg_", no_effect, "there is no database here", true),
        family("cassandra_", no_effect, "there is no database here", true),
        family("db_", no_effect, "there is no database here"),
        family("lmdb_", no_effect, "there is no such store"),
        family("cluster_", no_effect, "a node runs by itself", true),
        family("admin_gui_", no_effect, "there is no dashboard in this version", true),
        family("admin_api_uri", no_effect, "there is no dashboard in this version"),
        family("portal_", unserved, "there is no developer portal"),
        family("pluginserver_", unserved, "plugin servers are not served by this version"),
        family("wasm_", unserved, "WebAssembly filters are not served by this version"),
        family("resolver_", unserved, "there is one resolver here, set by dns_*"),
        family("vault_", refused, "only the vault env is served", true),
        family("openresty_", no_effect, "there is no OpenResty here"),
    };
}
}  // namespace

const std::vector<Setting>& settings_table() {
    static const std::vector<Setting> table = make_table();
    return table;
}

const Setting* find_setting(View name) {
    for (const Setting& setting : settings_table())
        if (setting.name == name) return &setting;
    return nullptr;
}

const Setting* find_setting_family(View name) {
    static const std::vector<Setting> families = make_families();
    for (const Setting& family : families)
        if (name.starts_with(family.name)) return &family;
    return nullptr;
}

}  // namespace command
