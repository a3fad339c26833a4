// Breaker: a circuit over one service or one endpoint, exact over all cores. Closed: everything passes, and failures
// are counted over a sliding window. Open: nothing passes, for a while. Half-open: a few requests are tried; if they go
// well it closes, if one fails it opens again. Any thread; a closed one costs one atomic load.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "net/time.h"

namespace plugin {

struct BreakerRules {
    std::uint32_t threshold = 5;  // failures within `window` that open it
    net::Milliseconds window{60'000};
    net::Milliseconds open_for{30'000};
    std::uint32_t trials = 1;  // at the same time, while half-open; as many must go well
};

class Breaker : public std::enable_shared_from_this<Breaker> {
  public:
    enum class State : std::uint8_t { closed, open, half_open };

    // One request that was let through: says how it went, once. Gone without a word (the client went away): a trial's
    // place is free again, and nothing is counted.
    class Ticket {
      public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept : breaker_(std::move(other.breaker_)), is_trial_(other.is_trial_) {}
        Ticket& operator=(Ticket&& other) noexcept {
            std::swap(breaker_, other.breaker_);
            std::swap(is_trial_, other.is_trial_);
            return *this;
        }
        ~Ticket() {
            if (breaker_ && is_trial_) breaker_->give_up();
        }
        explicit operator bool() const { return breaker_ != nullptr; }
        void succeeded(const BreakerRules& rules);
        void failed(const BreakerRules& rules, net::Instant now);

      private:
        friend class Breaker;
        std::shared_ptr<Breaker> breaker_;
        bool is_trial_ = false;
    };

    // An empty ticket: refused. `now`: the loop's monotonic clock, which all cores share.
    [[nodiscard]] Ticket enter(const BreakerRules& rules, net::Instant now);
    [[nodiscard]] State state() const { return state_.load(std::memory_order_acquire); }
    // Until it lets something through again; 0 if it does now.
    [[nodiscard]] net::Milliseconds wait(net::Instant now) const;
    [[nodiscard]] std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }
    // Closed, and no failure is remembered.
    [[nodiscard]] bool is_idle() const;

  private:
    void succeed(const BreakerRules& rules, bool is_trial);
    void fail(const BreakerRules& rules, net::Instant now, bool is_trial);
    void give_up();
    void open(const BreakerRules& rules, net::Instant now);

    std::atomic<State> state_{State::closed};
    std::atomic<std::uint64_t> opened_{0};
    std::atomic<net::Instant> until_{0};
    mutable std::mutex lock_;             // all below
    std::vector<net::Instant> failures_;  // the last `threshold` of them, as a ring
    std::size_t next_ = 0;
    std::uint32_t trials_ = 0;     // under way
    std::uint32_t successes_ = 0;  // of this half-open phase
};

}  // namespace plugin
