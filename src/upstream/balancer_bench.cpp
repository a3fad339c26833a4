// The price of one pick, per algorithm and number of targets. Asked for at 10,000 targets: round robin <= 100 ns,
// least connections <= 300 ns, consistent hashing <= 200 ns.
#include <benchmark/benchmark.h>

#include "upstream/hash_key.h"
#include "upstream/test_endpoints.h"

namespace upstream {
namespace {

std::vector<std::uint32_t> weights(std::size_t count, bool different) {
    auto out = equal(count);
    base::Random random(1);
    if (different)
        for (std::uint32_t& weight : out) weight = 1 + random.below(65535);
    return out;
}

void pick(benchmark::State& state, Algorithm algorithm, bool different_weights) {
    auto plan =
        Plan::build(endpoints_of(weights(static_cast<std::size_t>(state.range(0)), different_weights)), algorithm);
    auto balancer = Balancer::make(plan, 1);
    base::Random random(2);
    for (auto _ : state) benchmark::DoNotOptimize(balancer->pick({.hash = random.next(), .now = 1}));
}

// As in traffic: some 1,000 requests are under way, and each pick is also started and an older one finished.
void serve(benchmark::State& state, Algorithm algorithm, bool different_weights) {
    auto plan =
        Plan::build(endpoints_of(weights(static_cast<std::size_t>(state.range(0)), different_weights)), algorithm);
    auto balancer = Balancer::make(plan, 1);
    base::Random random(2);
    std::vector<std::uint32_t> running(1000);
    for (std::uint32_t& index : running) balancer->started(index = *balancer->pick({.hash = random.next()}));
    net::Instant now = 0;
    for (auto _ : state) {
        std::uint32_t& slot = running[random.below(1000)];
        balancer->finished(slot, std::chrono::microseconds(500), Outcome::answered, ++now);
        slot = *balancer->pick({.hash = random.next(), .now = now});
        balancer->started(slot);
    }
}

// A tenth of the endpoints is ejected.
void pick_around(benchmark::State& state, Algorithm algorithm) {
    auto set = endpoints_of(weights(static_cast<std::size_t>(state.range(0)), false));
    for (std::size_t i = 0; i < set->endpoints.size(); i += 10) set->endpoints[i].state->set(Bar::ejected, true);
    auto balancer = Balancer::make(Plan::build(set, algorithm), 1);
    base::Random random(2);
    for (auto _ : state) benchmark::DoNotOptimize(balancer->pick({.hash = random.next(), .now = 1}));
}

// Slow start is configured; `warming` of 100 endpoints are in it.
void pick_warming(benchmark::State& state, Algorithm algorithm, std::size_t warming) {
    auto set = endpoints_of(weights(static_cast<std::size_t>(state.range(0)), false));
    for (std::size_t i = 0; i < set->endpoints.size(); ++i)
        if (i % 100 < warming) set->endpoints[i].state->warms_from = 1;
    auto balancer =
        Balancer::make(Plan::build(set, algorithm, {.slow_start = {.window = std::chrono::seconds(100)}}), 1);
    base::Random random(2);
    for (auto _ : state) benchmark::DoNotOptimize(balancer->pick({.hash = random.next(), .now = 30'000}));
}

void build(benchmark::State& state, Algorithm algorithm) {
    auto set = endpoints_of(equal(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state) benchmark::DoNotOptimize(Balancer::make(Plan::build(set, algorithm), 1));
}

#define CARDEA_PICKS(name, ...) BENCHMARK_CAPTURE(name, __VA_ARGS__)->Arg(3)->Arg(100)->Arg(10'000)
CARDEA_PICKS(pick, round_robin_equal, Algorithm::round_robin, false);
CARDEA_PICKS(pick, round_robin_all_different, Algorithm::round_robin, true);
CARDEA_PICKS(pick, least_connections, Algorithm::least_connections, true);
CARDEA_PICKS(pick, latency, Algorithm::latency, true);
CARDEA_PICKS(pick, consistent_hashing, Algorithm::consistent_hashing, false);
CARDEA_PICKS(pick, random_two_choices, Algorithm::random_two_choices, true);
CARDEA_PICKS(serve, round_robin_equal, Algorithm::round_robin, false);
CARDEA_PICKS(serve, round_robin_all_different, Algorithm::round_robin, true);
CARDEA_PICKS(serve, least_connections, Algorithm::least_connections, true);
CARDEA_PICKS(serve, latency, Algorithm::latency, true);
CARDEA_PICKS(serve, consistent_hashing, Algorithm::consistent_hashing, false);
CARDEA_PICKS(serve, random_two_choices, Algorithm::random_two_choices, true);
CARDEA_PICKS(pick_around, round_robin, Algorithm::round_robin);
CARDEA_PICKS(pick_around, least_connections, Algorithm::least_connections);
CARDEA_PICKS(pick_around, consistent_hashing, Algorithm::consistent_hashing);
CARDEA_PICKS(pick_around, random_two_choices, Algorithm::random_two_choices);
CARDEA_PICKS(pick_warming, round_robin_none, Algorithm::round_robin, 0);
CARDEA_PICKS(pick_warming, round_robin_a_tenth, Algorithm::round_robin, 10);
CARDEA_PICKS(pick_warming, least_connections_none, Algorithm::least_connections, 0);
CARDEA_PICKS(pick_warming, least_connections_a_tenth, Algorithm::least_connections, 10);
CARDEA_PICKS(pick_warming, random_two_choices_a_tenth, Algorithm::random_two_choices, 10);
CARDEA_PICKS(build, round_robin, Algorithm::round_robin);
CARDEA_PICKS(build, consistent_hashing, Algorithm::consistent_hashing);

}  // namespace
}  // namespace upstream
