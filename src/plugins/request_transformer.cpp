// request-transformer: changes requests on their way to the upstream: path, method, fields, body, query (kong.md 4.11).
// Values are templates (plugin/template.h); all of them see the request as it came to this plugin.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/characters.h"
#include "http/path.h"
#include "observe/log.h"
#include "plugin/header_edit.h"
#include "plugin/json_edit.h"
#include "plugin/multipart_edit.h"
#include "plugin/name_value.h"
#include "plugin/query_edit.h"
#include "plugin/reply.h"
#include "plugin/template_request.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// A body beyond it could not be looked through, and what is to be removed must not pass: 413.
constexpr std::size_t max_body_bytes = 8 << 20;
constexpr std::ptrdiff_t max_form_arguments = 65536;

using Texts = std::vector<std::string>;

bool is_host(std::string_view name) { return http::equals_ignore_case(name, "host"); }

void check_templates(schema::Checks& checks, std::string_view field, const Texts& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        std::string_view value = split_name_value(texts[i]).value;
        auto compiled = Template::compile(value);
        if (!compiled) checks.element(field, i, "bad template, " + compiled.error().detail);
    }
}

struct Removals {
    Texts headers, querystring, body;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("headers", &Removals::headers, "Names of fields.").matches(header_name),
                              field("querystring", &Removals::querystring, "Names of arguments."),
                              field("body", &Removals::body, "Names of body members."));
    }
};

struct Renamings {
    Texts headers, querystring, body;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("headers", &Renamings::headers, "old:new").matches(header_and_header),
                              field("querystring", &Renamings::querystring, "old:new").matches(name_and_value),
                              field("body", &Renamings::body, "old:new").matches(name_and_value));
    }
    void check(schema::Checks& checks) const {
        for (auto [field, texts] :
             {std::pair{"headers", &headers}, std::pair{"querystring", &querystring}, std::pair{"body", &body}})
            for (std::size_t i = 0; i < texts->size(); ++i) {
                std::string_view text = (*texts)[i];
                if (text.find("$(") != text.npos) checks.element(field, i, "a name cannot be a template");
                if (split_name_value(text).value.empty()) checks.element(field, i, "invalid value: " + (*texts)[i]);
                if (texts == &headers && is_host(split_name_value(text).value))
                    checks.element(field, i, "nothing can be renamed to Host");
            }
    }
};

// Of `replace`, `add` and `append`.
template <typename Owner>
constexpr auto value_fields() {
    using schema::field;
    return schema::fields(field("headers", &Owner::headers, "name:value").matches(header_and_value),
                          field("querystring", &Owner::querystring, "name:value").matches(name_and_value),
                          field("body", &Owner::body, "name:value").matches(name_and_value));
}

struct Additions {
    Texts headers, querystring, body;
    static constexpr auto fields() { return value_fields<Additions>(); }
    void check(schema::Checks& checks) const {
        check_templates(checks, "headers", headers);
        check_templates(checks, "querystring", querystring);
        check_templates(checks, "body", body);
    }
};

struct Replacements {
    std::optional<std::string> uri;
    Texts headers, querystring, body;
    static constexpr auto fields() {
        return std::tuple_cat(schema::fields(schema::field("uri", &Replacements::uri,
                                                           "The path upstream, in the place of the usual one.")),
                              value_fields<Replacements>());
    }
    void check(schema::Checks& checks) const {
        check_templates(checks, "headers", headers);
        check_templates(checks, "querystring", querystring);
        check_templates(checks, "body", body);
        for (std::size_t i = 0; i < headers.size(); ++i)
            if (is_host(split_name_value(headers[i]).name))
                checks.element("headers", i, "replacing Host is not served by this version");
        if (!uri) return;
        auto compiled = Template::compile(*uri);
        if (!compiled)
            checks.field("uri", "bad template, " + compiled.error().detail);
        else if (!uri->starts_with('/') && !uri->starts_with("$("))
            checks.field("uri", "should start with: /");
    }
};

enum class Kind : std::uint8_t { remove, rename, replace, add, append };

// One edit of an area, its value a text of the settings or a template.
struct Edit {
    static constexpr std::size_t is_text = static_cast<std::size_t>(-1);
    Kind kind = Kind::remove;
    std::string name;
    std::string text;                      // new name, or value without template
    std::size_t template_index = is_text;  // of the plugin's templates
    bool has_value = false;                // "name:" has none
};

struct Rendered {
    std::string_view text;
    bool is_unresolved = false;  // nothing came of it: an expression was nil
};

// The rendered templates on their way through a wait for the body.
struct Values {
    const Rendered* all = nullptr;
    struct Value {
        std::string_view text;
        bool is_there = false;  // has a value that was resolved
        bool is_set = false;    // has a value, perhaps an empty one
    };
    [[nodiscard]] Value of(const Edit& edit) const {
        if (edit.template_index == Edit::is_text) return {edit.text, edit.has_value, edit.has_value};
        const Rendered& rendered = all[edit.template_index];
        return {rendered.text, !rendered.is_unresolved, true};
    }
};

enum class BodyKind : std::uint8_t { other, json, form, multipart };

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    for (std::size_t at = 0; at + part.size() <= text.size(); ++at)
        if (http::equals_ignore_case(text.substr(at, part.size()), part)) return true;
    return false;
}

BodyKind kind_of_body(const http::RequestHead& request) {
    std::string_view type = request.headers.first(http::Known::content_type);
    if (contains_ignoring_case(type, "multipart/form-data")) return BodyKind::multipart;
    if (contains_ignoring_case(type, "application/x-www-form-urlencoded")) return BodyKind::form;
    if (contains_ignoring_case(type, "application/json")) return BodyKind::json;
    return BodyKind::other;
}

}  // namespace

struct RequestTransformer {
    static constexpr std::string_view name = "request-transformer";
    static constexpr int priority = 801;
    static constexpr std::string_view summary =
        "Changes requests before they are forwarded: path, method, header fields, body and query, in this order. In "
        "each area first remove, then rename, replace, add and append. Values may have templates in them: "
        "`$(headers.x)`, `$(query_params.x)`, `$(uri_captures.id)`, `$(consumer.username)` and small expressions of "
        "Lua.";
    static constexpr std::string_view example = R"yaml(config:
  remove: {headers: [X-Internal-Header]}
  replace: {uri: "/v2/pets/$(uri_captures.id)"}
  add:
    headers: ["X-Gateway-Version:1.0", "X-User:$(consumer.username or 'nobody')"]
    querystring: ["source:gateway"]
)yaml";

    struct Config {
        std::optional<std::string> http_method;
        Removals remove;
        Renamings rename;
        Replacements replace;
        Additions add;
        Additions append;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(field("http_method", &Config::http_method,
                                        "Another method; with GET, HEAD or TRACE a form body goes "
                                        "into the query.")
                                      .matches(method),
                                  field("remove", &Config::remove, "What is taken out."),
                                  field("rename", &Config::rename, "What gets another name."),
                                  field("replace", &Config::replace, "What gets another value, if it is there."),
                                  field("add", &Config::add, "What is added, if it is not there."),
                                  field("append", &Config::append, "What gets one more value."));
        }
        static constexpr schema::Format method{
            "^[A-Z]+$", [](std::string_view text) {
                bool is_method = !text.empty() && text != "CONNECT" &&
                                 std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
                return is_method ? std::string() : "invalid value: " + std::string(text);
            }};
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        const auto& [remove, rename, replace, add, append] =
            std::tie(config.remove, config.rename, config.replace, config.add, config.append);
        TRY_VOID(collect(headers_, remove.headers, rename.headers, replace.headers, add.headers, append.headers));
        TRY_VOID(collect(query_, remove.querystring, rename.querystring, replace.querystring, add.querystring,
                         append.querystring));
        TRY_VOID(collect(body_, remove.body, rename.body, replace.body, add.body, append.body));
        for (Edit& edit : headers_)
            // Kong's spelling of a renamed field, unless only its case changes.
            if (edit.kind == Kind::rename && !http::equals_ignore_case(edit.name, edit.text))
                std::transform(edit.text.begin(), edit.text.end(), edit.text.begin(), http::lower);
        if (replace.uri) {
            TRY(uri, Template::compile(*replace.uri));
            uri_ = std::move(uri);
        }
        if (config.http_method) method_ = http::method_of(*config.http_method);
        return base::success();
    }

    Verdict on_request(Exchange& exchange) const {
        Values values;
        Rendered path;
        if (base::Result<void> rendered = render(exchange, values, path); !rendered) return fail(exchange, rendered);
        if (uri_) {
            if (Verdict verdict = replace_path(exchange, path.text); verdict != Verdict::go_on) return verdict;
        }
        http::RequestHead& request = exchange.request;
        if (config.http_method) {
            request.method = method_;
            request.method_token = *config.http_method;
        }
        // By the type that the client said; the body's edits go by what the upstream will be told, as in Kong.
        bool moves_form = takes_form() && exchange.has_request_body() && kind_of_body(request) == BodyKind::form;
        if (!edit_headers(exchange, values)) return fail(exchange, base::Error::us(base::Code::invalid, bad_header));
        bool edits_body = !body_.empty() && kind_of_body(request) != BodyKind::other;
        if ((moves_form || edits_body) && exchange.has_request_body()) {
            exchange.make_note<Pending>(values, moves_form);
            return Verdict::wait;
        }
        Verdict verdict = edits_body ? edit_body(exchange, {}, values) : Verdict::go_on;
        if (verdict == Verdict::go_on) edit_query(exchange, values);
        return verdict;
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        const Pending& pending = *exchange.note<Pending>();
        base::Result<std::string_view> body = co_await exchange.read_request_body(max_body_bytes);
        if (!body) {
            int status = body.error().status != 0 ? body.error().status : 400;
            co_return reply_error(exchange, status, {}, ErrorKind::server);
        }
        Verdict verdict = pending.moves_form ? move_form(exchange, *body) : edit_body(exchange, *body, pending.values);
        if (verdict == Verdict::go_on) edit_query(exchange, pending.values);
        co_return verdict;
    }

  private:
    struct Pending {
        Values values;
        bool moves_form = false;
    };
    static constexpr const char* bad_header = "a header value with control characters";

    // ---- settings

    base::Result<void> collect(std::vector<Edit>& edits, const Texts& remove, const Texts& rename, const Texts& replace,
                               const Texts& add, const Texts& append) {
        for (const std::string& text : remove) edits.push_back({.kind = Kind::remove, .name = text});
        for (auto [kind, texts] : {std::pair{Kind::rename, &rename}, std::pair{Kind::replace, &replace},
                                   std::pair{Kind::add, &add}, std::pair{Kind::append, &append}})
            for (const std::string& text : *texts) {
                NameValue pair = split_name_value(text);
                Edit edit{.kind = kind,
                          .name = std::string(pair.name),
                          .text = std::string(pair.value),
                          .has_value = !pair.value.empty()};
                TRY(compiled, Template::compile(pair.value));
                if (kind != Kind::rename && !compiled.is_plain()) {
                    edit.template_index = templates_.size();
                    templates_.push_back(std::move(compiled));
                }
                edits.push_back(std::move(edit));
            }
        return base::success();
    }

    // ---- values

    base::Result<void> render(Exchange& exchange, Values& values, Rendered& path) const {
        if (templates_.empty() && !uri_) return base::success();
        RequestEnvironment environment(exchange);
        auto render_one = [&](const Template& source, Rendered& out) -> base::Result<void> {
            TRY(rendered, source.render(environment, exchange.arena));
            out = {rendered.text, rendered.has_nil && rendered.text.empty()};
            return base::success();
        };
        if (uri_) TRY_VOID(render_one(*uri_, path));
        auto* all = static_cast<Rendered*>(
            exchange.arena.allocate((templates_.size() + 1) * sizeof(Rendered), alignof(Rendered)));
        for (std::size_t i = 0; i < templates_.size(); ++i) {
            new (all + i) Rendered;
            TRY_VOID(render_one(templates_[i], all[i]));
        }
        values.all = all;
        return base::success();
    }

    static Verdict fail(Exchange& exchange, const base::Result<void>& result) {
        // The detail says what went wrong, not with which value.
        observe::log(observe::Level::error, "plugin", "[request-transformer] failed to render the template",
                     {{"detail", result.error().detail}, {"request_id", exchange.id()}});
        return reply_message(exchange, 500, "An unexpected error occurred");
    }

    // ---- path and method

    Verdict replace_path(Exchange& exchange, std::string_view path) const {
        http::RequestHead& request = exchange.request;
        if (!path.starts_with('/')) return fail(exchange, base::Error::us(base::Code::invalid, "uri is not a path"));
        base::Arena& arena = exchange.arena;
        std::size_t question = path.find('?');
        if (question != path.npos && config.replace.uri->find('?') != std::string::npos) {
            // The operator's own arguments, before those of the request.
            std::string_view own = path.substr(question + 1);
            request.query = request.has_query ? arena.join(own, "&", request.query) : own;
            request.has_query = true;
            path = path.substr(0, question);
        } else if (question != path.npos) {
            // It came with a value, which is to be a part of the path.
            std::string escaped;
            for (char c : path) c == '?' ? escaped += "%3F" : escaped += c;
            path = arena.copy(escaped);
        }
        // Nobody leaves, by what he sends, the part of the upstream that the operator wrote down.
        if (!uri_->is_plain() && http::has_dot_segment(path)) return refuse(exchange, 400, {});
        exchange.upstream_path = path;
        return Verdict::go_on;
    }

    [[nodiscard]] bool takes_form() const {
        return config.http_method &&
               (method_ == http::Method::get || method_ == http::Method::head || method_ == http::Method::trace);
    }
    static Verdict move_form(Exchange& exchange, std::string_view body) {
        if (std::count(body.begin(), body.end(), '&') >= max_form_arguments) return refuse(exchange, 413, {});
        Arguments query(exchange.request.query, exchange.arena);
        query.append(Arguments(body, exchange.arena));
        take_query(exchange, query);
        exchange.replace_request_body({});
        return Verdict::go_on;
    }

    // ---- header fields

    // False: a value that may not stand in a header.
    bool edit_headers(Exchange& exchange, const Values& values) const {
        http::Headers& headers = exchange.request.headers;
        for (const Edit& edit : headers_) {
            if (is_host(edit.name)) continue;
            Values::Value value = values.of(edit);
            if (!http::all_are(value.text, http::character::field_value)) return false;
            switch (edit.kind) {
                case Kind::remove:
                    headers.remove(edit.name);
                    break;
                case Kind::rename:
                    rename_header(headers, edit.name, edit.text, exchange.arena);
                    break;
                case Kind::replace:
                    if (!headers.has(edit.name)) break;
                    if (value.is_set)
                        headers.set(edit.name, value.text);
                    else
                        headers.remove(edit.name);
                    break;
                case Kind::add:
                    if (value.is_set && !headers.has(edit.name)) headers.add(edit.name, value.text);
                    break;
                case Kind::append:
                    if (value.is_set) headers.add(edit.name, value.text);
                    break;
            }
        }
        return true;
    }

    // ---- body

    Verdict edit_body(Exchange& exchange, std::string_view body, const Values& values) const {
        switch (kind_of_body(exchange.request)) {
            case BodyKind::json:
                return edit_json_body(exchange, body, values);
            case BodyKind::form:
                return edit_form(exchange, body, values);
            case BodyKind::multipart:
                return edit_multipart_body(exchange, body, values);
            case BodyKind::other:
                break;
        }
        return Verdict::go_on;
    }

    // Nothing is removed, renamed or replaced in a body that is not there.
    template <typename Each>
    void each_body_edit(std::string_view body, const Values& values, Each each) const {
        for (const Edit& edit : body_) {
            bool is_new = edit.kind == Kind::add || edit.kind == Kind::append;
            Values::Value value = values.of(edit);
            if (is_new ? !value.is_set : body.empty()) continue;
            each(edit, value);
        }
    }

    Verdict edit_json_body(Exchange& exchange, std::string_view body, const Values& values) const {
        base::Arena& arena = exchange.arena;
        auto* edits = static_cast<JsonEdit*>(arena.allocate((body_.size() + 1) * sizeof(JsonEdit), alignof(JsonEdit)));
        std::size_t count = 0;
        each_body_edit(body, values, [&](const Edit& edit, const Values::Value& value) {
            bool is_name = edit.kind == Kind::rename;
            bool is_removed = edit.kind == Kind::remove || (edit.kind == Kind::replace && !value.is_set);
            new (edits + count++) JsonEdit{is_removed ? JsonEdit::Kind::remove : json_kind(edit.kind), edit.name,
                                           is_name ? value.text : json_text(value.text, arena)};
        });
        JsonEdited edited = edit_json(body, {edits, count}, arena);
        if (edited.outcome == JsonEdited::Outcome::too_large) return refuse(exchange, 413, {});
        if (edited.outcome == JsonEdited::Outcome::edited) exchange.replace_request_body(edited.text);
        return Verdict::go_on;
    }
    static JsonEdit::Kind json_kind(Kind kind) {
        static constexpr JsonEdit::Kind kinds[] = {JsonEdit::Kind::remove, JsonEdit::Kind::rename,
                                                   JsonEdit::Kind::replace, JsonEdit::Kind::add,
                                                   JsonEdit::Kind::append};
        return kinds[static_cast<std::size_t>(kind)];
    }

    Verdict edit_form(Exchange& exchange, std::string_view body, const Values& values) const {
        if (std::count(body.begin(), body.end(), '&') >= max_form_arguments) return refuse(exchange, 413, {});
        Arguments form(body, exchange.arena);
        each_body_edit(body, values, [&](const Edit& edit, const Values::Value& value) { apply(form, edit, value); });
        if (form.is_changed()) exchange.replace_request_body(form.written(Arguments::Order::as_given));
        return Verdict::go_on;
    }

    Verdict edit_multipart_body(Exchange& exchange, std::string_view body, const Values& values) const {
        base::Arena& arena = exchange.arena;
        auto* edits = static_cast<MultipartEdit*>(
            arena.allocate((body_.size() + 1) * sizeof(MultipartEdit), alignof(MultipartEdit)));
        std::size_t count = 0;
        // Here Kong renames before it removes, and appends nothing.
        auto collect_kind = [&](Kind kind, MultipartEdit::Kind as) {
            each_body_edit(body, values, [&](const Edit& edit, const Values::Value& value) {
                if (edit.kind != kind) return;
                bool is_removed = kind == Kind::replace && !value.is_set;
                new (edits + count++)
                    MultipartEdit{is_removed ? MultipartEdit::Kind::remove : as, edit.name, value.text};
            });
        };
        collect_kind(Kind::rename, MultipartEdit::Kind::rename);
        collect_kind(Kind::remove, MultipartEdit::Kind::remove);
        collect_kind(Kind::replace, MultipartEdit::Kind::replace);
        collect_kind(Kind::add, MultipartEdit::Kind::add);
        std::string_view type = exchange.request.headers.first(http::Known::content_type);
        MultipartEdited edited = edit_multipart(body, type, {edits, count}, arena);
        if (edited.outcome == MultipartEdited::Outcome::too_large) return refuse(exchange, 413, {});
        if (edited.outcome == MultipartEdited::Outcome::edited) exchange.replace_request_body(edited.text);
        return Verdict::go_on;
    }

    // ---- query

    static void apply(Arguments& arguments, const Edit& edit, const Values::Value& value) {
        switch (edit.kind) {
            case Kind::remove:
                arguments.remove(edit.name);
                break;
            case Kind::rename:
                arguments.rename(edit.name, value.text);
                break;
            case Kind::replace:
                if (value.is_set)
                    arguments.replace(edit.name, value.text);
                else
                    arguments.remove(edit.name);
                break;
            case Kind::add:
                arguments.add(edit.name, value.text);
                break;
            case Kind::append:
                arguments.append(edit.name, value.text);
                break;
        }
    }
    void edit_query(Exchange& exchange, const Values& values) const {
        if (query_.empty()) return;
        Arguments query(exchange.request.query, exchange.arena);
        for (const Edit& edit : query_) {
            Values::Value value = values.of(edit);
            // kong.md 4.11: what is unresolved adds nothing. It does replace: a client's own value must not stay.
            bool is_new = edit.kind == Kind::add || edit.kind == Kind::append;
            if (!is_new || value.is_there) apply(query, edit, value);
        }
        if (query.is_changed()) take_query(exchange, query);
    }
    static void take_query(Exchange& exchange, const Arguments& query) {
        exchange.request.query = query.written(Arguments::Order::by_name);
        exchange.request.has_query = !exchange.request.query.empty();
    }

    std::vector<Edit> headers_, query_, body_;  // each in the order of its edits
    std::vector<Template> templates_;
    std::optional<Template> uri_;
    http::Method method_ = http::Method::get;
};
REGISTER_PLUGIN(RequestTransformer);

}  // namespace plugin
