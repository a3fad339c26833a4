// Request methods (RFC 9110 9): the well-known ones as an enum, any other token as `other` beside its text.
// Methods are case-sensitive; the dialect decides which of them it serves.
#pragma once

#include <cstdint>
#include <string_view>

namespace http {

enum class Method : std::uint8_t { get, head, post, put, delete_, patch, options, trace, connect, other };

// `other` for every token that is not exactly one of the known names.
[[nodiscard]] Method method_of(std::string_view token);
// The token of a known method; empty for `other`.
[[nodiscard]] std::string_view name(Method method);

// RFC 9110 9.2.1.
[[nodiscard]] constexpr bool is_safe(Method method) {
    return method == Method::get || method == Method::head || method == Method::options || method == Method::trace;
}
// RFC 9110 9.2.2: repeating it changes nothing more, so it may be sent again.
[[nodiscard]] constexpr bool is_idempotent(Method method) {
    return is_safe(method) || method == Method::put || method == Method::delete_;
}
// Only A-Z, '-' and '_': what Kong (nginx) takes for a method. Others it answers with 400.
[[nodiscard]] bool is_upper_case(std::string_view token);

}  // namespace http
