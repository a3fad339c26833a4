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
#include "http/http2/body_carrier.h"

namespace gateway {

class Http2Connection;

class Stream final : public http2::BodyCarrier, public base::SlabAllocated<Stream> {
  public:
    Stream(Http2Connection& connection, std::int32_t number) : BodyCarrier(number), connection_(connection) {}
    ~Stream() override;

    // ---- what arrived. Each may run the request to its end.
    void begin(http2::ReceivedHead head);
    void take_trailers(const http2::ReceivedHead& head);
    void input_ended();
    // The connection or the stream is gone: whatever is under way for it ends here.
    void lost();

    // ---- for the request's way through the gateway
    // `text`: an HTTP/1.1 head with a status of 1xx. False: the client is gone.
    [[nodiscard]] bool send_interim(std::string_view text);

  private:
    using Serving = gateway::Serving<Stream>;
    friend Serving;

    http2::Session* session() override;
    void flush_soon() override;
    void has_taken() override;
    void close(net::Socket& socket) override;

    Serving serve_request();
    void served();
    base::Task<void> answer();

    void drop_transaction();

    Http2Connection& connection_;
    net::SocketPtr client_;
    std::unique_ptr<Transaction> transaction_;  // waits on client_, so dies before it
    std::coroutine_handle<> serving_;
    http::Headers trailers_;  // of the request; look into trailer_bytes_
    net::Slice trailer_bytes_;
    bool is_whole_ = false;  // the request has no body
};

}  // namespace gateway
