// Layer: TLS over a Socket, carrying another Socket on top: whoever reads and writes that one needs not know. The
// handshake happens below: what is sent before its end waits, and its failure ends the input. OpenSSL reads from the
// lower socket's slices and writes into blocks of the loop's pool, so a sleeping connection holds neither.
//
// The upper socket belongs to the caller; closing it closes all, and says so to the other side (close_notify) unless
// something was still being sent. One thread; the loop must turn until open_sockets() of both are gone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/slab.h"
#include "net/carrier.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls/peer_chain.h"
#include "net/tls/session.h"

namespace net::tls {

class Layer;

struct Secured {
    SocketPtr socket;
    Layer* layer = nullptr;  // lives as long as the socket
};

class Layer final : public Carrier, public base::SlabAllocated<Layer> {
  public:
    static constexpr std::size_t most_encrypted = 256 * 1024;  // given to the lower socket at a time
    static constexpr std::size_t most_unsent = 512 * 1024;     // TLS's own messages that the other side does not take
    static constexpr Milliseconds farewell{200};               // for the last bytes of a closed connection

    // The session is a client's, which speaks at once, or a server's. What the lower socket has queued comes first.
    static Secured secure(SocketPtr lower, Session session);
    ~Layer() override;

    [[nodiscard]] bool is_greeted() const { return is_greeted_; }  // the handshake has succeeded
    [[nodiscard]] bool has_failed() const { return end_ != IoStatus::ok && end_ != IoStatus::ended; }
    // Why TLS failed, for the log; empty if it did not.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    // Interrupts who waits for the upper socket's input once when the handshake is over.
    void interrupt_when_greeted() { is_greeting_awaited_ = true; }

    // Waits until the handshake is over: ok, timed_out, or how the connection ended.
    struct GreetingAwaiter {
        Layer& layer;
        Instant deadline;
        bool waiting = false;
        GreetingAwaiter(Layer& of, Instant until) : layer(of), deadline(until) {}
        GreetingAwaiter(const GreetingAwaiter&) = delete;
        ~GreetingAwaiter() {
            if (waiting) layer.upper_->forget_input_waiter();
        }
        [[nodiscard]] bool await_ready() const { return layer.is_greeted_ || layer.end_ != IoStatus::ok; }
        void await_suspend(std::coroutine_handle<> coroutine) {
            waiting = true;
            layer.interrupt_when_greeted();
            layer.upper_->on_input(Waiter::of(coroutine), deadline);
        }
        IoStatus await_resume() {
            waiting = false;
            if (layer.is_greeted_) return IoStatus::ok;
            return layer.end_ == IoStatus::ok ? IoStatus::timed_out : layer.end_;
        }
    };
    [[nodiscard]] GreetingAwaiter greeting(Instant deadline) { return {*this, deadline}; }

    // What both sides agreed on by ALPN; empty: nothing.
    [[nodiscard]] std::string_view protocol() const;
    // The name that the client asked for (SNI); empty: none.
    [[nodiscard]] std::string_view server_name() const;
    [[nodiscard]] bool is_resumed() const;
    // What the client showed; null: nothing. Read once the handshake is over.
    [[nodiscard]] const PeerChain* peer_chain() const;
    [[nodiscard]] const Session& session() const { return session_; }

  protected:
    void start_receive(Socket&) override;
    void stop_receive(Socket&) override {}
    void start_send(Socket&) override;
    void shutdown_write(Socket&) override;
    void close(Socket&) override;

  private:
    friend struct Transport;
    struct Busy;
    Layer(SocketPtr lower, Session session);

    void read();
    void lower_has_sent();
    void end_sending(IoStatus status);
    void greet();
    void decrypt();
    void notice_lower_end();
    void tell_end();
    void write();
    void encrypt();
    void take_verdict(int result);
    void fail(std::string why);
    void end(IoStatus status);
    void wait_for_lower();
    void say_goodbye();
    void farewell_passed();
    [[nodiscard]] std::size_t waiting() const;

    // For OpenSSL.
    int give(char* to, int size);
    void take(const char* from, std::size_t size);
    [[nodiscard]] std::size_t unsent() const;

    SocketPtr lower_;
    Session session_;
    Socket* upper_ = nullptr;  // null once it is closed
    Slice encrypted_;          // received, not yet given to OpenSSL
    std::vector<Slice> full_;  // made by OpenSSL, to be sent: the full blocks, oldest first, then the one being filled
    std::optional<Draft> filling_;
    std::size_t expected_ = 0;  // size of what OpenSSL is about to make
    std::string failure_;
    mutable std::unique_ptr<const PeerChain> peer_chain_;  // made when first asked for
    TurnEnd read_later_;
    Timer farewell_timer_;
    std::uint16_t busy_ = 0;
    IoStatus end_ = IoStatus::ok;  // of the input; of all if TLS has failed
    IoStatus send_end_ = IoStatus::ok;
    bool is_greeted_ = false;
    bool is_greeting_awaited_ = false;
    bool is_shutdown_due_ = false;
    bool is_over_ = false;
};

}  // namespace net::tls
