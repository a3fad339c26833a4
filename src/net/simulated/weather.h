// Weather: what a simulated network does to its traffic, as chances and ranges. A scenario takes a preset or sets its
// own; every draw comes from the loop's seed, so that the same weather repeats exactly.
#pragma once

#include <cstddef>

#include "base/random.h"
#include "net/time.h"

namespace net::simulated {

// 0 to `usual` ms, but with the chance `is_slow` 0 to `slow` ms.
struct Delay {
    Instant usual = 0;
    double is_slow = 0;
    Instant slow = 0;
};

struct Weather {
    // ---- bytes of one direction: each step brings some of those under way
    double whole = 0.7;  // ...all of them
    double single = 0;   // ...one; else any number, small ones as often as large ones
    Delay delivery{1, 0.01, 10};
    Delay end{1, 0.01, 10};  // of a FIN behind the last byte

    // ---- sends
    double immediate = 0.5;  // a send that fits is done before it returns (as with epoll), else completed later
    double partial = 0.2;    // a completion brings a part only
    Delay completion{1, 0, 0};
    std::size_t least_capacity = 64 * 1024;  // bytes that one direction of a connection holds, sent and not yet read
    std::size_t most_capacity = 256 * 1024;

    // ---- connections
    Delay connect{2, 0, 0};
    Delay accept{1, 0, 0};
    double refused = 0;
    double vanished = 0;            // the connection attempt is never answered
    double no_descriptors = 0;      // of connecting, and of accepting
    double reset = 0;               // broken by the network, somewhere within the first...
    std::size_t reset_within = 40;  // ...steps of its bytes

    static Weather calm() { return {}; }  // nothing fails
    static Weather ordinary();            // now and then
    static Weather stormy();              // often, in crumbs, through tiny buffers
};

[[nodiscard]] bool happens(base::Random& random, double chance);
[[nodiscard]] Instant drawn(base::Random& random, const Delay& delay);
// Within [least, most], each power of two as likely as another.
[[nodiscard]] std::size_t any_size(base::Random& random, std::size_t least, std::size_t most);
// How many of `under_way` bytes (at least one) the next step brings.
[[nodiscard]] std::size_t step_of(base::Random& random, const Weather& weather, std::size_t under_way);

}  // namespace net::simulated
