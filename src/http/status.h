// Status codes: reason phrases (RFC 9110 15 and the IANA registry) and which responses cannot have content.
#pragma once

#include <string_view>

namespace http {

// Empty for codes without a registered phrase.
[[nodiscard]] std::string_view reason_phrase(int status);

// RFC 9110 6.4.1: never has content, whatever its header fields say. (HEAD and CONNECT are the caller's to know.)
[[nodiscard]] constexpr bool is_bodiless(int status) {
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}
[[nodiscard]] constexpr bool is_informational(int status) { return status >= 100 && status < 200; }

}  // namespace http
