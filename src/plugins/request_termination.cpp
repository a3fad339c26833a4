// request-termination: answers requests itself, all of them or those that carry a trigger (kong.md 4.19).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "http/characters.h"
#include "http/path.h"
#include "http/query.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "schema/node.h"

namespace plugin {

namespace {

std::string_view termination_message(int status) {
    switch (status) {
        case 401:
            return "Unauthorized";
        case 404:
            return "Not found";
        case 405:
            return "Method not allowed";
        case 500:
            return "An unexpected error occurred";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service unavailable";
        default:
            return {};
    }
}

// What an echo holds of a body at most.
constexpr std::size_t max_echoed_body = 1 << 20;
constexpr std::size_t max_echoed_arguments = 1000;

// A JSON object, written member by member. An echo does not have to be fast.
class Members {
  public:
    void add(std::string_view name, std::string_view json) {
        text_ += text_.size() == 1 ? "" : ",";
        quote(name);
        text_ += ':';
        text_ += json;
    }
    void add_text(std::string_view name, std::string_view text) {
        add(name, {});
        quote(text);
    }
    [[nodiscard]] std::string done() && { return std::move(text_) + "}"; }

  private:
    void quote(std::string_view text) {
        base::Arena arena;
        // A client may send bytes that are no UTF-8, which JSON must be.
        std::string plain;
        if (!http::is_utf8(text)) {
            for (char c : text) plain += static_cast<unsigned char>(c) < 0x80 ? c : '?';
            text = plain;
        }
        text_ += json_quoted(text, arena);
    }
    std::string text_ = "{";
};

// Names once each, in lower case, with all their values.
std::string echo_headers(const http::Headers& headers) {
    std::map<std::string, std::string> all;
    for (const http::Header& header : headers) {
        std::string name(header.name);
        std::transform(name.begin(), name.end(), name.begin(), http::lower);
        std::string& values = all[name];
        values.append(values.empty() ? "" : ", ").append(header.value);
    }
    Members members;
    for (const auto& [name, values] : all) members.add_text(name, values);
    return std::move(members).done();
}

std::string json_text(std::string_view text) {
    Members one;
    one.add_text("", text);
    std::string object = std::move(one).done();
    return object.substr(4, object.size() - 5);  // of {"":"text"}
}

// Of a query or a form: names once each, with a list where there are several of one.
std::string echo_arguments(std::string_view text, base::Arena& arena) {
    std::map<std::string, std::vector<std::string>> all;
    http::QueryArguments arguments(text);
    http::QueryArgument argument;
    for (std::size_t i = 0; i < max_echoed_arguments && arguments.next(argument); ++i) {
        std::string value = argument.has_value ? json_text(http::decode_argument(argument.value, arena)) : "true";
        all[std::string(http::decode_argument(argument.name, arena))].push_back(std::move(value));
    }
    Members members;
    for (const auto& [name, values] : all) {
        std::string list = values[0];
        for (std::size_t i = 1; i < values.size(); ++i) list.append(",").append(values[i]);
        members.add(name, values.size() == 1 ? list : "[" + list + "]");
    }
    return std::move(members).done();
}

// The body as a value: JSON as it is, a form's arguments; nothing of other types.
std::string echo_body(Exchange& exchange, std::string_view body) {
    std::string_view type = exchange.request.headers.first(http::Known::content_type);
    type = http::trim(type.substr(0, type.find(';')));
    if (http::equals_ignore_case(type, "application/x-www-form-urlencoded"))
        return echo_arguments(body, exchange.arena);
    if (!http::equals_ignore_case(type, "application/json") || !http::is_utf8(body)) return {};
    bool is_json = std::holds_alternative<schema::Tree>(schema::parse_json(body, 0, schema::Limits{}));
    return is_json ? std::string(body) : std::string();
}

std::string echo_captures(const route::Match& match) {
    Members named;
    Members unnamed;
    if (match.by_regex) {
        for (const route::CaptureName& name : match.names) named.add_text(name.name, match.capture(name.group));
        for (std::size_t i = 1; i < match.captures.count; ++i) unnamed.add_text(std::to_string(i), match.capture(i));
    }
    Members both;
    both.add("named", std::move(named).done());
    both.add("unnamed", std::move(unnamed).done());
    return std::move(both).done();
}

// A route or a service.
template <typename Facts>
std::string echo_facts(const Facts* facts) {
    if (facts == nullptr) return "null";
    Members members;
    members.add_text("id", facts->id.text());
    if (!facts->name.empty()) members.add_text("name", facts->name);
    return std::move(members).done();
}

std::string echo_request(Exchange& exchange, std::string_view body) {
    const http::RequestHead& request = exchange.request;
    Members members;
    members.add_text("scheme", exchange.client.scheme);
    members.add_text("host", request.host);
    members.add("port", std::to_string(exchange.client.local.port));
    members.add("headers", echo_headers(request.headers));
    members.add("query", echo_arguments(request.query, exchange.arena));
    members.add_text("raw_body", body);
    if (std::string value = echo_body(exchange, body); !value.empty()) members.add("body", value);
    members.add_text("method", request.method_token);
    members.add_text("path", request.raw_path);
    members.add("uri_captures", echo_captures(exchange.match));
    return std::move(members).done();
}

std::string this_host() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

}  // namespace

struct RequestTermination {
    static constexpr std::string_view name = "request-termination";
    static constexpr int priority = 2;
    static constexpr std::string_view summary =
        "Answers requests itself with a status and a text, instead of asking the upstream: for maintenance, or to take "
        "a route out of use.";
    static constexpr std::string_view example = R"(config:
  status_code: 503
  message: back in an hour
)";

    struct Config {
        std::uint16_t status_code = 503;
        std::optional<std::string> message;
        std::optional<std::string> content_type;
        std::optional<std::string> body;
        bool echo = false;
        std::optional<std::string> trigger;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("status_code", &Config::status_code, "Status of the answer.").between(100, 599),
                field("message", &Config::message, "Message of a JSON body; excludes body and content_type."),
                field("content_type", &Config::content_type, "Type of `body`."),
                field("body", &Config::body, "The body as it is sent."),
                field("echo", &Config::echo, "Answer with what was received; excludes message and body."),
                field("trigger", &Config::trigger, "Only requests with a header or query argument of this name."));
        }
        void check(schema::Checks& checks) const {
            if (message && (content_type || body)) checks.record("message cannot be used with content_type or body");
            if (content_type && !body) checks.record("content_type requires a body");
            if (echo && (message || body)) checks.record("echo cannot be used with message and body");
        }
    };
    Config config;

    Verdict on_request(Exchange& exchange) const {
        if (config.trigger && !exchange.request.headers.has(*config.trigger) &&
            !http::find_argument(exchange.request.query, *config.trigger, exchange.arena))
            return Verdict::go_on;
        if (config.echo) {
            if (exchange.has_request_body()) return Verdict::wait;
            return echo(exchange, {});
        }
        if (config.body)
            return reply_text(exchange, config.status_code,
                              config.content_type ? std::string_view(*config.content_type)
                                                  : std::string_view("application/json; charset=utf-8"),
                              *config.body);
        std::string_view message =
            config.message ? std::string_view(*config.message) : termination_message(config.status_code);
        if (message.empty()) return reply_text(exchange, config.status_code, {}, {});
        return reply_message(exchange, config.status_code, message);
    }

    // The body that is to be echoed.
    base::Task<Verdict> wait_request(Exchange& exchange) const {
        base::Result<std::string_view> body = co_await exchange.read_request_body(max_echoed_body);
        bool is_large = !body && body.error().code == base::Code::too_large;
        if (!body && !is_large) co_return refuse(exchange, body.error().status != 0 ? body.error().status : 400, {});
        co_return echo(exchange, body ? *body : std::string_view());
    }

  private:
    // Kong tells its node's id, too; nodes have none here.
    Verdict echo(Exchange& exchange, std::string_view body) const {
        Members kong;
        kong.add("worker_pid", std::to_string(::getpid()));
        kong.add_text("hostname", this_host());
        Members all;
        all.add_text("message", termination_message(config.status_code));
        all.add("kong", std::move(kong).done());
        all.add("request", echo_request(exchange, body));
        all.add("matched_route", echo_facts(exchange.route));
        all.add("matched_service", echo_facts(exchange.service));
        return reply_json(exchange, config.status_code, exchange.arena.copy(std::move(all).done()));
    }
};
REGISTER_PLUGIN(RequestTermination);

}  // namespace plugin
