// Wire: the connection's bytes, over TCP or over TLS, in the words that both have. Rules: net/socket.h.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "net/socket.h"
#include "net/tls/stream.h"

namespace redis {

class Wire {
  public:
    explicit Wire(net::SocketPtr socket) : socket_(std::move(socket)) {}
    Wire(net::SocketPtr socket, net::tls::Session session)
        : stream_(std::make_unique<net::tls::Stream>(std::move(socket), std::move(session))) {}

    [[nodiscard]] bool has_input() const { return stream_ ? stream_->has_input() : socket_->has_input(); }
    [[nodiscard]] bool input_ended() const { return stream_ ? stream_->input_ended() : socket_->input_ended(); }
    [[nodiscard]] net::IoStatus input_end() const { return stream_ ? stream_->input_end() : socket_->input_end(); }
    net::Received take_input() { return stream_ ? stream_->take_input() : socket_->take_input(); }
    void on_input(net::Waiter waiter, net::Instant deadline) {
        stream_ ? stream_->on_input(waiter, deadline) : socket_->on_input(waiter, deadline);
    }
    void start_send(net::Pieces& pieces, net::Instant deadline) {
        stream_ ? stream_->start_send(pieces, deadline) : socket_->start_send(pieces, deadline);
    }
    [[nodiscard]] bool is_sending() const { return stream_ ? stream_->is_sending() : socket_->is_sending(); }
    void on_sent(net::Waiter waiter) { stream_ ? stream_->on_sent(waiter) : socket_->on_sent(waiter); }
    [[nodiscard]] net::IoStatus send_status() const {
        return stream_ ? stream_->send_status() : socket_->send_status();
    }
    // Why TLS failed; empty if it did not.
    [[nodiscard]] std::string tls_failure() const { return stream_ ? stream_->failure() : std::string(); }

  private:
    net::SocketPtr socket_;
    std::unique_ptr<net::tls::Stream> stream_;
};

}  // namespace redis
