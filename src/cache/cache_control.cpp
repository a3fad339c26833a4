#include "cache/cache_control.h"

#include <algorithm>

#include "http/characters.h"

namespace cache {

namespace {

using http::equals_ignore_case;

// Position behind the quoted string that begins at `at` (RFC 9110 5.6.4); the end of the text if it has no end.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"') {
            return at + 1;
        }
    }
    return text.size();
}

std::size_t find_comma(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && text[at] != ',') at = text[at] == '"' ? skip_quoted(text, at) : at + 1;
    return at;
}

std::string_view unquoted(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
    return value;
}

void keep_smallest(std::optional<std::int64_t>& kept, std::int64_t value) {
    kept = kept ? std::min(*kept, value) : value;
}

std::int64_t seconds_or(const Directive& directive, std::int64_t otherwise) {
    return parse_delta_seconds(directive.value).value_or(otherwise);
}

// The qualified form names fields; anything else under that name speaks of the whole response.
void take_fields(const Directive& directive, FieldLists& fields, bool& whole) {
    std::string_view list = directive.value;
    std::string_view field;
    bool any = false;
    bool good = directive.has_value && fields.count < FieldLists::most;
    while (good && http::next_element(list, field)) {
        good = http::is_token(field);
        any = true;
    }
    if (good && any) {
        fields.lists[fields.count++] = directive.value;
    } else {
        whole = true;
    }
}

void take(RequestControl& control, const Directive& directive) {
    std::string_view name = directive.name;
    // A limit that cannot be read is the strictest one: the client gets a fresh answer from the upstream.
    if (equals_ignore_case(name, "max-age")) {
        keep_smallest(control.max_age, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "min-fresh")) {
        std::int64_t value = seconds_or(directive, most_delta);
        control.min_fresh = std::max(control.min_fresh.value_or(0), value);
    } else if (equals_ignore_case(name, "max-stale")) {
        keep_smallest(control.max_stale, directive.has_value ? seconds_or(directive, 0) : any_staleness);
    } else if (equals_ignore_case(name, "stale-if-error")) {
        keep_smallest(control.stale_if_error, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "no-cache")) {
        control.no_cache = true;
    } else if (equals_ignore_case(name, "no-store")) {
        control.no_store = true;
    } else if (equals_ignore_case(name, "only-if-cached")) {
        control.only_if_cached = true;
    }
}

void take(ResponseControl& control, const Directive& directive) {
    std::string_view name = directive.name;
    if (equals_ignore_case(name, "max-age")) {
        keep_smallest(control.max_age, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "s-maxage")) {
        keep_smallest(control.s_maxage, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "stale-while-revalidate")) {
        keep_smallest(control.stale_while_revalidate, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "stale-if-error")) {
        keep_smallest(control.stale_if_error, seconds_or(directive, 0));
    } else if (equals_ignore_case(name, "no-store")) {
        control.no_store = true;
    } else if (equals_ignore_case(name, "no-cache")) {
        take_fields(directive, control.no_cache_fields, control.no_cache);
    } else if (equals_ignore_case(name, "private")) {
        take_fields(directive, control.private_fields, control.is_private);
    } else if (equals_ignore_case(name, "public")) {
        control.is_public = true;
    } else if (equals_ignore_case(name, "must-revalidate")) {
        control.must_revalidate = true;
    } else if (equals_ignore_case(name, "proxy-revalidate")) {
        control.proxy_revalidate = true;
    } else if (equals_ignore_case(name, "must-understand")) {
        control.must_understand = true;
    }
}

template <typename Control>
void take_all(Control& control, const http::Headers& headers) {
    headers.all(http::Known::cache_control, [&control](std::string_view line) {
        Directives directives(line);
        Directive directive;
        while (directives.next(directive)) take(control, directive);
    });
}

}  // namespace

std::optional<std::int64_t> parse_delta_seconds(std::string_view text) {
    if (text.empty()) return {};
    std::int64_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return {};
        value = std::min(value * 10 + (c - '0'), most_delta);
    }
    return value;
}

bool Directives::next(Directive& directive) {
    while (!rest_.empty()) {
        std::size_t end = find_comma(rest_);
        std::string_view element = http::trim(rest_.substr(0, end));
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (element.empty()) continue;
        std::size_t equals = element.find('=');
        directive.has_value = equals != std::string_view::npos;
        // Blanks around '=' are not in the grammar. The name still counts, so that `no-store =x` forbids; a number
        // behind a blank stays unreadable.
        directive.name = http::trim(element.substr(0, equals));
        directive.value = directive.has_value ? unquoted(element.substr(equals + 1)) : std::string_view();
        if (directive.has_value && directive.name.size() != equals) directive.value = " ";
        return true;
    }
    return false;
}

bool FieldLists::names(std::string_view field) const {
    for (std::size_t i = 0; i < count; ++i) {
        std::string_view list = lists[i];
        std::string_view element;
        while (http::next_element(list, element)) {
            if (equals_ignore_case(element, field)) return true;
        }
    }
    return false;
}

RequestControl parse_request_control(const http::Headers& request) {
    RequestControl control;
    if (!request.has_any(http::bit(http::Known::cache_control) | http::bit(http::Known::pragma))) return control;
    take_all(control, request);
    if (!request.has(http::Known::cache_control)) {
        request.all(http::Known::pragma, [&control](std::string_view line) {
            Directives directives(line);
            Directive directive;
            while (directives.next(directive)) {
                if (equals_ignore_case(directive.name, "no-cache")) control.no_cache = true;
            }
        });
    }
    return control;
}

ResponseControl parse_response_control(const http::Headers& response) {
    ResponseControl control;
    take_all(control, response);
    return control;
}

std::int64_t parse_age(const http::Headers& response) {
    if (!response.has(http::Known::age)) return 0;
    if (response.count(http::Known::age) > 1) return most_delta;
    return parse_delta_seconds(response.first(http::Known::age)).value_or(most_delta);
}

}  // namespace cache
