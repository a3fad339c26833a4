// Http2Pool: a core's HTTP/2 connections to one upstream address (and trust): few, each shared by many exchanges. Who
// finds no room waits in line, for an exchange to end or for a connection to be made; one is made at a time, and not
// for whoever asked first but for all who wait: it goes on if that one leaves. Owned by its Pool; lives as long.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "http/http2/limits.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "upstream/connect.h"
#include "upstream/load.h"
#include "upstream/pool.h"

namespace upstream {

class Http2Connection;

// Who asks, where the upstream's connections are limited: a shared one counts once, while anybody uses it.
struct Claim {
    const std::shared_ptr<Load>& load;
    const LimitRules& rules;
    Load::Turn turn = Load::Turn::fresh;
};

// What a shared connection holds of such a limit. It may outlive the exchange that brought it, and its upstream.
struct ConnectionPlace {
    std::shared_ptr<Load> load;
    ConnectionSlot slot;

    ConnectionPlace() = default;
    ConnectionPlace(std::shared_ptr<Load> of, ConnectionSlot taken) : load(std::move(of)), slot(std::move(taken)) {}
    ConnectionPlace(ConnectionPlace&&) noexcept = default;
    ConnectionPlace& operator=(ConnectionPlace&& other) noexcept {
        slot = std::move(other.slot);  // first: giving one back needs its load
        load = std::move(other.load);
        return *this;
    }
};

class Http2Pool {
  public:
    static constexpr std::size_t most_connections = 32;
    static constexpr std::size_t most_waiting = 4096;
    // How long an upstream that chose HTTP/1.1 is not asked again.
    static constexpr net::Milliseconds http1_for{60'000};

    // What one who waited got.
    struct Outcome {
        enum class Kind : std::uint8_t {
            link,
            try_again,  // there may be room, or somebody must connect
            http1,      // the upstream speaks HTTP/1.1; `link` if this is the connection that was made
            failed,     // `error`
            timed_out,
        };
        Kind kind = Kind::timed_out;
        LinkPtr link;
        std::optional<base::Error> error;
    };

    Http2Pool(net::Loop& loop, Pool& pool, const PoolLimits& limits, const http2::Limits& http2_limits,
              observe::CoreMetrics& metrics);
    Http2Pool(const Http2Pool&) = delete;
    ~Http2Pool();

    // A stream, if there is room. All who use one pool make no claim, or one on the same load.
    [[nodiscard]] LinkPtr take(const Claim* claim = nullptr);
    [[nodiscard]] bool speaks_http1() const { return loop_.now() < http1_until_; }
    // A connection is missing, and none is on its way.
    [[nodiscard]] bool wants_connection() const;
    // take() gave nothing, and a place is what is missing: for a new connection, or for one that sleeps.
    [[nodiscard]] bool wants_place() const;
    enum class Fallback : std::uint8_t { none, http1 };
    // Begins to make one, for those who wait; `place` is of those with claims.
    void connect(ConnectOrder order, Fallback fallback, ConnectionPlace place = {});
    [[nodiscard]] bool is_crowded() const { return waiting_count_ >= most_waiting; }

    struct WaitAwaiter {
        Http2Pool& pool;
        net::Instant deadline;
        const Claim* claim;
        Outcome outcome;
        net::Timer timer;
        std::coroutine_handle<> coroutine;
        std::uint64_t attempt = 0;
        WaitAwaiter* next = nullptr;
        WaitAwaiter* previous = nullptr;
        bool is_linked = false;

        WaitAwaiter(Http2Pool& in, net::Instant until, const Claim* by) : pool(in), deadline(until), claim(by) {}
        WaitAwaiter(const WaitAwaiter&) = delete;
        ~WaitAwaiter() { pool.unlink(*this); }
        [[nodiscard]] bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> waiting);
        Outcome await_resume() { return std::move(outcome); }
    };
    // Only after take() gave nothing. `claim` lives as long as the wait.
    [[nodiscard]] WaitAwaiter wait(net::Instant deadline, const Claim* claim = nullptr) {
        return {*this, deadline, claim};
    }

    // Closes what nobody uses; the rest after its last exchange.
    void close_all();
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

    // ---- for its connections
    [[nodiscard]] net::Loop& loop() { return loop_; }
    [[nodiscard]] const net::SocketAddress& address() const { return pool_.address(); }
    [[nodiscard]] const PoolLimits& limits() const { return limits_; }
    [[nodiscard]] const http2::Limits& http2_limits() const { return http2_limits_; }
    // There may be room now.
    void changed();
    void remove(Http2Connection& connection);

  private:
    base::Task<void> make_connection(ConnectOrder order, Fallback fallback);
    static void turn_ended(void* self);
    void serve_waiting();
    void settle(WaitAwaiter& waiting, Outcome outcome);
    void unlink(WaitAwaiter& waiting);
    [[nodiscard]] std::size_t usable() const;

    net::Loop& loop_;
    Pool& pool_;
    const PoolLimits& limits_;
    const http2::Limits& http2_limits_;
    observe::CoreMetrics& metrics_;
    std::vector<Http2Connection*> connections_;
    WaitAwaiter* first_ = nullptr;
    WaitAwaiter* last_ = nullptr;
    std::size_t waiting_count_ = 0;
    std::uint64_t attempts_ = 0;  // connections that were begun
    bool is_connecting_ = false;
    std::optional<base::Error> failure_;  // of the last, not yet told
    ConnectionPlace place_;               // of the one that is being made
    LinkPtr http1_link_;
    net::Instant http1_until_ = 0;
    net::TurnEnd turn_end_;
    base::Task<void> connecting_;
};

}  // namespace upstream
