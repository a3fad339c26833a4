// Output: how what a session has to say reaches its socket: as fast as the socket takes it, and the streams whose bytes
// went learn so. One per connection; whoever owns it calls send() once a loop turn.
#pragma once

#include <vector>

#include "http/http2/body_carrier.h"
#include "net/assembler.h"
#include "net/loop.h"

namespace http2 {

// Frames into one send. A frame adds few pieces, whatever it is made of: only what fills more than half of one goes by
// reference, the rest is copied into blocks without a gap.
class AssemblerSink final : public ByteSink {
  public:
    explicit AssemblerSink(net::Assembler& into) : into_(into) {}
    [[nodiscard]] bool is_full() const override { return into_.is_full(most_added); }
    void copy(std::string_view text) override;
    void add(net::Slice piece) override;

  private:
    static constexpr std::size_t copied_up_to = 8 * 1024;
    // Of 16 KiB and a head: two full blocks, the one before the large piece, that piece, and the one behind it.
    static constexpr std::size_t most_added = 7;
    net::Assembler& into_;
};

class Output {
  public:
    enum class State : std::uint8_t { idle, sending, failed };

    // `dispatch()` looks at the session's events. After `sending`, socket.on_sent() says when to go on.
    template <typename Dispatch>
    State send(Session& session, net::Socket& socket, net::Milliseconds timeout, Dispatch dispatch) {
        net::Assembler out(socket.loop().buffers());
        AssemblerSink sink(out);
        while (!socket.is_sending()) {
            session.pull(sink);
            tell();
            dispatch();
            if (session.wants_to_send() && !out.is_full()) {
                std::size_t before = out.bytes();
                session.pull(sink);
                if (out.bytes() > before) continue;
            }
            if (out.empty()) return State::idle;
            socket.start_send(out.finish(), net::after(socket.loop().now(), timeout));
            if (!socket.is_sending() && socket.send_status() != net::IoStatus::ok) return State::failed;
        }
        return State::sending;
    }
    // tell_sent() is due.
    void has_taken(BodyCarrier& stream) { taken_.push_back(&stream); }
    void forget(BodyCarrier& stream);
    // An idle connection holds no memory for it.
    void shrink() { std::vector<BodyCarrier*>().swap(taken_); }

  private:
    void tell();
    std::vector<BodyCarrier*> taken_;
};

}  // namespace http2
