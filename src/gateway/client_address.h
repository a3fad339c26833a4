// Who the client is: the TCP peer, or behind trusted proxies what their header fields say (kong.md 3.4). Called once
// per request, before routing.
#pragma once

#include "gateway/transaction.h"

namespace gateway {

// Fills transaction.client from `remote`, `local` and the request's header fields.
void identify_client(Transaction& transaction, const net::SocketAddress& remote, const net::SocketAddress& local);

}  // namespace gateway
