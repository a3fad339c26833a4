// Acceptor: what a core does with a new client connection: counts it against the limits and lets it begin, or refuses
// it with 503.
#pragma once

#include <optional>

#include "gateway/core.h"
#include "gateway/serve.h"
#include "net/loop.h"
#include "net/tls/server_certificates.h"

namespace gateway {

class Acceptor final : public net::AcceptSink {
  public:
    Acceptor(Core& core, ServeFunction serve, Entrance entrance = Entrance::clients,
             std::optional<net::tls::Offer> tls = {})
        : core_(core), serve_(serve), entrance_(entrance), tls_(tls) {}
    void accepted(net::SocketPtr socket, const net::SocketAddress& local) override;
    void accept_failed(net::IoStatus status) override;

  private:
    Core& core_;
    ServeFunction serve_;
    Entrance entrance_;
    std::optional<net::tls::Offer> tls_;  // none: plain connections
};

}  // namespace gateway
