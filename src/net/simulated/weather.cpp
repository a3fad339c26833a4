#include "net/simulated/weather.h"

#include <algorithm>
#include <bit>

#include "base/ensure.h"

namespace net::simulated {

Weather Weather::ordinary() {
    Weather out;
    out.whole = 0.5;
    out.single = 0.05;
    out.delivery = out.end = {2, 0.02, 300};
    out.completion = {2, 0.01, 50};
    out.least_capacity = 2 * 1024;
    out.connect = {3, 0.02, 500};
    out.accept = {2, 0.02, 100};
    out.refused = 0.005;
    out.vanished = 0.002;
    out.no_descriptors = 0.001;
    out.reset = 0.01;
    return out;
}

Weather Weather::stormy() {
    Weather out;
    out.whole = 0.3;
    out.single = 0.2;
    out.delivery = out.end = {2, 0.05, 2'000};
    out.immediate = 0.3;
    out.partial = 0.5;
    out.completion = {3, 0.05, 500};
    out.least_capacity = 64;
    out.most_capacity = 64 * 1024;
    out.connect = {10, 0.1, 3'000};
    out.accept = {5, 0.1, 1'000};
    out.refused = 0.05;
    out.vanished = 0.03;
    out.no_descriptors = 0.02;
    out.reset = 0.1;
    return out;
}

bool happens(base::Random& random, double chance) { return chance > 0 && random.fraction() < chance; }

Instant drawn(base::Random& random, const Delay& delay) {
    Instant most = happens(random, delay.is_slow) ? delay.slow : delay.usual;
    return most <= 0 ? 0 : random.below(static_cast<std::uint32_t>(most) + 1);
}

std::size_t any_size(base::Random& random, std::size_t least, std::size_t most) {
    ensure(least > 0 && least <= most && most < (std::size_t{1} << 31), least, most);
    auto lowest = static_cast<std::uint32_t>(std::bit_width(least));
    auto highest = static_cast<std::uint32_t>(std::bit_width(most));
    std::size_t from = std::size_t{1} << (lowest + random.below(highest - lowest + 1) - 1);
    std::size_t upto = std::min(from * 2 - 1, most);
    from = std::max(from, least);
    return from + random.below(static_cast<std::uint32_t>(upto - from + 1));
}

std::size_t step_of(base::Random& random, const Weather& weather, std::size_t under_way) {
    double roll = random.fraction();
    if (roll < weather.whole) return under_way;
    if (roll < weather.whole + weather.single) return 1;
    return any_size(random, 1, under_way);
}

}  // namespace net::simulated
