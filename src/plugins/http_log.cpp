// http-log: records of requests to an HTTP server, one by one or in batches as a JSON array (kong.md 4.21).
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "crypto/base64.h"
#include "delivery/http_sender.h"
#include "http/authority.h"
#include "http/characters.h"
#include "plugin/record_log.h"

namespace plugin {

namespace {

enum class LogMethod : std::uint8_t { post, put, patch };
enum class LogContentType : std::uint8_t { json, json_utf8 };

// scheme://[userinfo@]host[:port][/path]; the query is not sent (as in Kong).
struct LogUrl {
    std::string scheme;
    std::string userinfo;
    std::string authority;
    delivery::Place place;
    std::string path;
};

std::optional<LogUrl> parse_log_url(std::string_view text) {
    LogUrl out;
    std::size_t scheme_end = text.find("://");
    if (scheme_end == text.npos) return {};
    out.scheme = text.substr(0, scheme_end);
    std::transform(out.scheme.begin(), out.scheme.end(), out.scheme.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (out.scheme != "http" && out.scheme != "https") return {};
    text.remove_prefix(scheme_end + 3);
    text = text.substr(0, text.find_first_of("?#"));
    std::size_t path_start = std::min(text.find('/'), text.size());
    out.path = path_start == text.size() ? "/" : std::string(text.substr(path_start));
    text = text.substr(0, path_start);
    if (std::size_t at = text.rfind('@'); at != text.npos) {
        out.userinfo = text.substr(0, at);
        text.remove_prefix(at + 1);
    }
    auto authority = http::parse_authority(text);
    if (!authority) return {};
    out.authority = authority->text;
    std::string_view host = authority->host;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    std::uint16_t usual = out.scheme == "https" ? 443 : 80;
    out.place = {std::string(host), authority->port != 0 ? authority->port : usual};
    return out;
}

std::string header_name_fault(std::string_view name) {
    for (std::string_view own : {"Host", "Content-Length", "Content-Type"})
        if (http::equals_ignore_case(name, own)) return "cannot contain '" + std::string(own) + "' header";
    return http::is_token(name) ? std::string() : "invalid value: " + std::string(name);
}

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::LogMethod> {
    static constexpr std::array<std::string_view, 3> list{"POST", "PUT", "PATCH"};
};
template <>
struct schema::Names<plugin::LogContentType> {
    static constexpr std::array<std::string_view, 2> list{"application/json", "application/json; charset=utf-8"};
};

namespace plugin {

struct HttpLog {
    static constexpr std::string_view name = "http-log";
    static constexpr int priority = 12;
    static constexpr std::span<const Alias> aliases = queue_aliases;
    static constexpr std::string_view summary =
        "Sends a record of each request to an HTTP server, alone or in batches as a JSON array. Failures are tried "
        "again; "
        "servers that are slow or away delay no request: records wait, and the oldest are dropped and counted.";
    static constexpr std::string_view example = R"(config:
  http_endpoint: http://127.0.0.1:9200/logs
  queue:
    max_batch_size: 100
    max_coalescing_delay: 1
)";

    struct Config {
        std::string http_endpoint;
        LogMethod method = LogMethod::post;
        LogContentType content_type = LogContentType::json;
        std::chrono::milliseconds timeout{10'000};
        std::chrono::milliseconds keepalive{60'000};
        std::optional<std::int64_t> retry_count;
        std::map<std::string, std::string> headers;
        QueueFields queue;
        CustomFieldTexts custom_fields_by_lua;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("http_endpoint", &Config::http_endpoint,
                      "URL of the server; `user:password@` in it becomes Basic authentication, its query is not sent.")
                    .required()
                    .secret()
                    .referenceable(),
                field("method", &Config::method, "Method of the requests."),
                field("content_type", &Config::content_type, "Their Content-Type."),
                field("timeout", &Config::timeout, "Longest wait to connect, and for an answer.")
                    .between(1, 2'147'483'646),
                field("keepalive", &Config::keepalive, "How long an idle connection stays open.").at_least(0),
                field("retry_count", &Config::retry_count,
                      "Old; without effect, as in Kong: see queue.max_retry_time."),
                field("headers", &Config::headers, "Further fields of the requests.")
                    .keys({"a header name but Host, Content-Length, Content-Type", header_name_fault})
                    .secret()
                    .referenceable(),
                field("queue", &Config::queue, "How records wait and are tried again."),
                field("custom_fields_by_lua", &Config::custom_fields_by_lua, custom_fields_help));
        }
        void check(schema::Checks& checks) const {
            CustomFields::check(custom_fields_by_lua, checks);
            if (checks.failed("http_endpoint") || !checks.given("http_endpoint")) return;
            auto url = parse_log_url(http_endpoint);
            if (!url)
                checks.field("http_endpoint", "missing host in url, or no http URL");
            else if (url->scheme == "https")
                checks.field("http_endpoint", "TLS to log servers is not served yet");
            else if (auto fault = delivery::HttpSender::check(settings(*url)); !fault)
                checks.record(fault.error().detail);
        }
        [[nodiscard]] delivery::HttpSettings settings(const LogUrl& url) const {
            delivery::HttpSettings out;
            out.place = url.place;
            out.authority = url.authority;
            out.path = url.path;
            out.method = schema::Names<LogMethod>::list[static_cast<std::size_t>(method)];
            out.content_type = schema::Names<LogContentType>::list[static_cast<std::size_t>(content_type)];
            out.headers.assign(headers.begin(), headers.end());
            if (!url.userinfo.empty())
                out.headers.emplace_back("Authorization", "Basic " + crypto::base64(url.userinfo));
            out.timeout = timeout;
            out.keep_alive = keepalive;
            return out;
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        auto url = parse_log_url(config.http_endpoint);
        if (!url) return base::Error::us(base::Code::invalid, "http_endpoint: no http URL");
        delivery::HttpSettings settings = config.settings(*url);
        std::string key = settings.authority + "\n" + settings.path + "\n" + settings.method + settings.content_type +
                          std::to_string(settings.timeout.count()) + " " + std::to_string(settings.keep_alive.count());
        for (const auto& [field, value] : settings.headers) key += "\n" + field + ": " + value;
        return log_.open(setup, config.custom_fields_by_lua, "http-log " + settings.place.text(), key,
                         config.queue.settings(),
                         [settings](net::Loop& loop, LogCourier&, const delivery::Surroundings& surroundings) {
                             return std::make_unique<delivery::HttpSender>(loop, surroundings, settings);
                         });
    }
    void on_log(Exchange& exchange) const { log_.put(exchange); }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(HttpLog);

}  // namespace plugin
