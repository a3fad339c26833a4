#include "http/method.h"

#include <array>
#include <cstddef>

namespace http {

namespace {
// In the order of Method.
constexpr std::array<std::string_view, 9> names = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                                   "PATCH", "OPTIONS", "TRACE", "CONNECT"};
}  // namespace

Method method_of(std::string_view token) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (token == names[i]) return static_cast<Method>(i);
    }
    return Method::other;
}

std::string_view name(Method method) {
    return method == Method::other ? std::string_view() : names[static_cast<std::size_t>(method)];
}

bool is_upper_case(std::string_view token) {
    for (char c : token) {
        if ((c < 'A' || c > 'Z') && c != '-' && c != '_') return false;
    }
    return true;
}

}  // namespace http
