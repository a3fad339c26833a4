// response-transformer: changes answers on their way to the client, upstreams' and our own: header fields and members
// of JSON bodies (kong.md 4.12).
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "http/characters.h"
#include "observe/log.h"
#include "plugin/header_edit.h"
#include "plugin/json_edit.h"
#include "plugin/name_value.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// A body beyond it cannot be held. If its length is declared, the client gets 502: what is to be removed must not pass.
// One that comes in chunks has begun to pass when its length is known; the framework then streams it unchanged.
constexpr std::size_t max_body_bytes = 32 << 20;

using Texts = std::vector<std::string>;

enum class JsonType : std::uint8_t { boolean, number, string };

struct Removals {
    Texts headers, json;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("headers", &Removals::headers, "Names of fields.").matches(header_name),
                              field("json", &Removals::json, "Names of members."));
    }
};

struct Renamings {
    Texts headers, json;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("headers", &Renamings::headers, "old:new").matches(header_and_header),
                              field("json", &Renamings::json, "old:new").matches(name_and_value));
    }
    void check(schema::Checks& checks) const {
        for (std::size_t i = 0; i < json.size(); ++i)
            if (split_name_value(json[i]).value.empty()) checks.element("json", i, "invalid value: " + json[i]);
    }
};

constexpr schema::Format sendable{"header:value", [](std::string_view text) {
                                      std::string fault = header_and_value.check(text);
                                      // It is sent as it is written.
                                      bool is_safe = http::all_are(text, http::character::field_value);
                                      return fault.empty() && !is_safe ? "invalid value: " + std::string(text) : fault;
                                  }};

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::JsonType> {
    static constexpr std::array<std::string_view, 3> list{"boolean", "number", "string"};
};

namespace plugin {

namespace {

// Of `replace`, `add` and `append`.
struct Additions {
    Texts headers, json;
    std::vector<JsonType> json_types;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("headers", &Additions::headers, "name:value").matches(sendable),
                              field("json", &Additions::json, "name:value").matches(name_and_value),
                              field("json_types", &Additions::json_types,
                                    "What the values of `json` are, by their places; text where nothing is said."));
    }
    void check(schema::Checks& checks) const {
        for (std::size_t i = 0; i < json.size() && i < json_types.size(); ++i)
            if (json_value(i).empty() && !split_name_value(json[i]).value.empty())
                checks.element("json", i, "the value is not of its type in json_types");
    }
    // As JSON; empty if it is not of its type.
    [[nodiscard]] std::string json_value(std::size_t index) const {
        std::string_view value = split_name_value(json[index]).value;
        JsonType type = index < json_types.size() ? json_types[index] : JsonType::string;
        if (type == JsonType::boolean) return value == "true" ? "true" : "false";
        if (type == JsonType::number) {
            double number = 0;
            auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
            bool is_number = error == std::errc() && end == value.data() + value.size() && std::isfinite(number);
            if (!is_number) return {};
            return fmt::format("{:.14g}", number);
        }
        base::Arena arena;
        return std::string(json_text(value, arena));
    }
};

enum class Kind : std::uint8_t { remove, rename, replace, add, append };

struct HeaderEdit {
    Kind kind = Kind::remove;
    std::string name;
    std::string value;
};

bool is_json(const http::Headers& headers) {
    constexpr std::string_view wanted = "application/json";
    std::string_view type = headers.first(http::Known::content_type);
    for (std::size_t at = 0; at + wanted.size() <= type.size(); ++at)
        if (http::equals_ignore_case(type.substr(at, wanted.size()), wanted)) return true;
    return false;
}

}  // namespace

struct ResponseTransformer {
    static constexpr std::string_view name = "response-transformer";
    static constexpr int priority = 800;
    static constexpr std::string_view summary =
        "Changes answers before the client gets them: header fields, and top-level members of JSON bodies; first "
        "remove, then rename, replace, add and append.";
    static constexpr std::string_view example = R"(config:
  remove: {headers: [X-Powered-By], json: [internal_id]}
  add:
    headers: ["X-Served-By:gateway"]
    json: ["version:2", "beta:true"]
    json_types: [number, boolean]
)";

    struct Config {
        Removals remove;
        Renamings rename;
        Additions replace;
        Additions add;
        Additions append;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(field("remove", &Config::remove, "What is taken out."),
                                  field("rename", &Config::rename, "What gets another name."),
                                  field("replace", &Config::replace, "What gets another value, if it is there."),
                                  field("add", &Config::add, "What is added, if it is not there."),
                                  field("append", &Config::append, "What gets one more value."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        for (const std::string& text : config.remove.headers) headers_.push_back({Kind::remove, text, {}});
        for (const std::string& text : config.remove.json) json_.push_back({JsonEdit::Kind::remove, text, {}});
        for (const std::string& text : config.rename.headers) add_header(Kind::rename, text);
        for (const std::string& text : config.rename.json) {
            NameValue pair = split_name_value(text);
            json_.push_back({JsonEdit::Kind::rename, pair.name, pair.value});
        }
        for (auto [kind, json_kind, values] : {std::tuple{Kind::replace, JsonEdit::Kind::replace, &config.replace},
                                               std::tuple{Kind::add, JsonEdit::Kind::add, &config.add},
                                               std::tuple{Kind::append, JsonEdit::Kind::append, &config.append}}) {
            for (const std::string& text : values->headers) add_header(kind, text);
            for (std::size_t i = 0; i < values->json.size(); ++i) {
                NameValue pair = split_name_value(values->json[i]);
                if (pair.value.empty()) continue;  // "name:" has no value to give
                json_.push_back({json_kind, pair.name, kept_.emplace_back(values->json_value(i))});
            }
        }
        return base::success();
    }

    void on_response(Exchange& exchange) const {
        edit_headers(exchange);
        if (json_.empty() || !is_json(exchange.response.headers)) return;
        http::ResponseHead& response = exchange.response;
        // Answers to HEAD and 304 tell the length of a body that would be changed.
        response.declared_length.reset();
        bool is_long = exchange.is_from_upstream && response.framing == http::BodyFraming::length &&
                       response.content_length > max_body_bytes;
        if (is_long) return refuse_long(exchange);
        exchange.buffer_response(max_body_bytes);
    }

    void on_response_body(Exchange& exchange) const {
        if (json_.empty() || !is_json(exchange.response.headers)) return;
        if (exchange.buffered_most == 0) return refuse_long(exchange);  // it came in chunks
        if (exchange.response_text.empty()) return;
        JsonEdited edited = edit_json(exchange.response_text, json_, exchange.arena);
        switch (edited.outcome) {
            case JsonEdited::Outcome::edited:
                exchange.response_text = edited.text;
                break;
            case JsonEdited::Outcome::unchanged:
                break;
            case JsonEdited::Outcome::refused:
                warn(exchange, "the body is no JSON object");
                break;
            case JsonEdited::Outcome::too_large:
                warn(exchange, "the body has too many members to be changed");
                reply_error(exchange, 502, {}, ErrorKind::gateway);
                break;
        }
    }

  private:
    // Never unchanged: a member that is to be removed may be a secret.
    static void refuse_long(Exchange& exchange) {
        warn(exchange, "the body is too large to be changed");
        reply_error(exchange, 502, {}, ErrorKind::gateway);
    }
    static void warn(const Exchange& exchange, std::string_view what) {
        observe::log(observe::Level::warn, "plugin", "[response-transformer] the body is not changed",
                     {{"detail", what}, {"request_id", exchange.id()}});
    }
    void add_header(Kind kind, std::string_view text) {
        NameValue pair = split_name_value(text);
        if (!pair.value.empty()) headers_.push_back({kind, std::string(pair.name), std::string(pair.value)});
    }

    void edit_headers(Exchange& exchange) const {
        http::Headers& headers = exchange.response.headers;
        for (const HeaderEdit& edit : headers_) {
            switch (edit.kind) {
                case Kind::remove:
                    headers.remove(edit.name);
                    break;
                case Kind::rename:
                    rename_header(headers, edit.name, edit.value, exchange.arena);
                    break;
                case Kind::replace:
                    if (headers.has(edit.name)) headers.set(edit.name, edit.value);
                    break;
                case Kind::add:
                    if (!headers.has(edit.name)) headers.add(edit.name, edit.value);
                    break;
                case Kind::append:
                    headers.add(edit.name, edit.value);
                    break;
            }
        }
    }

    std::vector<HeaderEdit> headers_;
    std::vector<JsonEdit> json_;
    std::deque<std::string> kept_;  // what json_ views; its elements do not move
};
REGISTER_PLUGIN(ResponseTransformer);

}  // namespace plugin
