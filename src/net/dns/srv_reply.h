// The SRV records of a DNS message (RFC 1035 4.1, RFC 2782), with their time to live, which c-ares 1.18 keeps to
// itself. Reads whatever bytes come. Used by AresChannel.
#pragma once

#include <cstdint>
#include <span>

#include "net/dns/cache.h"

namespace net::dns {

// `found` with at least one service, `nothing` if there is none that can be used, `failed` if the message is broken.
// Records for "no such service here" (the target "."), and services whose only host is the name asked for, as
// Kubernetes has them, say nothing (kong.md 7.1).
Answer parse_srv_reply(std::span<const std::uint8_t> message);

}  // namespace net::dns
