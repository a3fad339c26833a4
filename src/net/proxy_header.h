// The header of the PROXY protocol (haproxy's, versions 1 and 2): the first bytes of a connection, in which a proxy
// says whose connection it carries on. Read from bytes of anybody; whether the proxy is to be believed is asked
// elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"

namespace net {

struct ProxiedAddresses {
    SocketAddress source;
    SocketAddress destination;
};

struct ProxyHeader {
    static constexpr std::size_t most_bytes =
        4096;  // version 2 with what may stand behind the addresses; nginx's bound

    enum class State : std::uint8_t { more, whole, malformed };
    State state = State::more;
    std::size_t size = 0;  // whole: what it takes of the bytes
    // Absent: the proxy speaks for itself (LOCAL), or does not say for whom (UNKNOWN, other families).
    std::optional<ProxiedAddresses> addresses;
};

// The bytes from the beginning of the connection on. What can become no header is malformed at once.
[[nodiscard]] ProxyHeader read_proxy_header(std::string_view bytes);

enum class ProxyVersion : std::uint8_t { none, v1, v2 };
// For TCP. Addresses of two families, or none: UNKNOWN or LOCAL.
[[nodiscard]] std::string write_proxy_header(ProxyVersion version, const std::optional<ProxiedAddresses>& addresses);

}  // namespace net
