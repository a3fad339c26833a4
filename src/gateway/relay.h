// relay: moves what is left of a body from one socket to another until it is done or one side fails.
#pragma once

#include "base/task.h"
#include "gateway/body_relay.h"

namespace gateway {

// Both sockets and `body` outlive the task. Bytes behind the body stay unread in `from`.
base::Task<RelayEnd> relay(net::Socket& from, BodyRelay& body, net::Socket& to, RelayLimits limits);

// Reads and drops a body that nobody wants, at most `most` bytes of it.
base::Task<RelayEnd> discard(net::Socket& from, BodyRelay& body, net::Milliseconds read_timeout, std::uint64_t most);

}  // namespace gateway
