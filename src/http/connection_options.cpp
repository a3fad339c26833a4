#include "http/connection_options.h"

#include "http/characters.h"

namespace http {

namespace {
constexpr std::uint64_t always_hop_by_hop = bit(Known::connection) | bit(Known::keep_alive) |
                                            bit(Known::proxy_connection) | bit(Known::te) | bit(Known::trailer) |
                                            bit(Known::transfer_encoding) | bit(Known::upgrade) |
                                            bit(Known::http2_settings) | bit(Known::proxy);
// What the message cannot do without: a client could break or redirect it by nominating these.
constexpr std::uint64_t never_nominated = bit(Known::host) | bit(Known::content_length);
}  // namespace

bool ConnectionOptions::add(std::string_view value) {
    for (std::string_view option; next_element(value, option);) {
        if (equals_ignore_case(option, "close")) {
            close = true;
        } else if (equals_ignore_case(option, "keep-alive")) {
            keep_alive = true;
        } else if (equals_ignore_case(option, "upgrade")) {
            upgrade = true;
        } else {
            if (nominated_count == max_nominated) return false;
            nominated[nominated_count++] = option;
        }
    }
    return true;
}

bool ConnectionOptions::nominates(std::string_view name) const {
    for (std::size_t i = 0; i < nominated_count; ++i) {
        if (equals_ignore_case(nominated[i], name)) return true;
    }
    return false;
}

bool is_hop_by_hop(const Header& header, const ConnectionOptions& options) {
    if ((always_hop_by_hop & bit(header.known)) != 0) return true;
    if (options.nominated_count == 0 || (never_nominated & bit(header.known)) != 0) return false;
    return options.nominates(header.name);
}

void strip_hop_by_hop(Headers& headers, const ConnectionOptions& options) {
    if (options.nominated_count > 0) {
        headers.remove_if([&options](const Header& header) { return is_hop_by_hop(header, options); });
    } else if (headers.has_any(always_hop_by_hop)) {
        headers.remove_if([](const Header& header) { return (always_hop_by_hop & bit(header.known)) != 0; });
    }
}

}  // namespace http
