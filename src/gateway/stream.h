// Stream: one request of an HTTP/2 connection. Its net::Socket carries the body bytes of both directions, with flow
// control as back-pressure, so that whatever serves, relays and tunnels works as over TCP; only heads and trailers take
// another way. It lives until its stream has closed, its transaction only while it is served.
#pragma once

#include <coroutine>
#include <memory>
#include <string_view>

#include "base/slab.h"
#include "gateway/serving.h"
#include "gateway/transaction.h"
#include "http/http2/session.h"
#include "net/carrier.h"

namespace gateway {

class Http2Connection;

class Stream final : public http2::ServedStream, public net::Carrier, public base::SlabAllocated<Stream> {
  public:
    Stream(Http2Connection& connection, std::int32_t number) : ServedStream(number), connection_(connection) {}
    ~Stream() override;

    // ---- what arrived. Each may run the request to its end.
    void begin(http2::ReceivedHead head);
    void take_data(net::Slice piece);
    void take_trailers(const http2::ReceivedHead& head);
    void input_ended();
    // The connection or the stream is gone: whatever is under way for it ends here.
    void lost();

    // ---- for the request's way through the gateway
    // `text`: an HTTP/1.1 head with a status of 1xx. False: the client is gone.
    [[nodiscard]] bool send_interim(std::string_view text);

    // ---- for the session and the connection
    [[nodiscard]] std::size_t output_size() const override;
    void take_output(std::size_t size, http2::ByteSink& sink) override;
    // What take_output() has given out is on its way: whoever sent it goes on.
    void tell_sent();

  private:
    using Serving = gateway::Serving<Stream>;
    friend Serving;

    void start_receive(net::Socket& socket) override;
    void stop_receive(net::Socket&) override {}
    void start_send(net::Socket& socket) override;
    void shutdown_write(net::Socket& socket) override;
    void close(net::Socket& socket) override;

    Serving serve_request();
    void served();
    base::Task<void> answer();

    void end_output(std::string trailers = {});
    void let_go();
    void give_credit();

    Http2Connection& connection_;
    net::SocketPtr client_;
    std::unique_ptr<Transaction> transaction_;  // waits on client_, so dies before it
    std::coroutine_handle<> serving_;
    http::Headers trailers_;  // of the request; look into trailer_bytes_
    net::Slice trailer_bytes_;
    std::uint64_t delivered_ = 0;  // body bytes given to client_
    std::uint64_t credited_ = 0;   // ... of which the client may send as many again
    std::size_t pending_ = 0;      // bytes in client_'s output
    std::size_t taken_ = 0;        // ... of which the session has these already
    bool is_whole_ = false;        // the request has no body
};

}  // namespace gateway
