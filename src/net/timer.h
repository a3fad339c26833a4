// Timers of one loop: a hierarchical wheel of 1 ms ticks, O(1) to arm and cancel. Moving a deadline later only stores
// it (the wheel looks again when the old place comes round), which is what nearly every request does.
#pragma once

#include <array>
#include <cstdint>

#include "net/time.h"

namespace net {

class TimerWheel;

// Owned by whoever waits; destroying it cancels it. `fire` runs on the loop's thread with `owner`.
class Timer {
  public:
    using Fire = void (*)(void* owner);

    Timer() = default;
    Timer(Fire fire, void* owner) : fire_(fire), owner_(owner) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { unlink(); }

    void set(Fire fire, void* owner) {
        fire_ = fire;
        owner_ = owner;
    }
    void arm(TimerWheel& wheel, Instant deadline);
    void cancel() { deadline_ = never; }
    [[nodiscard]] Instant deadline() const { return deadline_; }
    [[nodiscard]] bool is_armed() const { return deadline_ != never; }

  private:
    friend class TimerWheel;
    void unlink();
    Timer* next_ = nullptr;
    Timer** link_ = nullptr;  // the pointer that points at us; null when not in a wheel
    Instant deadline_ = never;
    Instant scheduled_ = never;  // where in the wheel we are: never later than deadline_
    Fire fire_ = nullptr;
    void* owner_ = nullptr;
};

class TimerWheel {
  public:
    explicit TimerWheel(Instant now) : now_(now) {}
    TimerWheel(const TimerWheel&) = delete;
    ~TimerWheel();

    // Fires everything due at or before `now`.
    void advance(Instant now);
    // When advance() should be called next, never later than the earliest timer; `never` if there is none.
    [[nodiscard]] Instant next() const;

  private:
    friend class Timer;
    static constexpr int level_bits = 6;
    static constexpr int slots = 1 << level_bits;
    static constexpr int levels = 6;  // 2^36 ms: two years

    void insert(Timer& timer);
    void run_slot(int level, int slot);

    Instant now_;
    std::array<std::array<Timer*, slots>, levels> wheel_{};
    std::array<std::uint64_t, levels> occupied_{};
    Timer* due_ = nullptr;
};

}  // namespace net
