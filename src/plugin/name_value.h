// Settings of the form "name:value", as the transformers have them: split once, checked with Kong's messages.
#pragma once

#include <string>
#include <string_view>

#include "http/characters.h"
#include "schema/rules.h"

namespace plugin {

struct NameValue {
    std::string_view name;
    std::string_view value;  // everything behind the first colon
};

constexpr NameValue split_name_value(std::string_view text) {
    std::size_t colon = text.find(':');
    if (colon == text.npos) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

namespace detail {
inline std::string fault_of_pair(std::string_view text) {
    bool is_pair = text.find(':') != text.npos && !text.starts_with(':');
    return is_pair ? std::string() : "invalid value: " + std::string(text);
}
inline std::string fault_of_header(std::string_view name) {
    return http::is_token(name) ? std::string() : "'" + std::string(name) + "' is not a valid header";
}
}  // namespace detail

inline constexpr schema::Format name_and_value{"^[^:]+:.*$", detail::fault_of_pair};
inline constexpr schema::Format header_name{"a header name", detail::fault_of_header};
inline constexpr schema::Format header_and_value{
    "header:value", [](std::string_view text) {
        std::string fault = detail::fault_of_pair(text);
        return fault.empty() ? detail::fault_of_header(split_name_value(text).name) : fault;
    }};
inline constexpr schema::Format header_and_header{
    "header:header", [](std::string_view text) {
        std::string fault = header_and_value.check(text);
        return fault.empty() ? detail::fault_of_header(split_name_value(text).value) : fault;
    }};

}  // namespace plugin
