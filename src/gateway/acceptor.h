// Acceptor: what a core does with a new client connection: counts it against the limits and lets it begin, or refuses
// it with 503.
#pragma once

#include "gateway/core.h"
#include "gateway/serve.h"
#include "net/loop.h"

namespace gateway {

class Acceptor final : public net::AcceptSink {
  public:
    Acceptor(Core& core, ServeFunction serve, Entrance entrance = Entrance::clients)
        : core_(core), serve_(serve), entrance_(entrance) {}
    void accepted(net::SocketPtr socket, const net::SocketAddress& local) override;
    void accept_failed(net::IoStatus status) override;

  private:
    Core& core_;
    ServeFunction serve_;
    Entrance entrance_;
};

}  // namespace gateway
