// Http2Connection: one HTTP/2 connection to an upstream, on which many exchanges of its core go on at a time. Callbacks
// only, as on the clients' side; what its streams have to send goes out once a loop turn. It belongs to an Http2Pool
// and ends by itself: when either side has said so and the last exchange is over, when it has slept for too long, when
// the upstream does not answer a PING, or when it breaks.
#pragma once

#include <vector>

#include "base/slab.h"
#include "http/http2/client_session.h"
#include "http/http2/output.h"
#include "net/tls/layer.h"
#include "net/turn_end.h"
#include "upstream/http2_pool.h"
#include "upstream/http2_stream.h"
#include "upstream/pool.h"

namespace upstream {

class Http2Connection final : public base::SlabAllocated<Http2Connection> {
  public:
    // An upstream that has said nothing for that long is asked whether it is there, when something is sent to it...
    static constexpr net::Milliseconds ping_after{30'000};
    // ... or even if it is only waited for. Longer than the five minutes below which gRPC's servers take it for abuse.
    static constexpr net::Milliseconds ping_while_waiting{310'000};
    static constexpr net::Milliseconds ping_timeout{10'000};
    static constexpr net::Milliseconds send_timeout{60'000};  // between two writes, if it takes nothing
    // An exchange that ran out of time while the upstream was silent for that long casts doubt on the connection.
    static constexpr net::Milliseconds doubtful_after{5'000};

    Http2Connection(Http2Pool& pool, net::SocketPtr socket, ConnectionPlace place = {});
    ~Http2Connection();

    [[nodiscard]] bool has_room() const;
    // It takes no more, and is on its way out.
    [[nodiscard]] bool is_retired() const { return is_retired_ || !session_.takes_requests(); }
    // The upstream has not yet said how many streams it takes.
    [[nodiscard]] bool is_new() const { return is_new_; }
    // A stream of its own for one exchange; with room only.
    [[nodiscard]] LinkPtr open();
    // Counts as one of its upstream's connections while it is used. False: that is at its limit.
    [[nodiscard]] bool take_place(const Claim& claim);
    [[nodiscard]] bool has_place() const { return static_cast<bool>(place_.slot); }
    void give_up_unused_place() {
        if (streams_.empty()) place_ = {};
    }
    // No more exchanges; closes after the last one.
    void retire();

    // ---- for its streams
    [[nodiscard]] http2::ClientSession& session() { return session_; }
    [[nodiscard]] const http1::Limits& message_limits() const;
    void flush_soon();
    void has_taken(Http2Stream& stream) { output_.has_taken(stream); }
    // An exchange has run out of time: nobody else uses the connection until the upstream has shown that it is there.
    void cast_doubt();
    // Its exchange is over.
    void stream_left(Http2Stream& stream);

  private:
    static void wake(void* self);
    static void turn_ended(void* self);
    static void sent(void* self);
    void take_input();
    void dispatch();
    void wait();
    [[nodiscard]] net::Instant waits_until() const;
    // False: the connection is gone, and so is this.
    bool flush();
    void remove(Http2Stream& stream);
    void ask_for_life();
    void lost();

    Http2Pool& pool_;
    net::SocketPtr socket_;
    std::vector<Http2Stream*> streams_;
    ConnectionPlace place_;
    http2::Output output_;
    http2::ClientSession session_;
    net::TurnEnd turn_end_;
    net::Instant idle_until_ = net::never;
    net::Instant last_heard_;
    net::Instant ping_due_ = net::never;  // when its answer must be there
    std::uint64_t opened_ = 0;
    bool is_retired_ = false;
    bool is_new_ = true;
    bool is_doubtful_ = false;
    bool is_malformed_ = false;  // the upstream has broken the protocol
};

}  // namespace upstream
