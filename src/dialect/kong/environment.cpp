#include "dialect/kong/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "schema/node.h"

namespace kong {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// `"X"` or, inside a JSON string, `\"X\"`, or a Go raw string.
std::optional<std::string_view> unquoted(std::string_view text) {
    for (std::string_view quote : {"\"", "\\\"", "`"}) {
        if (text.size() >= 2 * quote.size() && text.starts_with(quote) && text.ends_with(quote)) {
            return text.substr(quote.size(), text.size() - 2 * quote.size());
        }
    }
    return std::nullopt;
}

struct Expansion {
    std::string value;
    std::string fault;
    std::string hint;
};

std::string filtered(std::string_view filter, std::string& value) {
    if (filter == "toBool") {
        for (std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
            if (value == word) return value = "true", std::string();
        }
        for (std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
            if (value == word) return value = "false", std::string();
        }
        return "the variable's value is not a boolean";
    }
    if (filter == "toInt" || filter == "toFloat") {
        double number = 0;
        auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        bool whole = filter == "toFloat" || value.find_first_of(".eE") == std::string::npos;
        if (value.empty() || error != std::errc() || end != value.data() + value.size() || !whole) {
            return filter == "toInt" ? "the variable's value is not an integer"
                                     : "the variable's value is not a number";
        }
        return {};
    }
    if (filter.starts_with("indent ")) {
        std::string_view digits = trimmed(filter.substr(7));
        unsigned width = 0;
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
        constexpr unsigned widest = 200;
        if (error != std::errc() || end != digits.data() + digits.size() || width > widest)
            return "indent takes a number of blanks";
        std::string out;
        for (char c : value) {
            out += c;
            if (c == '\n') out.append(width, ' ');
        }
        value = std::move(out);
        return {};
    }
    return fmt::format("unknown filter '{}'", filter);
}

Expansion expand(std::string_view inside, const Environment& environment) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= inside.size();) {
        std::size_t bar = std::min(inside.find('|', at), inside.size());
        parts.push_back(trimmed(inside.substr(at, bar - at)));
        at = bar + 1;
    }
    std::string_view call = parts.front();
    // toBool (env "X") and the like: the filter in front.
    if (std::size_t open = call.find('('); open != std::string_view::npos && call.ends_with(')')) {
        parts.push_back(trimmed(call.substr(0, open)));
        call = trimmed(call.substr(open + 1, call.size() - open - 2));
    }
    if (!call.starts_with("env "))
        return {{}, fmt::format("'{}' is not understood", call), "only `env \"DECK_...\"` is"};
    std::optional<std::string_view> name = unquoted(trimmed(call.substr(4)));
    if (!name) return {{}, "the name of the variable must stand in quotes", {}};
    if (!name->starts_with("DECK_")) {
        return {
            {},
            fmt::format("environment variables in the state file must be prefixed with 'DECK_', found: '{}'", *name),
            {}};
    }
    std::optional<std::string> value = environment ? environment(*name) : std::nullopt;
    if (!value) {
        return {{},
                fmt::format("environment variable '{}' present in state file but not set", *name),
                fmt::format("set {} before starting", *name)};
    }
    Expansion out{std::move(*value), {}, {}};
    for (std::size_t i = 1; i < parts.size() && out.fault.empty(); ++i) out.fault = filtered(parts[i], out.value);
    return out;
}

// Turns offsets, asked for in rising order, into places.
class Places {
  public:
    Places(std::string_view text, std::uint16_t file) : text_(text), file_(file) {}
    schema::Mark at(std::size_t offset) {
        for (; counted_ < offset; ++counted_) {
            if (text_[counted_] != '\n') continue;
            ++line_;
            start_ = counted_ + 1;
        }
        return {.line = line_,
                .byte = static_cast<std::uint32_t>(offset),
                .column = static_cast<std::uint16_t>(std::min<std::size_t>(offset - start_ + 1, 65535)),
                .file = file_};
    }

  private:
    std::string_view text_;
    std::uint16_t file_;
    std::size_t counted_ = 0;
    std::uint32_t line_ = 1;
    std::size_t start_ = 0;
};

}  // namespace

std::string with_deck_variables(std::string_view text, std::uint16_t file, const Environment& environment,
                                std::size_t limit, schema::Problems& problems) {
    Places places(text, file);
    constexpr std::string_view open = "${{";
    constexpr std::string_view close = "}}";
    std::string out;
    std::size_t done = 0;
    for (std::size_t at = text.find(open); at != std::string_view::npos; at = text.find(open, done)) {
        std::size_t end = text.find(close, at);
        constexpr std::size_t longest = 512;
        std::string fault;
        std::string hint;
        out += text.substr(done, at - done);
        if (end == std::string_view::npos || end - at > longest) {
            fault = "'${{' without '}}'";
            end = at + open.size();
            out += text.substr(at, open.size());
            done = end;
        } else {
            Expansion expansion = expand(trimmed(text.substr(at + open.size(), end - at - open.size())), environment);
            fault = std::move(expansion.fault);
            hint = std::move(expansion.hint);
            out += fault.empty() ? expansion.value : std::string(text.substr(at, end + close.size() - at));
            done = end + close.size();
        }
        if (fault.empty() && out.size() > limit) {
            fault = fmt::format("the values of variables make the text larger than {} bytes", limit);
        }
        if (fault.empty()) continue;
        problems.add({schema::Severity::error, places.at(at), {}, std::move(fault), std::move(hint), {}, false});
        if (out.size() > limit || problems.errors() >= schema::Problems::limit) break;
    }
    out += text.substr(done);
    return out;
}

std::optional<std::string> resolve(std::string_view reference, const Vaults& vaults, const Environment& environment) {
    constexpr std::string_view head = "{vault://";
    std::string_view rest = reference.substr(head.size(), reference.size() - head.size() - 1);
    std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    std::string_view vault_name = rest.substr(0, slash);
    rest = rest.substr(slash + 1);
    std::string_view version;
    if (std::size_t mark = rest.find('#'); mark != std::string_view::npos) {
        version = rest.substr(mark + 1);
        rest = rest.substr(0, mark);
    }
    std::string prefix;
    if (std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
        std::string_view options = rest.substr(mark + 1);
        if (options.starts_with("prefix=")) prefix = options.substr(7, options.find('&') - 7);
        rest = rest.substr(0, mark);
    }
    std::string_view resource = rest.substr(0, rest.find('/'));
    std::string_view key = resource.size() < rest.size() ? rest.substr(resource.size() + 1) : std::string_view();
    auto vault = vaults.find(vault_name);
    if ((vault == vaults.end() && vault_name != "env") || resource.empty() || !environment) return std::nullopt;
    if (prefix.empty() && vault != vaults.end()) prefix = vault->second.variable_prefix;
    std::string name;
    for (char c : prefix + std::string(resource))
        name += c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    if (version == "2") name += "_PREVIOUS";
    std::optional<std::string> value = environment(name);
    if (!value || key.empty()) return value;
    schema::Limits small{.bytes = 1 << 20, .depth = 16, .nodes = 10000, .alias_nodes = 0};
    schema::ParseResult parsed = schema::parse_json(*value, 0, small);
    const auto* tree = std::get_if<schema::Tree>(&parsed);
    const schema::Node* member = tree == nullptr ? nullptr : tree->root().find(key);
    if (member == nullptr) return std::nullopt;
    if (member->is(schema::Kind::text)) return std::string(member->text());
    if (member->is(schema::Kind::integer)) return std::to_string(member->as_integer());
    if (member->is(schema::Kind::number)) return fmt::format("{}", member->as_number());
    if (member->is(schema::Kind::boolean)) return member->as_boolean() ? "true" : "false";
    return std::nullopt;
}

}  // namespace kong
