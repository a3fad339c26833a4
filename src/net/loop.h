// The narrow completion interface below everything: accept, connect, receive, send, timers, post. One Loop per core and
// thread. Three implementations: io_uring (default), epoll (fallback), simulated (tests; net/simulated). Nothing above
// knows which one it runs on.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/buffer.h"
#include "net/carrier.h"
#include "net/socket.h"
#include "net/time.h"
#include "net/timer.h"
#include "net/turn_end.h"

namespace net {

struct ListenOptions {
    int backlog = 16384;
    bool reuse_port = true;
    bool deferred = false;          // TCP_DEFER_ACCEPT: accepted once there are bytes
    bool ipv6_only = true;          // IPV6_V6ONLY
    bool keep_alive = false;        // SO_KEEPALIVE of what is accepted
    int inherited_descriptor = -1;  // already bound and listening (socket activation, upgrade)
};

class AcceptSink {
  public:
    virtual void accepted(SocketPtr socket, const SocketAddress& local) = 0;
    // Out of descriptors or memory: one connection was closed unanswered, or accepting pauses briefly. Called at most
    // once per loop turn.
    virtual void accept_failed(IoStatus status) = 0;

  protected:
    ~AcceptSink() = default;
};

class Listener {
  public:
    virtual ~Listener() = default;  // stops accepting and closes; what had just been accepted is closed too
    // Accepts nothing more and closes soon; what has been accepted by then is still given to the sink.
    virtual void stop() = 0;
    [[nodiscard]] virtual bool is_stopped() const = 0;
    [[nodiscard]] const SocketAddress& address() const { return address_; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

  protected:
    SocketAddress address_;
    int descriptor_ = -1;
};

struct Connected {
    SocketPtr socket;  // null unless status is ok
    IoStatus status = IoStatus::ok;
};

struct ConnectAwaiter;

class Loop : public Carrier {
  public:
    enum class Kind : std::uint8_t { io_uring, epoll, simulated };
    using Function = std::move_only_function<void()>;

    explicit Loop(Instant now) : timers_(now), now_(now) {}
    ~Loop() override = default;

    [[nodiscard]] virtual Kind kind() const = 0;
    // Runs turns on the calling thread until stop().
    void run();
    // One turn: waits at most until the next timer (not at all if `wait` is false), then delivers what has completed.
    virtual void turn(bool wait) = 0;
    void stop() { stopped_ = true; }
    void resume() { stopped_ = false; }
    [[nodiscard]] bool is_stopped() const { return stopped_; }

    // ---- time
    [[nodiscard]] Instant now() const { return now_; }
    // Milliseconds since 1970, of this turn.
    [[nodiscard]] virtual std::int64_t wall_now() const = 0;
    [[nodiscard]] TimerWheel& timers() { return timers_; }

    // Runs what is linked before this loop next waits, once: so that what many do in one turn becomes one system call.
    void at_turn_end(TurnEnd& turn_end) { turn_ends_.link(turn_end); }

    // ---- network
    // `sink` outlives the listener.
    virtual base::Result<std::unique_ptr<Listener>> listen(const SocketAddress& address, const ListenOptions& options,
                                                           AcceptSink& sink) = 0;
    [[nodiscard]] ConnectAwaiter connect(const SocketAddress& address, Instant deadline);
    [[nodiscard]] BufferPool& buffers() { return buffers_; }

    // ---- between threads: runs `function` on this loop's thread, soon. The only member that any thread may call.
    void post(Function function);

    // Sockets whose memory has not been given back; for leak checks.
    [[nodiscard]] std::size_t open_sockets() const { return open_sockets_; }

  protected:
    friend class Socket;
    friend struct ConnectAwaiter;

    // A new socket on its way to `address`; reports with connected(). Null and status if there can be none.
    virtual Socket* start_connect(const SocketAddress& address, IoStatus& status) = 0;
    // Makes turn() return from its waiting; any thread.
    virtual void wake() = 0;

    void run_posted();
    // Each loop calls it before it waits, and does not wait if it has_turn_ends() again.
    void run_turn_ends() { turn_ends_.run(); }
    [[nodiscard]] bool has_turn_ends() const { return !turn_ends_.is_empty(); }
    [[nodiscard]] bool has_posted() const { return has_posted_.load(std::memory_order_acquire); }

    TimerWheel timers_;
    TurnEnds turn_ends_;
    Instant now_;
    BufferPool buffers_;
    bool stopped_ = false;
    std::size_t open_sockets_ = 0;

  private:
    std::mutex posted_lock_;
    std::vector<Function> posted_;
    std::atomic<bool> has_posted_ = false;
};

struct ConnectAwaiter {
    Loop& loop;
    SocketPtr socket;
    IoStatus status = IoStatus::ok;
    Timer timer;
    std::coroutine_handle<> coroutine;
    bool is_settled = false;

    ConnectAwaiter(Loop& on, const SocketAddress& address, Instant deadline);
    ConnectAwaiter(const ConnectAwaiter&) = delete;
    ~ConnectAwaiter();
    [[nodiscard]] bool await_ready() const { return is_settled; }
    void await_suspend(std::coroutine_handle<> waiting) { coroutine = waiting; }
    Connected await_resume();
    void settle(IoStatus result);
};

// Sleeps until `deadline` on this loop.
struct SleepAwaiter {
    Loop& loop;
    Instant deadline;
    Timer timer;
    [[nodiscard]] bool await_ready() const { return deadline <= loop.now(); }
    void await_suspend(std::coroutine_handle<> coroutine) {
        timer.set([](void* address) { std::coroutine_handle<>::from_address(address).resume(); }, coroutine.address());
        timer.arm(loop.timers(), deadline);
    }
    void await_resume() const {}
};
inline SleepAwaiter sleep_until(Loop& loop, Instant deadline) { return {loop, deadline, {}}; }

inline ConnectAwaiter Loop::connect(const SocketAddress& address, Instant deadline) {
    return {*this, address, deadline};
}

[[nodiscard]] std::string_view name(Loop::Kind kind);

// The best loop that this kernel and its policies allow: io_uring, else epoll with the reason in `why_not`.
// `wanted` (CARDEA_LOOP) forces one; it is an error if that one is not possible.
base::Result<std::unique_ptr<Loop>> make_loop(std::optional<Loop::Kind> wanted, std::string& why_not);

}  // namespace net
