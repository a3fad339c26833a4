// connect: a new connection to an upstream, encrypted where that is asked for. Used for single exchanges and for
// connections that many share.
#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"
#include "net/tls/layer.h"
#include "observe/metrics.h"

namespace upstream {

struct ConnectOrder {
    net::Milliseconds timeout{60'000};  // of the connection, and again of the handshake
    net::tls::Session session;          // null: plain
    std::string introduction;           // sent first, before TLS (PROXY protocol)
};

struct NewConnection {
    net::SocketPtr socket;
    net::tls::Layer* tls = nullptr;  // below the socket; null: plain
};

// `metrics` outlives it. Dropping it gives up.
base::Task<base::Result<NewConnection>> connect(net::Loop& loop, net::SocketAddress address, ConnectOrder order,
                                                observe::CoreMetrics& metrics);

}  // namespace upstream
