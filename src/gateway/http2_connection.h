// Http2Connection: one client's HTTP/2 connection, and the streams on it. Callbacks only: between two pieces of input
// it is this object, nghttp2's session and a socket; each stream that is served has a coroutine of its own. What
// streams have to send goes out once per loop turn.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/slab.h"
#include "gateway/core.h"
#include "gateway/serve.h"
#include "http/http2/output.h"
#include "http/http2/server_session.h"
#include "net/turn_end.h"

namespace gateway {

class Stream;

class Http2Connection final : public ServedConnection,
                              public http2::StreamOwner,
                              public base::SlabAllocated<Http2Connection> {
  public:
    // Takes over a connection that has been counted, whose input begins with the preface. Owns itself: goes away when
    // either side has closed. `tls`: the layer that carries the socket, if one does.
    static void begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                      std::uint64_t number, const net::tls::Layer* tls);
    void close() override;
    void drain() override;

    // ---- for its streams
    [[nodiscard]] Core& core() { return core_; }
    [[nodiscard]] http2::ServerSession& session() { return session_; }
    [[nodiscard]] net::Socket& socket() { return *socket_; }
    [[nodiscard]] const net::SocketAddress& local() const { return local_; }
    [[nodiscard]] ServeFunction serve() const { return serve_; }
    [[nodiscard]] std::uint64_t number() const { return number_; }
    [[nodiscard]] const net::tls::Layer* tls() const { return tls_; }
    [[nodiscard]] std::uint32_t count_request() { return ++requests_; }
    // What the session has to send goes out at the end of this turn.
    void flush_soon();
    // tell_sent() is due.
    void has_taken(http2::BodyCarrier& stream) { output_.has_taken(stream); }

  private:
    Http2Connection(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                    std::uint64_t number, const net::tls::Layer* tls);
    ~Http2Connection() override;

    http2::SessionStream* open(std::int32_t number) override;
    static void wake(void* self);
    static void turn_ended(void* self);
    static void sent(void* self);
    void take_input();
    void wait();
    [[nodiscard]] net::Instant waits_until() const;
    // False: the connection is gone, and so is this.
    [[nodiscard]] bool flush();
    void dispatch();
    void remove(Stream& stream);
    void shut_down();
    void lost();
    void linger();

    Core& core_;
    net::SocketPtr socket_;
    net::SocketAddress local_;
    ServeFunction serve_;
    std::uint64_t number_;
    const net::tls::Layer* tls_;
    std::vector<Stream*> streams_;
    http2::Output output_;
    http2::ServerSession session_;
    net::TurnEnd turn_end_;
    net::Instant deadline_ = net::never;  // without streams, or in the middle of a head
    std::uint32_t requests_ = 0;
    std::uint32_t opened_ = 0;
    enum class State : std::uint8_t { serving, announced, shut, lingering };
    State state_ = State::serving;
    bool was_reading_head_ = false;
};

}  // namespace gateway
