// Query: what the router looks at in one request. Plain views into the request, filled by the gateway (and by
// `explain`), alive for as long as the Match that came of it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/address.h"

namespace http {
class Headers;
}

namespace route {

// The request's header fields in order, without knowing how they are stored. `at` fills field number `index` < `count`.
struct HeaderFields {
    const void* fields = nullptr;
    std::size_t count = 0;
    void (*at)(const void* fields, std::size_t index, std::string_view& name, std::string_view& value) = nullptr;
};

// Lives as long as `headers`, unchanged.
[[nodiscard]] HeaderFields header_fields(const http::Headers& headers);

struct Query {
    std::string_view method;
    std::string_view host;   // as received, without port; case and one trailing dot do not matter (RFC 9110 4.2.3)
    std::uint16_t port = 0;  // of the Host field, else the listener's
    std::string_view path;   // normal form, without query
    HeaderFields headers;
    bool tls = false;
    std::optional<std::string_view> sni;
    net::SocketAddress source;
    net::SocketAddress destination;
};

}  // namespace route
