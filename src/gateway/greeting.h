// Greeting: one client's TLS handshake, from the first byte to the connection that serves it. Until bytes come it is
// this object and a socket; what is no TLS never costs a session. Bounded in time, and a core has so many at once.
#pragma once

#include <memory>

#include "base/slab.h"
#include "gateway/core.h"
#include "gateway/serve.h"
#include "net/tls/layer.h"
#include "net/tls/server_certificates.h"

namespace gateway {

class Greeting : public ConnectionLink, public base::SlabAllocated<Greeting> {
  public:
    // Owns itself: ends with a Connection, or with the client's. Counted by core.process until then.
    static void begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                      net::tls::Offer offer);
    void close();

  private:
    Greeting(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
             net::tls::Offer offer);
    ~Greeting();
    void look_at_first_byte();
    void begin_handshake();
    void look_at_handshake();
    void refuse_plain_http();
    void hand_over();
    void fail(std::string_view why);

    Core& core_;
    net::SocketPtr socket_;  // the TCP connection, then what lies on top of it
    net::tls::Layer* layer_ = nullptr;
    std::shared_ptr<const net::tls::ServerCertificates> certificates_;  // while they may be asked
    net::SocketAddress local_;
    ServeFunction serve_;
    net::tls::Offer offer_;
    net::Instant began_ = 0;  // the handshake
    bool is_counted_ = true;
    bool is_greeting_ = false;
    bool is_timed_ = false;
};

}  // namespace gateway
