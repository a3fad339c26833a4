#include "upstream/slow_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace upstream {

double SlowStart::share_of_warming(EndpointState& state, net::Instant now) const {
    net::Instant from = state.warms_from.load(std::memory_order_relaxed);
    if (from == EndpointState::warms_from_next_pick) {
        net::Instant begin = std::max<net::Instant>(now, 1);  // 0 is "warm"
        if (state.warms_from.compare_exchange_strong(from, begin, std::memory_order_relaxed)) from = begin;
    }
    // Another core may just have found that it is warm.
    if (from == 0) return 1;
    if (now - from >= window.count()) {
        state.warms_from.compare_exchange_strong(from, 0, std::memory_order_relaxed);
        return 1;
    }
    double passed = static_cast<double>(std::max<net::Instant>(0, now - from)) / static_cast<double>(window.count());
    return std::clamp(std::pow(passed, 1 / aggression), least, 1.0);
}

std::string SlowStart::text() const { return fmt::format("{}-{}-{}", window.count(), aggression, least); }

}  // namespace upstream
