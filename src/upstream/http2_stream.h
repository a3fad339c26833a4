// Http2Stream: one exchange on an HTTP/2 connection to an upstream. To whoever reads and writes, its net::Socket is a
// connection of HTTP/1.1 that carries this exchange only: the heads of the answer come as text, its body behind them
// without framing, and it ends with its input. Request heads and trailers take another way. One thread.
#pragma once

#include "base/slab.h"
#include "http/headers.h"
#include "http/http2/body_carrier.h"

namespace upstream {

class Http2Connection;

// Trailers of an answer; the fields look into the bytes.
struct Trailers {
    http::Headers fields;
    net::Slice bytes;
};

class Http2Stream final : public http2::BodyCarrier, public base::SlabAllocated<Http2Stream> {
  public:
    explicit Http2Stream(Http2Connection& connection) : BodyCarrier(0), connection_(&connection) {}

    // ---- for the exchange; lives as long as its socket
    // The request's head, once. False: the connection takes no more.
    [[nodiscard]] bool begin(std::string_view head, std::string_view scheme, bool has_body);
    // What has been given to the socket is the rest of the request's body.
    using BodyCarrier::end_output;
    // Where the answer's trailers go; they are there when its input has ended.
    void trailers_into(Trailers* trailers) { trailers_ = trailers; }
    // The answer's final head is all of it.
    [[nodiscard]] bool is_answer_whole() const { return is_answer_whole_; }
    // It has run out of time.
    void cast_doubt();
    // Why the socket's input ended before the answer did.
    [[nodiscard]] http2::Fate fate() const { return fate_; }
    [[nodiscard]] http2::ErrorCode reset_code() const { return reset_code_; }

    // ---- for the connection
    // A socket that is this stream.
    [[nodiscard]] net::SocketPtr socket_of(net::Loop& loop, const net::SocketAddress& address);
    void take_head(http2::ReceivedHead head);
    void take_trailers(http2::ReceivedHead head);
    void input_ended();
    // Nothing more will come of the connection. First detach() all that end together, then tell() each: telling one may
    // close another. tell() is the last use.
    void detach(http2::Fate fate, http2::ErrorCode code);
    void tell();

  private:
    http2::Session* session() override;
    void flush_soon() override;
    void has_taken() override;
    void close(net::Socket& socket) override;

    Http2Connection* connection_;  // null once it has no more to do with it
    Trailers* trailers_ = nullptr;
    http2::Fate fate_ = http2::Fate::served;
    http2::ErrorCode reset_code_ = http2::ErrorCode::no_error;
    bool is_answer_whole_ = false;
    bool is_being_told_ = false;
};

}  // namespace upstream
