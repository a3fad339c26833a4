#include "command/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "command/settings_table.h"

namespace command {

namespace {
// A settings file and its surroundings, all in memory.
struct Given {
    SettingsInput input;
    std::map<std::string, std::string> files;

    Given& file(std::string text) {
        input.file = "cardea.conf";
        files["cardea.conf"] = std::move(text);
        return *this;
    }
    Given& variable(std::string name, std::string value) {
        input.environment.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    Given& set(std::string option) {
        input.set.push_back(std::move(option));
        return *this;
    }
    Given& flag(std::string name, std::string value) {
        input.flags.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    LoadedSettings load() {
        input.read_file = [this](const std::string& path) -> base::Result<std::string> {
            auto found = files.find(path);
            if (found == files.end())
                return base::Error::us(base::Code::invalid, "cannot read " + path + ": No such file or directory");
            return found->second;
        };
        return load_settings(input);
    }
    std::string report() {
        auto loaded = load();
        return schema::print_human(loaded.problems, loaded.sources);
    }
};

const SettingValue& value(const LoadedSettings& loaded, std::string_view name) {
    auto found =
        std::find_if(loaded.values.begin(), loaded.values.end(), [&](const auto& one) { return one.name == name; });
    EXPECT_NE(found, loaded.values.end()) << name;
    return *found;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }
}  // namespace

TEST(Settings, NothingGivenIsTheDefaults) {
    auto loaded = Given().load();
    EXPECT_TRUE(loaded.ok());
    EXPECT_TRUE(loaded.problems.list().empty());
    EXPECT_EQ(value(loaded, "proxy_listen").source, "default");
}

// The table's defaults and the struct's initialisers say the same thing.
TEST(Settings, EveryDefaultIsWhatTheStructSays) {
    std::vector<std::string> options;
    Given given;
    for (const Setting& setting : settings_table())
        if (setting.standing == Standing::served)
            given.set(std::string(setting.name) + "=" + std::string(setting.fallback));
    auto loaded = given.load();
    ASSERT_TRUE(loaded.ok()) << schema::print_human(loaded.problems, loaded.sources);
    const gateway::Settings& a = loaded.settings;
    gateway::Settings b;
    EXPECT_EQ(a.proxy_listen, b.proxy_listen);
    EXPECT_EQ(a.admin_listen, b.admin_listen);
    EXPECT_EQ(a.status_listen, b.status_listen);
    EXPECT_EQ(a.workers, b.workers);
    EXPECT_EQ(a.loop, b.loop);
    EXPECT_EQ(a.documents, b.documents);
    EXPECT_EQ(a.document_text, b.document_text);
    EXPECT_EQ(a.prefix, b.prefix);
    EXPECT_EQ(a.pid_file, b.pid_file);
    EXPECT_EQ(a.watch, b.watch);
    EXPECT_EQ(a.drain_timeout, b.drain_timeout);
    EXPECT_EQ(a.descriptor_limit, b.descriptor_limit);
    EXPECT_EQ(a.limits.message.request_line, b.limits.message.request_line);
    EXPECT_EQ(a.limits.message.header_line, b.limits.message.header_line);
    EXPECT_EQ(a.limits.message.header_bytes, b.limits.message.header_bytes);
    EXPECT_EQ(a.limits.message.header_count, b.limits.message.header_count);
    EXPECT_EQ(a.limits.message.response_head, b.limits.message.response_head);
    EXPECT_EQ(a.limits.header_too_large_status, b.limits.header_too_large_status);
    EXPECT_EQ(a.limits.body_bytes, b.limits.body_bytes);
    EXPECT_EQ(a.limits.header_timeout, b.limits.header_timeout);
    EXPECT_EQ(a.limits.body_timeout, b.limits.body_timeout);
    EXPECT_EQ(a.limits.body_min_rate, b.limits.body_min_rate);
    EXPECT_EQ(a.limits.body_min_rate_after, b.limits.body_min_rate_after);
    EXPECT_EQ(a.limits.idle_timeout, b.limits.idle_timeout);
    EXPECT_EQ(a.limits.send_timeout, b.limits.send_timeout);
    EXPECT_EQ(a.limits.linger_timeout, b.limits.linger_timeout);
    EXPECT_EQ(a.limits.keepalive_requests, b.limits.keepalive_requests);
    EXPECT_EQ(a.limits.pipeline_depth, b.limits.pipeline_depth);
    EXPECT_EQ(a.limits.max_connections, b.limits.max_connections);
    EXPECT_EQ(a.limits.max_connections_per_client, b.limits.max_connections_per_client);
    EXPECT_EQ(a.trusted_ips, b.trusted_ips);
    EXPECT_EQ(a.real_ip_header, b.real_ip_header);
    EXPECT_EQ(a.real_ip_recursive, b.real_ip_recursive);
    EXPECT_EQ(a.refuses_ambiguous_paths, b.refuses_ambiguous_paths);
    EXPECT_EQ(a.headers, b.headers);
    EXPECT_EQ(a.request_id_upstream, b.request_id_upstream);
    EXPECT_EQ(a.allow_debug_header, b.allow_debug_header);
    EXPECT_EQ(a.product_token, b.product_token);
    EXPECT_EQ(a.answers.default_type, b.answers.default_type);
    EXPECT_EQ(a.port_maps, b.port_maps);
    EXPECT_EQ(a.upstream_keepalive.idle, b.upstream_keepalive.idle);
    EXPECT_EQ(a.upstream_keepalive.requests, b.upstream_keepalive.requests);
    EXPECT_EQ(a.upstream_keepalive.idle_timeout, b.upstream_keepalive.idle_timeout);
    EXPECT_EQ(a.dns.hosts_file, b.dns.hosts_file);
    EXPECT_EQ(a.dns.order, b.dns.order);
    EXPECT_EQ(a.dns.valid_ttl, b.dns.valid_ttl);
    EXPECT_EQ(a.dns.stale_ttl, b.dns.stale_ttl);
    EXPECT_EQ(a.dns.not_found_ttl, b.dns.not_found_ttl);
    EXPECT_EQ(a.dns.error_ttl, b.dns.error_ttl);
    EXPECT_EQ(a.dns.cache_size, b.dns.cache_size);
    EXPECT_EQ(a.dns.timeout, b.dns.timeout);
    EXPECT_EQ(a.dns.tries, b.dns.tries);
    EXPECT_EQ(a.plugins, b.plugins);
    EXPECT_EQ(a.vault_env_prefix, b.vault_env_prefix);
    EXPECT_EQ(a.logs.level, b.logs.level);
    EXPECT_EQ(a.logs.error, b.logs.error);
    EXPECT_EQ(a.logs.access, b.logs.access);
    EXPECT_EQ(a.logs.access_format, b.logs.access_format);
    EXPECT_EQ(a.logs.admin_access, b.logs.admin_access);
    EXPECT_EQ(a.logs.buffer_bytes, b.logs.buffer_bytes);
}

TEST(Settings, LaterSourcesWinAndEveryValueKnowsWhereItCameFrom) {
    Given given;
    given.file(
        "# a comment\nlog_level = debug\nworkers=2 # two\nidle_timeout = 10\nbody_timeout = 11\nsend_timeout = 12\n");
    auto loaded = given.variable("KONG_WORKERS", "3")
                      .variable("KONG_IDLE_TIMEOUT", "20")
                      .variable("KONG_BODY_TIMEOUT", "21")
                      .variable("CARDEA_IDLE_TIMEOUT", "30")
                      .variable("CARDEA_BODY_TIMEOUT", "31")
                      .variable("PATH", "/bin")
                      .set("body_timeout=41")
                      .set("workers=4")
                      .flag("--workers", "5")
                      .load();
    ASSERT_TRUE(loaded.ok()) << schema::print_human(loaded.problems, loaded.sources);
    EXPECT_EQ(loaded.settings.logs.level, observe::Level::debug);
    EXPECT_EQ(loaded.settings.workers, 5u);
    EXPECT_EQ(loaded.settings.limits.send_timeout, std::chrono::seconds(12));
    EXPECT_EQ(loaded.settings.limits.idle_timeout, std::chrono::seconds(30));
    EXPECT_EQ(loaded.settings.limits.body_timeout, std::chrono::seconds(41));
    EXPECT_EQ(value(loaded, "log_level").source, "cardea.conf:2");
    EXPECT_EQ(value(loaded, "idle_timeout").source, "CARDEA_IDLE_TIMEOUT");
    EXPECT_EQ(value(loaded, "body_timeout").source, "--set");
    EXPECT_EQ(value(loaded, "workers").source, "--workers");
    EXPECT_EQ(value(loaded, "drain_timeout").source, "default");
}

TEST(Settings, AllErrorsAtOnceWithTheirPlaces) {
    Given given;
    given.file(
        "log_level = loud\n"
        "no equals sign\n"
        "  prox_listen = 0.0.0.0:80\n"
        "proxy_listen = 0.0.0.0:80, 0.0.0.0:443 backlog=0\n"
        "workers = 0\n"
        "= x\n"
        "two words = x\n");
    given.variable("KONG_TRUSTED_IPS", "everybody")
        .set("client_max_body_size=lots")
        .set("nonsense")
        .flag("--listen", "8000");
    EXPECT_EQ(given.report(),
              "cardea.conf:2:1: error: expected `name = value`\n"
              "cardea.conf:6:1: error: expected `name = value`\n"
              "cardea.conf:7:1: error: expected `name = value`\n"
              "--set nonsense: error: expected --set name=value\n"
              "cardea.conf:1:13: error: log_level: `loud`: expected one of: debug, info, notice, warn, error, crit, "
              "alert, emerg\n"
              "cardea.conf:3:3: error: prox_listen: unknown setting\n"
              "    Did you mean proxy_listen?\n"
              "cardea.conf:4:16: error: proxy_listen: `0.0.0.0:80, 0.0.0.0:443 backlog=0`: 0.0.0.0:443: flag backlog: "
              "must be between 1 and 1048576\n"
              "cardea.conf:5:11: error: workers: `0`: must be between 1 and 1024\n"
              "KONG_TRUSTED_IPS: error: trusted_ips: `everybody`: everybody: expected an address or block, as in "
              "10.0.0.0/8 or ::1\n"
              "--set client_max_body_size: error: client_max_body_size: `lots`: expected a size, as in 512, 8k or 10m\n"
              "--listen: error: proxy_listen: `8000`: 8000: expected IP:PORT, as in 0.0.0.0:8000 or [::]:8000\n"
              "11 errors, 0 warnings\n");
}

TEST(Settings, AValueThatLosesIsCheckedToo) {
    EXPECT_TRUE(
        contains(Given().file("workers = many\n").flag("--workers", "2").report(), "cardea.conf:1:11: error: workers"));
}

TEST(Settings, AFileThatCannotBeReadIsAnError) {
    Given given;
    given.input.file = "missing.conf";
    EXPECT_TRUE(contains(given.report(), "missing.conf: error: cannot read missing.conf: No such file or directory"));
    EXPECT_FALSE(given.load().ok());
}

TEST(Settings, FileForms) {
    auto loaded =
        Given()
            .file("\xef\xbb\xbflog_level=warn\r\n\t workers =  3  \r\nvault_env_prefix = a\\#b # c\nworkers = 4")
            .load();
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.settings.logs.level, observe::Level::warn);
    EXPECT_EQ(loaded.settings.workers, 4u);
    EXPECT_EQ(loaded.settings.vault_env_prefix, "a#b");
    ASSERT_EQ(loaded.problems.list().size(), 1u);
    EXPECT_EQ(loaded.problems.list()[0].message, "set in line 2 already; this line counts");
}

TEST(Settings, VariablesOfOthersAreNotOurs) {
    auto loaded = Given()
                      .variable("KONG_PROXY_PORT_8000_TCP_ADDR", "1.2.3.4")
                      .variable("CARDEA_SERVICE_HOST", "1.2.3.4")
                      .variable("CARDEA_PORT", "tcp://1.2.3.4:80")
                      .variable("KONG_VERSION", "3")
                      .variable("CARDEA_REWRITE", "1")
                      .variable("KONG_LOG_LEVL", "debug")
                      .load();
    EXPECT_TRUE(loaded.ok());
    ASSERT_EQ(loaded.problems.list().size(), 1u);
    EXPECT_EQ(schema::print_human(loaded.problems, loaded.sources),
              "KONG_LOG_LEVL: warning: no setting has this name; ignored\n    Did you mean log_level?\n0 errors, 1 "
              "warning\n");
}

TEST(Settings, KongsContainerVariablesWork) {
    auto loaded = Given()
                      .variable("KONG_DATABASE", "off")
                      .variable("KONG_DECLARATIVE_CONFIG", "/kong/kong.yml")
                      .variable("KONG_PROXY_ACCESS_LOG", "/dev/stdout")
                      .variable("KONG_ADMIN_ACCESS_LOG", "/dev/stdout")
                      .variable("KONG_PROXY_ERROR_LOG", "/dev/stderr")
                      .variable("KONG_ADMIN_ERROR_LOG", "/dev/stderr")
                      .variable("KONG_ADMIN_LISTEN", "127.0.0.1:8001")
                      .variable("KONG_NGINX_DAEMON", "off")
                      .variable("KONG_NGINX_WORKER_PROCESSES", "2")
                      .variable("KONG_PG_PASSWORD", "geheim")
                      .load();
    ASSERT_TRUE(loaded.problems.list().empty()) << schema::print_human(loaded.problems, loaded.sources);
    EXPECT_EQ(loaded.settings.documents, std::vector<std::string>{"/kong/kong.yml"});
    EXPECT_EQ(loaded.settings.workers, 2u);
    EXPECT_EQ(value(loaded, "workers").source, "KONG_NGINX_WORKER_PROCESSES (nginx_worker_processes)");
    EXPECT_EQ(value(loaded, "pg_password").value, "***");
    EXPECT_EQ(value(loaded, "admin_error_log").remark, "no effect: all errors go to proxy_error_log");
}

TEST(Settings, WhatProtectsIsNeverIgnored) {
    for (const char* option : {"ssl_cert=/x.pem",
                               "client_ssl=on",
                               "admin_listen=127.0.0.1:8001 ssl",
                               "ssl_protocols=TLSv1.1 TLSv1.2",
                               "ssl_cipher_suite=old",
                               "ssl_ciphers=AES128-SHA",
                               "ssl_dhparam=/x.pem",
                               "tls_certificate_verify=on",
                               "stream_listen=0.0.0.0:9000",
                               "enforce_rbac=on",
                               "nginx_proxy_proxy_ssl_verify=on",
                               "nginx_http_deny=all",
                               "nginx_proxy_add_header=X-Frame-Options DENY",
                               "nginx_http_include=/x.conf",
                               "nginx_proxy_set_real_ip_from=10.0.0.0/8",
                               "database=postgres",
                               "router_flavor=expressions",
                               "role=data_plane",
                               "proxy_listen=127.0.0.1:80 proxy_protocol",
                               "admin_listen=127.0.0.1:80 proxy_protocol",
                               "vault_aws_region=x",
                               "vaults=aws"})
        EXPECT_FALSE(Given().set(option).load().ok()) << option;
    for (const char* option :
         {"ssl_cert=", "client_ssl=off", "ssl_protocols=TLSv1.2 TLSv1.3", "stream_listen=off", "enforce_rbac=false",
          "lua_ssl_trusted_certificate=system", "nginx_proxy_proxy_ssl_verify=off"})
        EXPECT_TRUE(Given().set(option).load().problems.list().empty()) << option;
    for (const char* option :
         {"wasm=on", "admin_gui_listen=0.0.0.0:8002", "nginx_http_gzip=on", "nginx_stream_foo=1"}) {
        auto loaded = Given().set(option).load();
        EXPECT_TRUE(loaded.ok()) << option;
        EXPECT_EQ(loaded.problems.warnings(), 1u) << option;
    }
}

TEST(Settings, MeaningfulNginxDirectivesBecomeOurs) {
    auto loaded = Given()
                      .file(
                          "nginx_http_client_max_body_size = 10m\n"
                          "nginx_proxy_large_client_header_buffers = 4 16k\n"
                          "nginx_http_keepalive_timeout = 65s 60s;\n"
                          "nginx_http_keepalive_requests = 100\n"
                          "nginx_http_client_header_timeout = 5\n"
                          "nginx_main_worker_rlimit_nofile = 300000\n"
                          "nginx_proxy_real_ip_header = X-Forwarded-For\n"
                          "nginx_proxy_real_ip_recursive = on\n")
                      .load();
    ASSERT_TRUE(loaded.problems.list().empty()) << schema::print_human(loaded.problems, loaded.sources);
    const gateway::Limits& limits = loaded.settings.limits;
    EXPECT_EQ(limits.body_bytes, 10u << 20);
    EXPECT_EQ(limits.message.request_line, 16384u);
    EXPECT_EQ(limits.message.header_line, 16384u);
    EXPECT_EQ(limits.message.header_bytes, 65536u);
    EXPECT_EQ(limits.idle_timeout, std::chrono::seconds(65));
    EXPECT_EQ(limits.keepalive_requests, 100u);
    EXPECT_EQ(limits.header_timeout, std::chrono::seconds(5));
    EXPECT_EQ(loaded.settings.descriptor_limit, 300'000u);
    EXPECT_EQ(loaded.settings.real_ip_header, "X-Forwarded-For");
    EXPECT_TRUE(loaded.settings.real_ip_recursive);
    EXPECT_EQ(value(loaded, "idle_timeout").source, "cardea.conf:3 (nginx_http_keepalive_timeout)");
}

TEST(Settings, BadNginxDirectivesAreNamedWithTheirOwnName) {
    EXPECT_TRUE(contains(Given().set("nginx_http_large_client_header_buffers=8k").report(),
                         "error: nginx_http_large_client_header_buffers: expected `number size`, as in 4 8k"));
    EXPECT_TRUE(contains(Given().set("nginx_htp_gzip=on").report(), "error: nginx_htp_gzip: unknown block"));
    EXPECT_TRUE(contains(Given().set("nginx_http_keepalive_timeout=soon").report(), "expected a time"));
    EXPECT_TRUE(contains(Given().set("nginx_proxy_proxy_read_timeout=5s").report(),
                         "warning: nginx_proxy_proxy_read_timeout: no effect: each service has its own"));
}

TEST(Settings, LogFormats) {
    auto loaded =
        Given()
            .file("nginx_http_log_format = mine '$remote_addr ' '$status'\nproxy_access_log = logs/access.log mine\n")
            .load();
    ASSERT_TRUE(loaded.ok()) << schema::print_human(loaded.problems, loaded.sources);
    EXPECT_EQ(loaded.settings.logs.access, "/var/lib/cardea/logs/access.log");
    EXPECT_EQ(loaded.settings.logs.access_format, "$remote_addr $status");
    // The command line says json, and it is stronger than the file.
    loaded = Given().file("proxy_access_log = off\naccess_log_format = $status\n").flag("--log", "json").load();
    EXPECT_EQ(loaded.settings.logs.access_format, "json");
    EXPECT_EQ(loaded.settings.logs.access, "/dev/stdout");
    EXPECT_EQ(Given().set("proxy_access_log=/x.log").flag("--log", "json").load().settings.logs.access, "/x.log");
    loaded = Given().file("proxy_access_log = /x.log combined\n").set("access_log_format=json").load();
    EXPECT_EQ(loaded.settings.logs.access_format, "json");
    EXPECT_EQ(Given().flag("--log", "off").load().settings.logs.access, "off");
    EXPECT_TRUE(contains(Given().flag("--log", "$statsu").report(),
                         "--log: error: access_log_format: `$statsu`: unknown variable $statsu; known are"));
    EXPECT_TRUE(contains(Given().set("proxy_access_log=/x.log other").report(), "unknown format other"));
    EXPECT_TRUE(contains(Given().set("nginx_http_log_format=mine").report(), "expected `name 'text'`"));
    EXPECT_TRUE(contains(Given().set("proxy_error_log=/x.log debug").report(), "the level is log_level"));
}

TEST(Settings, RelativePathsStartAtThePrefix) {
    auto loaded =
        Given().set("prefix=/srv/cardea").set("proxy_error_log=logs/error.log").set("pid_file=cardea.pid").load();
    EXPECT_EQ(loaded.settings.logs.error, "/srv/cardea/logs/error.log");
    EXPECT_EQ(loaded.settings.pid_file, "/srv/cardea/cardea.pid");
    EXPECT_EQ(loaded.settings.logs.access, "/dev/stdout");
}

TEST(Settings, VaultReferences) {
    auto loaded = Given()
                      .variable("MY_DOCUMENT", "_format_version: \"3.0\"")
                      .set("declarative_config_string={vault://env/my-document}")
                      .load();
    EXPECT_EQ(loaded.settings.document_text, "_format_version: \"3.0\"");
    EXPECT_EQ(value(loaded, "declarative_config_string").value, "***");
    loaded = Given().variable("MY_LEVEL", "debug").set("log_level={vault://env/my-level}").load();
    EXPECT_EQ(loaded.settings.logs.level, observe::Level::debug);
    EXPECT_EQ(value(loaded, "log_level").value, "***");
    EXPECT_TRUE(contains(Given().set("log_level={vault://env/none}").report(), "the variable NONE is not set"));
    EXPECT_TRUE(contains(Given().set("log_level={vault://aws/x}").report(), "only {vault://env/NAME} is served"));
}

TEST(Settings, ErrorTemplates) {
    Given given;
    given.files["/t.html"] = "<p>%s</p><i>%s</i>";
    given.files["/bad.html"] = "%s %s %s";
    auto loaded = given.set("error_template_html=/t.html").load();
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.settings.answers.templates.html, "<p>%s</p><i>%s</i>");
    EXPECT_TRUE(contains(given.set("error_template_json=/bad.html").report(), "has 3 places %s"));
    EXPECT_TRUE(contains(Given().set("error_template_xml=/none").report(), "cannot read /none"));
}

TEST(Settings, WhatIsOnlyWrongTogether) {
    EXPECT_TRUE(contains(Given().set("proxy_listen=127.0.0.1:8001").report(),
                         "error: admin_listen: 127.0.0.1:8001 is taken by proxy_listen"));
    EXPECT_TRUE(
        contains(Given().set("trusted_ips=0.0.0.0/0").report(), "warning: trusted_ips: every client is trusted"));
    EXPECT_TRUE(contains(Given().set("trusted_ips=::/0").report(), "warning: trusted_ips: every client is trusted"));
    EXPECT_TRUE(contains(Given().set("admin_listen=0.0.0.0:8001").report(),
                         "warning: admin_listen: 0.0.0.0:8001 can be reached from other machines"));
    EXPECT_EQ(Given().set("admin_listen=[::1]:8001, 127.0.0.2:8001").report(), "");
    EXPECT_TRUE(contains(Given().set("declarative_config=a.yaml").set("declarative_config_string=x").report(),
                         "one document only"));
}

TEST(Settings, OwnFlags) {
    auto loaded = Given()
                      .flag("--listen", "127.0.0.1:0")
                      .flag("--admin-listen", "off")
                      .flag("--watch", "on")
                      .flag("--document", "a.yaml")
                      .flag("--document", "b")
                      .flag("--resolve", "a:80:127.0.0.1")
                      .flag("--resolve", "b:80:127.0.0.1:81")
                      .load();
    ASSERT_TRUE(loaded.ok()) << schema::print_human(loaded.problems, loaded.sources);
    EXPECT_EQ(loaded.settings.proxy_listen.size(), 1u);
    EXPECT_TRUE(loaded.settings.admin_listen.empty());
    EXPECT_TRUE(loaded.settings.watch);
    EXPECT_EQ(loaded.settings.documents, (std::vector<std::string>{"a.yaml", "b"}));
    EXPECT_NE(loaded.settings.resolve.find("a", 80), nullptr);
    EXPECT_NE(loaded.settings.resolve.find("b", 80), nullptr);
}

TEST(Settings, TokensAsKong) {
    EXPECT_EQ(Given().set("server_tokens_as_kong=on").load().settings.product_token, "kong/3.10.0");
    EXPECT_EQ(Given().load().settings.product_token, base::product_token);
}

TEST(Settings, ArePrintedOneALine) {
    auto loaded =
        Given().set("declarative_config_string=a: 1\nb: 2").set("log_level=debug").set("mem_cache_size=64m").load();
    std::string text = print_settings(loaded);
    EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), loaded.values.size());
    EXPECT_FALSE(contains(text, "a: 1"));
    EXPECT_TRUE(contains(text, "(no effect: there is no such cache)"));
    std::string json = print_settings_json(loaded);
    EXPECT_TRUE(contains(json, "{\"name\": \"log_level\", \"value\": \"debug\", \"source\": \"--set\"}"));
    EXPECT_TRUE(contains(json, "\"value\": \"***\""));
}

TEST(Settings, HostileFilesAreReadWithoutHarm) {
    std::string long_line = "log_level = " + std::string(100'000, 'x');
    EXPECT_FALSE(Given().file(long_line).load().ok());
    std::string many;
    for (int i = 0; i < 5000; ++i) many += "x" + std::to_string(i) + " = y\n";
    EXPECT_EQ(Given().file(many).load().problems.errors(), 5000u);
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    EXPECT_FALSE(Given().file(bytes + "=" + bytes).load().ok());
}

TEST(SettingsTable, IsInGoodOrder) {
    std::map<View, int> names;
    for (const Setting& setting : settings_table()) {
        EXPECT_EQ(++names[setting.name], 1) << setting.name;
        EXPECT_FALSE(setting.help.empty()) << setting.name;
        EXPECT_EQ(setting.apply != nullptr, setting.standing == Standing::served) << setting.name;
        if (setting.standing == Standing::served) {
            EXPECT_TRUE(setting.help.ends_with('.')) << setting.name;
        }
    }
}

TEST(SettingsReference, IsTheOneInTheTree) {
    std::string path = std::string(CARDEA_SOURCE_DIR) + "/docs/reference/settings.md";
    if (std::getenv("CARDEA_REWRITE") != nullptr) std::ofstream(path) << settings_reference();
    std::ifstream in(path);
    std::stringstream content;
    content << in.rdbuf();
    EXPECT_EQ(content.str(), settings_reference()) << "CARDEA_REWRITE=1 writes it anew";
}

}  // namespace command
