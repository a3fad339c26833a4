#include "cache/vary.h"

#include <algorithm>
#include <vector>

#include "http/characters.h"

namespace cache {

namespace {

void append_lower(std::string& to, std::string_view text) {
    for (char c : text) to.push_back(http::lower(c));
}

enum class Form : std::uint8_t {
    opaque,       // nothing known: only lines are joined
    list,         // comma-separated, blanks around elements mean nothing
    folded_list,  // the same, and case means nothing (RFC 9110 12.5.3, 12.5.4)
};

Form form_of(std::string_view name) {
    if (name == "accept-encoding" || name == "accept-language") return Form::folded_list;
    if (name == "accept" || name == "accept-charset") return Form::list;
    return Form::opaque;
}

// One line of a list field: elements joined by ",", blanks outside quoted strings dropped.
void append_list(std::string& to, std::string_view line, bool fold, bool& first) {
    std::string element;
    bool quoted = false;
    auto end_element = [&] {
        if (element.empty()) return;
        if (!first) to.push_back(',');
        to += element;
        element.clear();
        first = false;
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        char c = line[i];
        if (quoted && c == '\\' && i + 1 < line.size()) {
            element.push_back(c);
            element.push_back(line[++i]);
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (!quoted && (c == ' ' || c == '\t')) continue;
        if (!quoted && c == ',') {
            end_element();
            continue;
        }
        element.push_back(fold && !quoted ? http::lower(c) : c);
    }
    end_element();
}

void append_value(std::string& to, std::string_view name, const http::Headers& request) {
    Form form = form_of(name);
    bool first = true;
    request.all(name, [&](std::string_view line) {
        if (form != Form::opaque) return append_list(to, line, form == Form::folded_list, first);
        // RFC 9110 5.3: lines of one field are one list. Cookie pairs are joined by ';' (RFC 9113 8.2.3).
        if (!first) to += name == "cookie" ? "; " : ", ";
        to += http::trim(line);
        first = false;
    });
}

}  // namespace

VaryNames VaryNames::of(const http::Headers& response) {
    VaryNames out;
    if (!response.has(http::Known::vary)) return out;
    std::vector<std::string> names;
    response.all(http::Known::vary, [&](std::string_view line) {
        std::string_view element;
        while (http::next_element(line, element)) {
            if (element == "*" || !http::is_token(element) || names.size() > 4 * most_names) {
                out.kind_ = Kind::any;
                return;
            }
            append_lower(names.emplace_back(), element);
        }
    });
    if (out.kind_ == Kind::any || names.empty()) return out;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& name : names) {
        if (!out.text_.empty()) out.text_.push_back(',');
        out.text_ += name;
    }
    out.kind_ = Kind::fields;
    if (names.size() > most_names || out.text_.size() > most_bytes) {
        out.kind_ = Kind::any;
        out.text_.clear();
    }
    return out;
}

VaryNames VaryNames::from_text(std::string_view text) {
    VaryNames out;
    http::Headers headers;
    headers.add(http::Known::vary, text);
    out = of(headers);
    if (out.kind_ == Kind::fields && out.text_ == text) return out;
    out.kind_ = Kind::any;
    out.text_.clear();
    return out;
}

void append_variant(std::string& key, std::string_view names, const http::Headers& request) {
    std::string_view name;
    std::string value;
    while (http::next_element(names, name)) {
        key += name;
        if (!request.has(name)) {
            key += "-;";
            continue;
        }
        value.clear();
        append_value(value, name, request);
        // The length in front: no value can pass for the end of itself and the beginning of the next.
        key.push_back('=');
        key += std::to_string(value.size());
        key.push_back(':');
        key += value;
        key.push_back(';');
    }
}

}  // namespace cache
