// request-termination: answers requests itself, all of them or those that carry a trigger (kong.md 4.19).
#include <cstdint>
#include <optional>
#include <string>

#include "http/characters.h"
#include "http/query.h"
#include "plugin/reply.h"
#include "plugin/type.h"

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

bool has_argument(const Exchange& exchange, std::string_view name, base::Arena& arena) {
    http::QueryArguments arguments(exchange.request.query);
    http::QueryArgument argument;
    while (arguments.next(argument))
        if (http::decode_argument(argument.name, arena) == name) return true;
    return false;
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
            !has_argument(exchange, *config.trigger, exchange.arena))
            return Verdict::go_on;
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
};
REGISTER_PLUGIN(RequestTermination);

}  // namespace plugin
