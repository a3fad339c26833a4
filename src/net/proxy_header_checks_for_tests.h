// What holds for any bytes at the beginning of a connection.
#pragma once

#include <string_view>

#include "base/ensure.h"
#include "net/proxy_header.h"

namespace net {

inline void check_proxy_header(std::string_view bytes) {
    using State = ProxyHeader::State;
    ProxyHeader header = read_proxy_header(bytes);
    if (header.state == State::more) {
        ensure(bytes.size() < ProxyHeader::most_bytes);
        return;
    }
    if (header.state == State::malformed) return;
    ensure(header.size > 0 && header.size <= bytes.size() && header.size <= ProxyHeader::most_bytes);
    // What stands behind it changes nothing, and no part of it is whole.
    ensure(read_proxy_header(bytes.substr(0, header.size)).size == header.size);
    for (std::size_t i = 0; i < header.size; ++i) ensure(read_proxy_header(bytes.substr(0, i)).state == State::more);
    if (!header.addresses) return;
    if (header.addresses->source.ip.is_v4() != header.addresses->destination.ip.is_v4()) return;  // one in IPv6's form
    for (ProxyVersion version : {ProxyVersion::v1, ProxyVersion::v2}) {
        ProxyHeader again = read_proxy_header(write_proxy_header(version, header.addresses));
        ensure(again.state == State::whole && again.addresses.has_value());
        ensure(again.addresses->source == header.addresses->source);
        ensure(again.addresses->destination == header.addresses->destination);
    }
}

}  // namespace net
