// Admission: how many requests may be under way at once, over all cores, and who waits for a place. Who is more urgent
// is served first and, where the line is full, takes the place of who is less so. The limit may follow the upstream's
// latency (additive increase, multiplicative decrease). Any thread; with room to spare a request costs two atomic
// operations.
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "net/loop.h"
#include "plugin/states.h"

namespace plugin {

enum class Urgency : std::uint8_t { low, normal, high };
constexpr std::size_t urgency_count = 3;

struct AdmissionRules {
    std::uint32_t limit = 1000;        // requests under way
    std::uint32_t least = 10;          // that an adapted limit does not fall below
    std::uint32_t most_waiting = 100;  // over all urgencies
    net::Milliseconds latency{0};      // above it, on average, the limit falls; 0: it does not adapt
};

class Admission : public Measured, public std::enable_shared_from_this<Admission> {
  public:
    explicit Admission(std::string label) : label_(std::move(label)) {}

    // One request that was let in; it counts until this is gone.
    class Place {
      public:
        Place() = default;
        explicit Place(std::shared_ptr<Admission> of) : of_(std::move(of)) {}
        Place(Place&&) = default;
        Place& operator=(Place&&) = delete;
        ~Place() {
            if (of_) of_->leave();
        }
        explicit operator bool() const { return of_ != nullptr; }

      private:
        std::shared_ptr<Admission> of_;
    };

    // Rules of the use that was read last count for all uses of a pool.
    void follow(const AdmissionRules& rules);
    // An empty place: it is full, or others wait who are no less urgent.
    [[nodiscard]] Place enter(Urgency urgency);

    // One request that waits for a place; on the core of `loop`. Going away ends the wait, and what it was given goes
    // to the next.
    class Wait {
      public:
        Wait(std::shared_ptr<Admission> of, Urgency urgency, net::Loop& loop, net::Instant deadline);
        Wait(const Wait&) = delete;
        ~Wait();
        // False: too many wait already.
        [[nodiscard]] bool is_queued() const { return ticket_ != nullptr; }
        [[nodiscard]] bool await_ready() const;
        void await_suspend(std::coroutine_handle<> waiting);
        // Empty: the deadline has passed, or it was not queued.
        Place await_resume();

      private:
        friend class Admission;
        // Shared with the function that wakes it, which may run after it has gone.
        struct Ticket {
            net::Loop* loop;
            std::atomic<bool> has_place{false};
            std::atomic<bool> is_sent_away{false};  // for one who is more urgent
            std::coroutine_handle<> waiting;        // its own core only
        };
        void wake();
        std::shared_ptr<Admission> of_;
        Urgency urgency_;
        net::Loop& loop_;
        net::Instant deadline_;
        net::Timer timer_;
        std::shared_ptr<Ticket> ticket_;
        std::list<std::shared_ptr<Ticket>>::iterator place_in_line_;
    };

    // What a try at the upstream took, to its answer's head or to its failure.
    void observe_latency(net::Milliseconds took, net::Instant now);
    void count_refusal(bool has_waited) { ++(has_waited ? timed_out_ : refused_); }

    [[nodiscard]] std::uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint32_t under_way() const { return under_way_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    static constexpr net::Instant window = 200;  // ms between two looks at the latency
    static constexpr std::uint32_t least_samples = 10;

    // Places that one of that urgency finds: the last third is kept from low ones.
    [[nodiscard]] static std::uint32_t share(std::uint32_t limit, Urgency urgency);
    [[nodiscard]] bool take(Urgency urgency);
    void leave();
    // ---- with lock_ held
    void serve_line();
    [[nodiscard]] bool make_room_for(Urgency urgency);
    static void tell(const std::shared_ptr<Wait::Ticket>& ticket);
    // ----
    void adapt(net::Milliseconds average);

    std::string label_;
    std::atomic<std::uint32_t> limit_{0};
    std::atomic<std::uint32_t> under_way_{0};
    std::atomic<std::uint32_t> waiting_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> timed_out_{0};
    std::atomic<std::uint64_t> latency_sum_{0};
    std::atomic<std::uint32_t> latency_count_{0};
    std::atomic<std::uint32_t> busiest_{0};  // most under way in this window
    std::atomic<net::Instant> window_end_{0};
    mutable std::mutex lock_;  // all below
    AdmissionRules rules_;
    std::array<std::list<std::shared_ptr<Wait::Ticket>>, urgency_count> lines_;
};

}  // namespace plugin
