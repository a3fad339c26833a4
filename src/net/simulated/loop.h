// SimulatedLoop: the third Loop: a virtual clock, in-memory TCP and one seed; no thread, no system call, no waiting.
// Both programs of every connection (the gateway, its scripted clients and upstreams) run on one SimulatedLoop. Equal
// seed, weather and program give the same run, event by event: trace() tells, print_events() shows. For tests.
//
// Sockets behave as on Linux: what a send took is delivered even after close(); closing with unread input sends a
// reset, and so do bytes that reach a closed socket; a reset loses bytes under way, not those that have arrived.
#pragma once

#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "net/loop.h"
#include "net/simulated/connection.h"
#include "net/simulated/schedule.h"
#include "net/simulated/weather.h"

namespace net::simulated {

class SimulatedListener;

class SimulatedLoop final : public Loop {
  public:
    explicit SimulatedLoop(std::uint64_t seed, Weather weather = {});
    ~SimulatedLoop() override;

    // ---- time
    // Delivers what is due, or some of it. If nothing is, the clock first jumps to the next event or timer (by at most
    // 1 ms if not to `wait`). Returns at once if nothing will ever happen.
    void turn(bool wait) override;
    [[nodiscard]] std::int64_t wall_now() const override;
    // False if `most` has passed and the condition does not hold.
    template <typename Condition>
    bool run_until(Condition condition, Milliseconds most) {
        Instant end = after(now_, most);
        Timer bound([](void*) {}, nullptr);
        bound.arm(timers_, end);
        while (!condition()) {
            if (now_ >= end) return false;
            turn(true);
        }
        return true;
    }
    void run_for(Milliseconds span) {
        run_until([] { return false; }, span);
    }
    // No event is in flight: only a timer, a post from outside or the scenario itself can go on.
    [[nodiscard]] bool is_quiet() const;

    // ---- network
    base::Result<std::unique_ptr<Listener>> listen(const SocketAddress& address, const ListenOptions& options,
                                                   AcceptSink& sink) override;
    // As connect(), from a chosen address (otherwise the loopback address of the family and the next port).
    [[nodiscard]] ConnectAwaiter connect_from(const IpAddress& source, const SocketAddress& address, Instant deadline);
    // Breaks the connection now, as closing with SO_LINGER 0 would; `socket` itself then reads and sends `reset`.
    void abort(Socket& socket);
    void set_weather(const Weather& weather) { weather_ = weather; }

    // ---- faults, by the address that connections were dialled to; they last until heal()
    void refuse(const SocketAddress& address) { refusing_.insert(address); }
    // Nothing gets through in either direction, attempts to connect included; heal() sends what waits on its way.
    void blackhole(const SocketAddress& address) { black_.insert(address); }
    void heal(const SocketAddress& address);
    // Breaks the connections there are; new ones are made as before.
    void reset_all(const SocketAddress& address);

    // ---- for the scenario and the code under test: apart from the draws of the network, which it does not shift
    [[nodiscard]] base::Random& random() { return random_; }

    struct Statistics {
        std::size_t queued = 0;       // bytes in the network, sent and not yet read
        std::size_t most_queued = 0;  // ever, in one direction of one connection
        std::size_t connections = 0;  // not yet let go of by both sides
        std::size_t sockets = 0;
        std::uint64_t events = 0;
        std::uint64_t resets = 0;
    };
    [[nodiscard]] Statistics statistics() const;
    // A hash of all events so far.
    [[nodiscard]] std::uint64_t trace() const { return trace_; }
    // Every event from now on, a line each; null ends it.
    void print_events(std::FILE* to) { printed_to_ = to; }

    [[nodiscard]] Kind kind() const override { return Kind::simulated; }

  protected:
    void start_receive(Socket& socket) override;
    void stop_receive(Socket&) override {}
    void start_send(Socket& socket) override;
    void shutdown_write(Socket& socket) override;
    void close(Socket& socket) override;
    Socket* start_connect(const SocketAddress& address, IoStatus& status) override;
    void wake() override {}

  private:
    friend class SimulatedListener;

    // loop.cpp: the clock and the faults
    void deliver_some();
    void deliver(const Event& event);
    void note(Step step, std::uint32_t connection, int side, std::size_t size);
    void schedule(Step step, const Connection& connection, int side, const Delay& delay);
    void schedule_completion(Step step, Socket& socket, const Delay& delay);
    void landed(Socket& socket);

    // connecting.cpp: opening and closing
    void dial(Connection& connection);
    void accept(Connection& connection);
    void answer(Connection& connection, IoStatus status);
    std::uint16_t free_port();
    SimulatedListener* listener_of(const SocketAddress& address);
    void forget(SimulatedListener& listener);
    void let_go(Connection& connection, int side);

    // carrying.cpp: bytes and ends
    Connection& connection_of(const Socket& socket) { return connections_.at(socket.index); }
    void move(Connection& connection, int side);
    void read(Connection& connection, int side);
    void send_some(Socket& socket, std::size_t most);
    std::size_t append_output(Socket& socket, Pipe& pipe, std::size_t most);
    void keep_moving(Connection& connection, int side);
    void make_readable(Connection& connection, int side);
    void make_room(Connection& connection, int side);
    void send_reset(Connection& connection, int side);
    void break_end(Connection& connection, int side);
    void cut(Connection& connection);

    base::Random weather_random_;
    base::Random random_;
    Weather weather_;
    Schedule schedule_;
    Instant start_;
    int turns_in_this_instant_ = 0;
    bool accept_has_failed_ = false;  // in this turn

    std::map<std::uint32_t, Connection> connections_;
    std::uint32_t last_connection_ = 0;
    std::vector<SimulatedListener*> listeners_;
    std::uint32_t last_listener_ = 0;
    std::uint16_t last_port_ = 0;
    std::optional<IpAddress> source_;  // of the next connection
    std::set<SocketAddress> refusing_;
    std::set<SocketAddress> black_;

    std::uint64_t trace_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t resets_ = 0;
    std::size_t most_queued_ = 0;
    std::FILE* printed_to_ = nullptr;
};

class SimulatedListener final : public Listener {
  public:
    SimulatedListener(SimulatedLoop& on, std::uint32_t number, const SocketAddress& address,
                      const ListenOptions& options, AcceptSink& to)
        : loop(&on), id(number), sink(&to), backlog(options.backlog), shares_port(options.reuse_port) {
        address_ = address;
    }
    ~SimulatedListener() override { stop(); }
    void stop() override {
        if (loop != nullptr) std::exchange(loop, nullptr)->forget(*this);
    }
    [[nodiscard]] bool is_stopped() const override { return loop == nullptr; }

    SimulatedLoop* loop;  // null once it is gone
    std::uint32_t id;
    AcceptSink* sink;
    int backlog;
    int waiting = 0;  // connections to be accepted
    bool shares_port;
};

}  // namespace net::simulated
