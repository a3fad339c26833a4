// Slow start: the share over time, and that each algorithm gives an endpoint no more than it and never nothing.
#include "upstream/slow_start.h"

#include <gtest/gtest.h>

#include <deque>

#include "upstream/test_endpoints.h"

namespace upstream {

namespace {

constexpr SlowStart over_100_seconds{net::Milliseconds(100'000), 1, 0.1};

// Of `count` picks at `now`, those of endpoint 0; `running` requests are under way at a time.
double share_of_first(Balancer& balancer, net::Instant now, int count, std::size_t running) {
    std::deque<std::uint32_t> under_way;
    int first = 0;
    auto finish = [&] {
        balancer.finished(under_way.front(), std::chrono::milliseconds(5), Outcome::answered, now);
        under_way.pop_front();
    };
    for (int i = 0; i < count; ++i) {
        std::uint32_t index = balancer.pick({.now = now}).value();
        first += index == 0 ? 1 : 0;
        balancer.started(index);
        under_way.push_back(index);
        if (under_way.size() > running) finish();
    }
    while (!under_way.empty()) finish();
    return static_cast<double>(first) / count;
}

}  // namespace

TEST(SlowStart, TheShareGrowsOverTheWindow) {
    EndpointState state;
    EXPECT_EQ(over_100_seconds.share(state, 5), 1) << "it was never away";
    state.set(Bar::ejected, true);
    state.set(Bar::ejected, false);
    EXPECT_EQ(over_100_seconds.share(state, 1'000), 0.1) << "the first look begins the window";
    EXPECT_EQ(over_100_seconds.share(state, 1'000 + 5'000), 0.1);
    EXPECT_NEAR(over_100_seconds.share(state, 1'000 + 40'000), 0.4, 1e-9);
    EXPECT_NEAR(over_100_seconds.share(state, 1'000 + 99'999), 1, 1e-4);
    EXPECT_EQ(over_100_seconds.share(state, 1'000 + 100'000), 1);
    EXPECT_EQ(state.warms_from.load(), 0);
}

TEST(SlowStart, AggressionBendsIt) {
    EndpointState state;
    state.warms_from = 1;
    EXPECT_NEAR((SlowStart{net::Milliseconds(100), 2, 0.01}.share(state, 26)), 0.5, 1e-9);
    EXPECT_NEAR((SlowStart{net::Milliseconds(100), 0.5, 0.01}.share(state, 51)), 0.25, 1e-9);
}

TEST(SlowStart, AnEndpointWithAnotherBarDoesNotBeginYet) {
    EndpointState state;
    state.set(Bar::ejected, true);
    state.set(Bar::unhealthy, true);
    state.set(Bar::ejected, false);
    EXPECT_EQ(state.warms_from.load(), 0);
    state.set(Bar::unhealthy, false);
    EXPECT_EQ(state.warms_from.load(), EndpointState::warms_from_next_pick);
}

TEST(SlowStart, EveryAlgorithmKeepsToIt) {
    for (std::size_t count : {4, 100})
        for (std::size_t running : {std::size_t{0}, 10 * count})
            for (Algorithm algorithm :
                 {Algorithm::round_robin, Algorithm::least_connections, Algorithm::random_two_choices}) {
                auto set = endpoints_of(equal(count));
                auto balancer = Balancer::make(Plan::build(set, algorithm, {.slow_start = over_100_seconds}), 1);
                double whole = 1.0 / static_cast<double>(count);
                int picks = static_cast<int>(20'000 * count / 4);
                set->endpoints[0].state->warms_from = 1;
                double before = 0;
                for (net::Instant now : {1, 30'001, 60'001}) {
                    double share = over_100_seconds.share(*set->endpoints[0].state, now);
                    double got = share_of_first(*balancer, now, picks, running);
                    EXPECT_GT(got, 0) << static_cast<int>(algorithm);
                    EXPECT_GE(got, before * 0.9) << static_cast<int>(algorithm);
                    // Two choices have two chances.
                    double slack = algorithm == Algorithm::random_two_choices ? 1.6 : 1.25;
                    double fair = share / (static_cast<double>(count) - 1 + share);
                    EXPECT_LE(got, fair * slack + 0.002)
                        << static_cast<int>(algorithm) << ", " << count << " endpoints, " << running << " running";
                    before = got;
                }
                EXPECT_NEAR(share_of_first(*balancer, 200'000, picks, running), whole, whole * 0.15)
                    << static_cast<int>(algorithm) << ", " << count << " endpoints, " << running << " running";
            }
}

TEST(SlowStart, WhereAllWarmUpNobodyWaits) {
    for (Algorithm algorithm :
         {Algorithm::round_robin, Algorithm::least_connections, Algorithm::latency, Algorithm::random_two_choices}) {
        auto set = endpoints_of(equal(100));
        auto balancer = Balancer::make(Plan::build(set, algorithm, {.slow_start = over_100_seconds}), 1);
        for (const Endpoint& endpoint : set->endpoints) endpoint.state->warms_from = 1;
        std::vector<int> counts(100);
        for (int i = 0; i < 10'000; ++i) {
            std::uint32_t index = balancer->pick({.now = 1}).value();
            ++counts[index];
            balancer->started(index);
            balancer->finished(index, std::chrono::milliseconds(1), Outcome::answered, 1);
        }
        EXPECT_GT(std::ranges::count_if(counts, [](int each) { return each > 0; }), 50) << static_cast<int>(algorithm);
    }
}

}  // namespace upstream
