// Slow start: an endpoint that has come, or come back, is given a growing share of its weight over a window, so that
// cold caches and new processes are not met by a flood. The share is (time / window) ^ (1 / aggression), but never less
// than `least`, so that it does begin. Any thread.
#pragma once

#include <string>

#include "net/time.h"
#include "upstream/endpoint.h"

namespace upstream {

struct SlowStart {
    net::Milliseconds window{0};  // 0: off
    double aggression = 1;        // 1: a straight line; above, it grows faster at first
    double least = 0.1;

    [[nodiscard]] bool is_on() const { return window.count() > 0; }
    // Above 0 and at most 1. Begins the window of an endpoint that is looked at for the first time since it came.
    [[nodiscard]] double share(EndpointState& state, net::Instant now) const {
        return state.warms_from.load(std::memory_order_relaxed) == 0 ? 1 : share_of_warming(state, now);
    }
    // Equal for equal rules only.
    [[nodiscard]] std::string text() const;

  private:
    [[nodiscard]] double share_of_warming(EndpointState& state, net::Instant now) const;
};

}  // namespace upstream
