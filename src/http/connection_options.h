// The Connection field (RFC 9110 7.6.1) read once, and which fields must not go past this hop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/raw_array.h"
#include "http/headers.h"

namespace http {

struct ConnectionOptions {
    static constexpr std::size_t max_nominated = 32;

    bool close = false;
    bool keep_alive = false;
    bool upgrade = false;
    std::uint8_t nominated_count = 0;
    base::RawArray<std::string_view, max_nominated> nominated;  // every other option: names of fields for this hop only

    void reset() {
        close = keep_alive = upgrade = false;
        nominated_count = 0;
    }
    // Takes one value of a Connection field in. False: more than max_nominated names. An element that is no token
    // cannot be the name of a field, so it does no harm.
    [[nodiscard]] bool add(std::string_view value);
    [[nodiscard]] bool nominates(std::string_view name) const;
};

// Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings, Proxy
// (RFC 9110 7.6.1; Proxy for httpoxy) and what the options nominate. Host and Content-Length cannot be nominated away.
// Proxy-Authorization and Proxy-Authenticate are not in it: as in Kong they pass, for upstreams that are proxies.
[[nodiscard]] bool is_hop_by_hop(const Header& header, const ConnectionOptions& options);

// Removes every hop-by-hop field.
void strip_hop_by_hop(Headers& headers, const ConnectionOptions& options);

}  // namespace http
