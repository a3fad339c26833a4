// Host and port of a Host field or a request target (RFC 9110 7.2, RFC 3986 3.2.2, 3.2.3), checked and split.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

struct Authority {
    std::string_view text;   // host[:port] as received, without the colon of an empty port
    std::string_view host;   // case as received; an IPv6 address with its brackets
    std::uint16_t port = 0;  // 0: none given
};

// Nothing for: an empty host, userinfo, characters outside reg-name, a bad address in brackets, a port that is not 1 to
// 65535. A percent-encoded host is refused too, since two readers may decode it differently. Views point into `text`.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

}  // namespace http
