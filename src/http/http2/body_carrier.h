// BodyCarrier: a stream as the carrier of a net::Socket whose bytes are those of the stream's body in both directions,
// without framing. Flow control is the socket's back-pressure: what has been taken from it is credited to the other
// side. The streams of both kinds of session are made of it (docs/decisions/0008).
#pragma once

#include <string>

#include "http/http2/session.h"
#include "net/carrier.h"
#include "net/socket.h"

namespace http2 {

class BodyCarrier : public SessionStream, public net::Carrier {
  public:
    explicit BodyCarrier(std::int32_t number) : SessionStream(number) {}

    void take_data(net::Slice piece);

    // ---- for the session and the connection
    [[nodiscard]] std::size_t output_size() const override { return pending_ - taken_; }
    void take_output(std::size_t size, ByteSink& sink) override;
    // What take_output() has given out is on its way: whoever sent it goes on.
    void tell_sent();

  protected:
    // Null once the connection is gone.
    virtual Session* session() = 0;
    // What the session has to send goes out at the end of this turn.
    virtual void flush_soon() = 0;
    // tell_sent() is due.
    virtual void has_taken() = 0;

    void carry(net::Socket& socket) { socket_ = &socket; }
    // The socket is no longer reported to. What arrived and nobody took does not hold up the other streams.
    void let_go();
    // As if all had been taken that has arrived: of a stream that has closed.
    void credit_all();
    [[nodiscard]] net::Socket* socket() const { return socket_; }
    void end_output(std::string trailers = {});

    void start_receive(net::Socket& socket) override;
    void stop_receive(net::Socket&) override {}
    void start_send(net::Socket& socket) override;
    void shutdown_write(net::Socket&) override { end_output(); }

  private:
    void give_credit();

    net::Socket* socket_ = nullptr;
    std::uint64_t delivered_ = 0;  // body bytes given to the socket
    std::uint64_t credited_ = 0;   // ... of which the other side may send as many again
    std::size_t pending_ = 0;      // bytes in the socket's output
    std::size_t taken_ = 0;        // ... of which the session has these already
};

}  // namespace http2
