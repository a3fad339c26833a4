// Who the client is: the TCP peer, or behind trusted proxies what their header fields say (kong.md 3.4). Called once
// per request, before routing.
#pragma once

#include "gateway/transaction.h"

namespace gateway {

[[nodiscard]] bool is_trusted(const net::IpAddress& address, const Settings& settings);

// Fills transaction.client from the connection, the address it came in at and the request's header fields.
void identify_client(Transaction& transaction, const net::Socket& connection, const net::SocketAddress& local);

}  // namespace gateway
