// key-auth: only requests that bring an API key of a consumer (kong.md 4.4), in a header, an argument or the body.
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/json.h"
#include "http/query.h"
#include "plugin/authentication.h"
#include "plugin/credential_index.h"
#include "plugin/json_edit.h"
#include "plugin/multipart_edit.h"
#include "plugin/query_edit.h"

namespace plugin {

namespace {

constexpr std::size_t most_body = 1024 * 1024;  // of a body that is looked through for a key

// When a key without a created_at was loaded first, as far as this process and its reloads know: its time begins there.
// Held by the plugins of a configuration and handed on from one to the next.
class FirstSeen {
  public:
    std::int64_t of(const base::Uuid& key, std::int64_t now) {
        std::lock_guard guard(lock_);
        Seen& seen = seen_.try_emplace(key, Seen{now, now}).first->second;
        seen.last = now;
        return seen.first;
    }
    // Forgets what no document has named for a while: one that could not be loaded is no reason.
    void tidy(std::int64_t now) {
        constexpr std::int64_t kept_for = 86'400;
        std::lock_guard guard(lock_);
        std::erase_if(seen_, [now](const auto& entry) { return entry.second.last + kept_for < now; });
    }

  private:
    struct Seen {
        std::int64_t first;
        std::int64_t last;
    };
    std::mutex lock_;
    std::map<base::Uuid, Seen> seen_;
};

// What one place of a request holds under a name.
struct Found {
    enum class What : std::uint8_t { nothing, key, several };
    What what = What::nothing;
    std::string_view key;

    void add(std::string_view value) {
        what = what == What::nothing ? What::key : What::several;
        key = value;
    }
    [[nodiscard]] bool is(What other) const { return what == other; }
};

Found in_headers(const http::Headers& headers, std::string_view name) {
    Found found;
    headers.all(name, [&](std::string_view value) { found.add(value); });
    return found;
}

// An argument without '=' holds no text.
Found in_arguments(std::string_view text, std::string_view name, base::Arena& arena) {
    Found found;
    http::QueryArguments arguments(text);
    for (http::QueryArgument argument; arguments.next(argument);) {
        if (argument.has_value && http::decode_argument(argument.name, arena) == name)
            found.add(http::decode_argument(argument.value, arena));
    }
    return found;
}

// The other arguments keep their bytes and their order.
std::string_view arguments_without(std::string_view text, std::string_view name, base::Arena& arena) {
    char* start = arena.bytes(text.size());
    char* at = start;
    http::QueryArguments arguments(text);
    bool has_any = false;
    for (http::QueryArgument argument; arguments.next(argument);) {
        if (http::decode_argument(argument.name, arena) == name) {
            has_any = true;
            continue;
        }
        if (at != start) *at++ = '&';
        at = std::copy(argument.name.begin(), argument.name.end(), at);
        if (argument.has_value) *at++ = '=';
        at = std::copy(argument.value.begin(), argument.value.end(), at);
    }
    return has_any ? std::string_view(start, static_cast<std::size_t>(at - start)) : text;
}

enum class Form : std::uint8_t { none, arguments, json, multipart };

Form form_of(std::string_view content_type) {
    std::string_view type = http::trim(content_type.substr(0, content_type.find(';')));
    if (http::equals_ignore_case(type, "application/x-www-form-urlencoded")) return Form::arguments;
    if (http::equals_ignore_case(type, "application/json")) return Form::json;
    if (http::equals_ignore_case(type, "multipart/form-data")) return Form::multipart;
    return Form::none;
}

class Body {
  public:
    Body(std::string_view text, std::string_view content_type, base::Arena& arena)
        : text_(text), type_(content_type), form_(form_of(content_type)), arena_(arena) {}

    [[nodiscard]] Found find(std::string_view name) const {
        Found found;
        if (form_ == Form::arguments) return in_arguments(text_, name, arena_);
        if (form_ == Form::json) {
            auto object = crypto::Object::parse(text_, arena_);
            if (auto key = object ? object->string(name) : std::nullopt) found.add(*key);
        } else if (form_ == Form::multipart) {
            if (auto field = multipart_field(text_, type_, name, arena_)) {
                found.add(field->value);
                if (field->has_several) found.add(field->value);
            }
        }
        return found;
    }
    // The body without what stands under the name.
    struct Rest {
        enum class Outcome : std::uint8_t { unchanged, changed, unreadable };
        Outcome outcome = Outcome::unchanged;
        std::string_view text;
    };
    [[nodiscard]] Rest without(std::string_view name) const {
        if (form_ == Form::arguments) {
            std::string_view rest = arguments_without(text_, name, arena_);
            return {rest.size() == text_.size() ? Rest::Outcome::unchanged : Rest::Outcome::changed, rest};
        }
        if (form_ == Form::json) {
            JsonEdit edit{.kind = JsonEdit::Kind::remove, .name = name};
            JsonEdited edited = edit_json(text_, std::span(&edit, 1), arena_);
            // What is no object has no members.
            std::size_t start = text_.find_first_not_of(" \t\r\n");
            bool may_be_object = start != text_.npos && text_[start] == '{';
            if (edited.outcome == JsonEdited::Outcome::refused && !may_be_object) return {};
            return rest_of(edited);
        }
        if (form_ == Form::multipart) {
            MultipartEdit edit{.kind = MultipartEdit::Kind::remove, .name = name};
            return rest_of(edit_multipart(text_, type_, std::span(&edit, 1), arena_));
        }
        return {};
    }

  private:
    template <typename Edited>
    static Rest rest_of(const Edited& edited) {
        using Outcome = typename Edited::Outcome;
        if (edited.outcome == Outcome::unchanged) return {};
        return {edited.outcome == Outcome::edited ? Rest::Outcome::changed : Rest::Outcome::unreadable, edited.text};
    }

    std::string_view text_;
    std::string_view type_;
    Form form_;
    base::Arena& arena_;
};

}  // namespace

struct KeyAuth {
    static constexpr std::string_view name = "key-auth";
    static constexpr int priority = 1250;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets requests pass that bring an API key of a consumer (`keyauth_credentials`). The upstream is told who it "
        "is.";
    static constexpr std::string_view example = R"(config:
  key_names: [apikey]
  hide_credentials: true
)";

    struct Config {
        std::vector<std::string> key_names{"apikey"};
        bool hide_credentials = false;
        std::optional<std::string> anonymous;
        bool key_in_header = true;
        bool key_in_query = true;
        bool key_in_body = false;
        bool run_on_preflight = true;
        std::optional<std::string> realm;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("key_names", &Config::key_names, "Names of the header, argument or body member with the key.")
                    .matches(header_name_format),
                field("hide_credentials", &Config::hide_credentials, "The upstream does not get the key."),
                field("anonymous", &Config::anonymous,
                      "Consumer (id or username) as which requests without a right key go on."),
                field("key_in_header", &Config::key_in_header, "Look into the headers."),
                field("key_in_query", &Config::key_in_query, "Look into the query."),
                field("key_in_body", &Config::key_in_body,
                      "Look into bodies of forms and JSON objects, of at most 1 MiB."),
                field("run_on_preflight", &Config::run_on_preflight, "Ask OPTIONS requests for a key too."),
                field("realm", &Config::realm, "Named in WWW-Authenticate."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        anonymous_.prepare(config.anonymous, setup);
        challenge_ = challenge("Key", config.realm);
        keys_ = CredentialIndex::of(setup, "keyauth_credentials", "key");
        ttl_ = keys_->credentials().place("ttl");
        created_at_ = keys_->credentials().place("created_at");
        first_seen_ = setup.shared.state<FirstSeen>("", [] { return std::make_shared<FirstSeen>(); });
        std::int64_t now = setup.loaded_at / 1000;
        for (const Credential& credential : keys_->credentials().all)
            if (!value_at(ttl_, credential).empty() && value_at(created_at_, credential).empty())
                began_.emplace(&credential, first_seen_->of(credential.id, now));
        first_seen_->tidy(now);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        if (!config.run_on_preflight && exchange.request.method == http::Method::options) return Verdict::go_on;
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        if (config.key_in_body && exchange.has_request_body()) return Verdict::wait;
        return decide(exchange, nullptr);
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        base::Result<std::string_view> text = co_await exchange.read_request_body(most_body);
        if (!text) {
            // A key in there could neither be found nor hidden.
            bool is_large = text.error().code == base::Code::too_large;
            co_return refuse(exchange, is_large ? 413 : 400, {});
        }
        Body body(*text, exchange.request.headers.first(http::Known::content_type), exchange.arena);
        co_return decide(exchange, &body);
    }

  private:
    Verdict decide(Exchange& exchange, const Body* body) const {
        std::string_view message;
        bool is_hidden = true;
        const Credential* credential = find(exchange, body, message, is_hidden);
        if (!is_hidden) return refuse(exchange, 400, {});
        if (credential != nullptr) {
            identify(exchange, &keys_->consumer_of(*credential), exchange.text(credential->id));
            return Verdict::go_on;
        }
        return anonymous_.refuse_or_admit(exchange, 401, message, challenge_);
    }

    const Credential* find(Exchange& exchange, const Body* body, std::string_view& message, bool& is_hidden) const {
        message = "No API key found in request";
        for (const std::string& key_name : config.key_names) {
            Found found;
            if (config.key_in_header) found = in_headers(exchange.request.headers, key_name);
            if (found.is(Found::What::nothing) && config.key_in_query && exchange.request.has_query)
                found = in_arguments(exchange.request.query, key_name, exchange.arena);
            if (found.is(Found::What::nothing) && body != nullptr) found = body->find(key_name);
            if (found.is(Found::What::nothing)) continue;
            if (found.is(Found::What::several)) {
                message = "Duplicate API key found";
                return nullptr;
            }
            if (found.key.empty()) return nullptr;
            message = "Unauthorized";
            const Credential* credential = keys_->find(found.key);
            if (credential != nullptr && is_over(exchange, *credential)) credential = nullptr;
            is_hidden = !config.hide_credentials || hide(exchange, key_name, body);
            return credential;
        }
        return nullptr;
    }

    [[nodiscard]] bool is_over(const Exchange& exchange, const Credential& credential) const {
        std::string_view ttl = value_at(ttl_, credential);
        std::int64_t lasts = number_of(ttl);
        if (ttl.empty() || lasts == 0) return false;  // Kong: no end
        auto known = began_.find(&credential);
        std::int64_t began = known != began_.end() ? known->second : number_of(value_at(created_at_, credential));
        return began + lasts <= exchange.worker.loop.wall_now() / 1000;
    }

    // False: the body cannot be looked through, so a key might be left in it.
    [[nodiscard]] bool hide(Exchange& exchange, std::string_view key_name, const Body* body) const {
        http::RequestHead& request = exchange.request;
        if (config.key_in_header) request.headers.remove(key_name);
        if (config.key_in_query && request.has_query) {
            Arguments arguments(request.query, exchange.arena);
            arguments.remove(key_name);
            if (arguments.is_changed()) {
                request.query = arguments.written(Arguments::Order::by_name);
                request.has_query = !request.query.empty();
            }
        }
        if (body == nullptr) return true;
        Body::Rest rest = body->without(key_name);
        if (rest.outcome == Body::Rest::Outcome::changed) exchange.replace_request_body(rest.text);
        return rest.outcome != Body::Rest::Outcome::unreadable;
    }

    static std::string_view value_at(std::size_t place, const Credential& credential) {
        return place < credential.values.size() ? credential.values[place] : std::string_view();
    }
    static std::int64_t number_of(std::string_view text) {
        std::int64_t out = 0;
        std::from_chars(text.data(), text.data() + text.size(), out);
        return out;
    }

    Anonymous anonymous_;
    std::string challenge_;
    std::shared_ptr<const CredentialIndex> keys_;
    std::size_t ttl_ = 0;
    std::size_t created_at_ = 0;
    std::shared_ptr<FirstSeen> first_seen_;
    std::unordered_map<const Credential*, std::int64_t> began_;  // of those with a ttl and no created_at
};
REGISTER_PLUGIN(KeyAuth);

}  // namespace plugin
