// Time as the loops see it. Nothing in the program reads a clock but through a Loop, so that tests can replace it.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace net {

using Milliseconds = std::chrono::milliseconds;

// Monotonic milliseconds since some start; cached by the loop once per turn.
using Instant = std::int64_t;
inline constexpr Instant never = std::numeric_limits<Instant>::max();

inline Instant after(Instant now, Milliseconds span) {
    return span.count() >= never - now ? never : now + span.count();
}

}  // namespace net
