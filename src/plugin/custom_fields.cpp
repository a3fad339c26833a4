#include "plugin/custom_fields.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "plugin/json_edit.h"
#include "plugin/template_code.h"
#include "plugin/template_request.h"

namespace plugin {

namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    std::size_t start = std::min(text.find_first_not_of(blanks), text.size());
    std::size_t end = text.find_last_not_of(blanks);
    return end == text.npos ? std::string_view() : text.substr(start, end + 1 - start);
}

// The expression of `return EXPRESSION`.
std::optional<std::string_view> returned(std::string_view chunk) {
    constexpr std::string_view word = "return";
    chunk = trimmed(chunk);
    if (!chunk.starts_with(word)) return {};
    std::string_view rest = chunk.substr(word.size());
    if (!rest.empty() && blanks.find(rest[0]) == rest.npos && rest[0] != '(' && rest[0] != '"' && rest[0] != '\'')
        return {};
    rest = trimmed(rest);
    if (rest.ends_with(';')) rest = trimmed(rest.substr(0, rest.size() - 1));
    return rest;
}

// Kong's functions as the names that templates have for the same: kong.request.get_header("x") is headers["x"].
std::string with_own_names(std::string_view expression) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> calls{
        {{"kong.request.get_header(", "headers["}, {"kong.request.get_query_arg(", "query_params["}}};
    std::string out;
    char quote = 0;
    bool is_call = false;  // up to its closing parenthesis
    for (std::size_t at = 0; at < expression.size();) {
        std::string_view rest = expression.substr(at);
        const auto* call =
            std::find_if(calls.begin(), calls.end(), [&](const auto& entry) { return rest.starts_with(entry.first); });
        if (quote == 0 && !is_call && call != calls.end()) {
            out += call->second;
            is_call = true;
            at += call->first.size();
            continue;
        }
        char letter = rest[0];
        if (quote != 0 && letter == '\\' && rest.size() > 1) {
            out += rest.substr(0, 2);
            at += 2;
            continue;
        }
        if (quote != 0)
            quote = letter == quote ? 0 : quote;
        else if (letter == '"' || letter == '\'')
            quote = letter;
        bool is_end = quote == 0 && is_call && letter == ')';
        is_call = is_call && !is_end;
        out += is_end ? ']' : letter;
        ++at;
    }
    return out;
}

}  // namespace

base::Result<CustomFields> CustomFields::compile(const CustomFieldTexts& texts) {
    CustomFields out;
    for (const auto& [name, chunk] : texts) {
        auto fault = [&](std::string_view what) {
            return base::Error::us(base::Code::invalid, name + ": " + std::string(what));
        };
        if (name.find('.') != name.npos) return fault("names with a dot are not served");
        std::optional<std::string_view> expression = returned(chunk);
        if (!expression)
            return fault("only `return` and an expression is served, such as `return headers[\"x-tenant\"]`");
        double number = 0;
        bool is_literal = *expression == "true" || *expression == "false";
        // JSON has neither a plus sign nor hexadecimal numbers.
        bool is_number = expression->find_first_not_of("0123456789.-") == expression->npos && !expression->empty() &&
                         expression->front() != '.' && expression->back() != '.' &&
                         (expression->size() == 1 || expression->front() != '0' || (*expression)[1] == '.') &&
                         template_code::read_number(*expression, number);
        if (expression->empty() || *expression == "nil") {
            out.members_.push_back({name, std::string()});
        } else if (is_literal || is_number) {
            out.members_.push_back({name, std::string(*expression)});
        } else {
            auto compiled = Template::compile("$(" + with_own_names(*expression) + ")");
            if (!compiled)
                return fault("only the expressions of request-transformer's templates are served (" +
                             compiled.error().detail + ")");
            out.members_.push_back({name, std::move(*compiled)});
        }
    }
    return out;
}

void CustomFields::check(const CustomFieldTexts& texts, schema::Checks& checks) {
    if (auto compiled = compile(texts); !compiled) checks.field("custom_fields_by_lua", compiled.error().detail);
}

std::string_view CustomFields::apply(Exchange& exchange, std::string_view record) const {
    if (members_.empty()) return record;
    RequestEnvironment environment(exchange);
    std::vector<JsonEdit> edits;
    for (const Member& member : members_) {
        std::string_view value;
        if (const auto* json = std::get_if<std::string>(&member.value)) {
            value = *json;
        } else {
            // What Lua would call an error leaves the member out, as nil does.
            auto rendered = std::get<Template>(member.value).render(environment, exchange.arena);
            if (rendered && !rendered->has_nil) value = json_text(rendered->text, exchange.arena);
        }
        edits.push_back({JsonEdit::Kind::remove, member.name, {}});
        if (!value.empty()) edits.push_back({JsonEdit::Kind::add, member.name, value});
    }
    return edit_json(record, edits, exchange.arena).text;
}

}  // namespace plugin
