// Acceptor: what a core does with a new client connection: counts it against the limits and lets it begin, or refuses
// it with 503.
#pragma once

#include <optional>

#include "gateway/core.h"
#include "gateway/serve.h"
#include "net/loop.h"
#include "net/tls/server_certificates.h"

namespace gateway {

// Who connects: clients, or proxies that say first whose connection it is (PROXY protocol).
enum class Front : std::uint8_t { clients, proxies };

class Acceptor final : public net::AcceptSink {
  public:
    Acceptor(Core& core, ServeFunction serve, Entrance entrance = Entrance::clients,
             std::optional<net::tls::Offer> tls = {}, Front front = Front::clients)
        : core_(core), serve_(serve), entrance_(entrance), tls_(tls), front_(front) {}
    void accepted(net::SocketPtr socket, const net::SocketAddress& local) override;
    void accept_failed(net::IoStatus status) override;

  private:
    Core& core_;
    ServeFunction serve_;
    Entrance entrance_;
    std::optional<net::tls::Offer> tls_;  // none: plain connections
    Front front_;
};

}  // namespace gateway
