// Wire: the connection's bytes, over TCP or over TLS: a socket, and why TLS failed. Rules: net/socket.h.
#pragma once

#include <string>
#include <utility>

#include "net/socket.h"
#include "net/tls/layer.h"

namespace redis {

class Wire {
  public:
    explicit Wire(net::SocketPtr socket) : socket_(std::move(socket)) {}
    explicit Wire(net::tls::Secured secured) : socket_(std::move(secured.socket)), layer_(secured.layer) {}

    net::Socket* operator->() const { return socket_.get(); }
    // Empty if it did not.
    [[nodiscard]] std::string tls_failure() const { return layer_ != nullptr ? layer_->failure() : std::string(); }

  private:
    net::SocketPtr socket_;
    net::tls::Layer* layer_ = nullptr;
};

}  // namespace redis
