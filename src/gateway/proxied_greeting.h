// ProxiedGreeting: the first bytes of a connection that a proxy carries on (PROXY protocol): whose it is. Then it
// begins as the client's own would have, with TLS or without. Only a proxy of trusted_ips is listened to; all others
// are refused.
#pragma once

#include <optional>
#include <string>

#include "base/slab.h"
#include "gateway/core.h"
#include "gateway/serve.h"
#include "net/proxy_header.h"
#include "net/tls/server_certificates.h"

namespace gateway {

class ProxiedGreeting final : public ServedConnection, public base::SlabAllocated<ProxiedGreeting> {
  public:
    // `tls`: what is offered behind the header; none: a plain connection. Owns itself. Counted by core.process until it
    // is handed over.
    static void begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                      std::optional<net::tls::Offer> tls);
    void close() override;

  private:
    ProxiedGreeting(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                    std::optional<net::tls::Offer> tls);
    ~ProxiedGreeting() override;
    void wait();
    void look();
    void take(const net::ProxyHeader& header);
    void hand_over();
    void refuse(std::string_view why);

    Core& core_;
    net::SocketPtr socket_;
    net::SocketAddress local_;
    ServeFunction serve_;
    std::optional<net::tls::Offer> tls_;
    std::string head_;  // what has come, while it is not whole
    net::Instant deadline_;
    bool is_counted_ = true;
};

}  // namespace gateway
