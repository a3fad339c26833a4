// Load: what an upstream is doing now and has refused so far, over all cores, services and reloads; and the limits of
// it. LiveUpstreams keeps it by the upstream's id. What counts is held as a Held or a ConnectionSlot, which give
// themselves back. Exact over all cores by atomics; any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace upstream {

// Of one upstream; 0 = no limit.
struct LimitRules {
    std::uint32_t connections = 0;  // in use at a time; kept idle ones do not count
    std::uint32_t pending = 0;      // requests that wait for a connection (0: none may)
    std::uint32_t requests = 0;     // under way at a time, with those that wait
    std::uint32_t retries = 0;      // under way at a time
    bool has_retry_budget = false;  // in the place of `retries`: per cent of the requests under way, or at least
    double retry_percent = 20;
    std::uint32_t least_retries = 3;

    [[nodiscard]] bool is_on() const { return connections > 0 || requests > 0 || retries > 0 || has_retry_budget; }
    // Equal for equal rules only.
    [[nodiscard]] std::string text() const;
};

enum class Limit : std::uint8_t { requests, connections, pending, retries };
inline constexpr std::size_t limit_count = 4;
// As the document calls it.
[[nodiscard]] std::string_view name(Limit limit);

// One of a counted number, until it dies.
class Held {
  public:
    Held() = default;
    // Nothing if `most` are held already; 0 = no limit.
    static Held take(std::atomic<std::uint32_t>& count, std::uint32_t most);
    Held(Held&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
        if (this == &other) return *this;
        release();
        count_ = std::exchange(other.count_, nullptr);
        return *this;
    }
    ~Held() { release(); }
    void release() {
        if (auto* count = std::exchange(count_, nullptr)) count->fetch_sub(1, std::memory_order_acq_rel);
    }
    explicit operator bool() const { return count_ != nullptr; }

  private:
    std::atomic<std::uint32_t>* count_ = nullptr;
};

class Load;

// The right to use one connection. Given back, it wakes the one that has waited the longest.
class ConnectionSlot {
  public:
    ConnectionSlot() = default;
    ConnectionSlot(Held held, Load& of) : held_(std::move(held)), of_(&of) {}
    ConnectionSlot(ConnectionSlot&&) noexcept = default;
    ConnectionSlot& operator=(ConnectionSlot&& other) noexcept {
        if (this == &other) return *this;
        release();
        held_ = std::move(other.held_);
        of_ = other.of_;
        return *this;
    }
    ~ConnectionSlot() { release(); }
    void release();
    explicit operator bool() const { return static_cast<bool>(held_); }

  private:
    Held held_;
    Load* of_ = nullptr;
};

class Load {
  public:
    struct Waiter {
        std::function<void()> wake;  // called once; must only pass it on
        bool is_woken = false;
    };
    using Waiters = std::list<Waiter>;
    // A place in the queue of those that wait for a connection. A wake may come to nothing: somebody else was faster.
    class Ticket {
      public:
        Ticket(Load& of, std::function<void()> wake);
        Ticket(const Ticket&) = delete;
        ~Ticket();

      private:
        Load& of_;
        Waiters::iterator place_;
    };

    // Nothing: over the limit, which has been counted.
    [[nodiscard]] Held take_request(const LimitRules& rules);
    [[nodiscard]] Held take_retry(const LimitRules& rules);
    [[nodiscard]] Held take_pending(const LimitRules& rules);
    // Nothing: all are in use. Who comes new leaves a free one to those that wait already.
    enum class Turn : std::uint8_t { fresh, waiting };
    [[nodiscard]] ConnectionSlot take_connection(const LimitRules& rules, Turn turn);
    void count_refusal(Limit limit) {
        refused[static_cast<std::size_t>(limit)].fetch_add(1, std::memory_order_relaxed);
    }

    std::atomic<std::uint32_t> requests{0};
    std::atomic<std::uint32_t> connections{0};
    std::atomic<std::uint32_t> pending{0};
    std::atomic<std::uint32_t> retries{0};
    std::array<std::atomic<std::uint64_t>, limit_count> refused{};  // by Limit
    std::atomic<std::uint64_t> ejections{0};
    std::atomic<std::uint64_t> ejections_refused{0};  // the share that may be ejected was used up
    std::atomic<std::uint64_t> panics{0};

    // The one that has waited the longest for a connection looks again.
    void wake_one();

  private:
    std::mutex lock_;
    Waiters waiters_;  // the longest first
};

}  // namespace upstream
