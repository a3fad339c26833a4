#include "http/authority.h"

#include <arpa/inet.h>

#include <cstring>

#include "http/characters.h"

namespace http {

namespace {

// RFC 3986 3.2.2 IP-literal. IPvFuture has no users and zone ids belong to one machine: both are refused.
bool is_bracketed_ipv6(std::string_view host) {
    std::string_view inner = host.substr(1, host.size() - 2);
    char text[INET6_ADDRSTRLEN];
    if (inner.empty() || inner.size() >= sizeof text) return false;
    std::memcpy(text, inner.data(), inner.size());
    text[inner.size()] = '\0';
    in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
    if (digits.empty() || digits.size() > 5) return {};
    std::uint32_t port = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return {};
        port = port * 10 + static_cast<std::uint32_t>(c - '0');
    }
    if (port == 0 || port > 65535) return {};
    return static_cast<std::uint16_t>(port);
}

std::size_t host_size(std::string_view text) {
    if (text.starts_with('[')) {
        std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos || !is_bracketed_ipv6(text.substr(0, bracket + 1))) return 0;
        return bracket + 1;
    }
    std::size_t size = 0;
    while (size < text.size() && is(text[size], character::host_name)) ++size;
    return size;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
    std::size_t size = host_size(text);
    if (size == 0) return {};
    Authority authority{text, text.substr(0, size), 0};
    if (size == text.size()) return authority;
    if (text[size] != ':') return {};
    std::string_view digits = text.substr(size + 1);
    if (digits.empty()) {  // RFC 3986 3.2.3: port = *DIGIT
        authority.text = authority.host;
        return authority;
    }
    std::optional<std::uint16_t> port = parse_port(digits);
    if (!port) return {};
    authority.port = *port;
    return authority;
}

}  // namespace http
