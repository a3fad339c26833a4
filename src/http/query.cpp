#include "http/query.h"

#include <cstddef>

#include "http/characters.h"

namespace http {

bool QueryArguments::next(QueryArgument& argument) {
    while (!rest_.empty()) {
        std::size_t end = rest_.find('&');
        std::string_view item = rest_.substr(0, end);
        rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
        if (item.empty()) continue;
        std::size_t equals = item.find('=');
        argument.has_value = equals != std::string_view::npos;
        argument.name = item.substr(0, equals);
        argument.value = argument.has_value ? item.substr(equals + 1) : std::string_view();
        return true;
    }
    return false;
}

std::string_view decode_argument(std::string_view text, base::Arena& arena) {
    if (text.find_first_of("%+") == std::string_view::npos) return text;
    char* start = arena.bytes(text.size());
    char* at = start;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            c = static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        }
        *at++ = c;
    }
    return {start, static_cast<std::size_t>(at - start)};
}

std::optional<std::string_view> find_argument(std::string_view query, std::string_view name, base::Arena& arena) {
    QueryArguments arguments(query);
    for (QueryArgument argument; arguments.next(argument);) {
        if (decode_argument(argument.name, arena) == name) return decode_argument(argument.value, arena);
    }
    return {};
}

}  // namespace http
