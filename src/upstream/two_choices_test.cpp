#include "upstream/two_choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "upstream/test_endpoints.h"

namespace upstream {

namespace {
using std::chrono::microseconds;
using std::chrono::milliseconds;
}  // namespace

TEST(TwoChoices, DrawsFollowTheWeights) {
    std::vector<std::uint32_t> weights{1, 0, 10, 100, 1000, 65535, 7};
    TwoChoicesPlan plan(endpoints_of(weights), Algorithm::random_two_choices);
    base::Random random(1);
    std::vector<double> counts(weights.size());
    constexpr double draws = 2e6;
    for (int i = 0; i < draws; ++i) ++counts[plan.draw(random)];
    double total = 66653;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        double expected = draws * weights[i] / total;
        EXPECT_NEAR(counts[i], expected, 6 * std::sqrt(expected) + 1e-9) << i;
    }
}

TEST(TwoChoices, LoadIsNearlyLevel) {
    auto set = endpoints_of(equal(100));
    auto balancer = Balancer::make(Plan::build(set, Algorithm::random_two_choices), 3);
    for (int i = 0; i < 10'000; ++i) balancer->started(*balancer->pick({}));
    for (const Endpoint& endpoint : set->endpoints) EXPECT_NEAR(endpoint.state->active, 100, 6);
}

TEST(TwoChoices, IsAFunctionOfItsSeed) {
    for (Algorithm algorithm : {Algorithm::random_two_choices, Algorithm::latency}) {
        auto plan = Plan::build(endpoints_of({1, 2, 3, 4}), algorithm);
        EXPECT_EQ(picks(*Balancer::make(plan, 9), 200), picks(*Balancer::make(plan, 9), 200));
        EXPECT_NE(picks(*Balancer::make(plan, 9), 200), picks(*Balancer::make(plan, 10), 200));
    }
}

TEST(TwoChoices, TriedAndUnavailableOnesAreAvoided) {
    for (Algorithm algorithm : {Algorithm::random_two_choices, Algorithm::latency}) {
        auto set = endpoints_of({1, 60000, 1, 60000, 0});
        auto balancer = Balancer::make(Plan::build(set, algorithm), 3);
        set->endpoints[3].state->set(Bar::unhealthy, true);
        for (int round = 0; round < 50; ++round) {
            std::vector<std::uint32_t> tried;
            for (int i = 0; i < 3; ++i) {
                auto index = *balancer->pick({.tried = tried});
                ASSERT_LT(index, 3U);
                ASSERT_EQ(std::count(tried.begin(), tried.end(), index), 0);
                tried.push_back(index);
            }
            EXPECT_LT(*balancer->pick({.tried = tried}), 3U);
        }
    }
    EXPECT_FALSE(Balancer::make(Plan::build(endpoints_of({}), Algorithm::latency), 1)->pick({}));
    EXPECT_FALSE(Balancer::make(Plan::build(endpoints_of({0}), Algorithm::latency), 1)->pick({}));
    EXPECT_EQ(Balancer::make(Plan::build(endpoints_of({5}), Algorithm::latency), 1)->pick({}), 0U);
}

namespace {
// `requests` one after the other; endpoint i takes (i + 1) ms, those in `failing` fail at once.
std::vector<int> served(Balancer& balancer, int requests, std::vector<std::uint32_t> failing = {}) {
    std::vector<int> counts(balancer.plan().size());
    for (int i = 0; i < requests; ++i) {
        net::Instant now = 10 * i;
        auto index = *balancer.pick({.now = now});
        ++counts[index];
        balancer.started(index);
        bool fails = std::count(failing.begin(), failing.end(), index) > 0;
        balancer.finished(index, fails ? microseconds(50) : milliseconds(index + 1),
                          fails ? Outcome::failed : Outcome::answered, now);
    }
    return counts;
}
}  // namespace

TEST(Latency, TheFasterOfTwoIsTaken) {
    auto balancer = Balancer::make(Plan::build(endpoints_of(equal(2)), Algorithm::latency), 3);
    auto counts = served(*balancer, 1000);
    EXPECT_GT(counts[0], 900);
    EXPECT_GE(counts[1], 1);
}

TEST(Latency, FailingFastIsNotBeingFast) {
    auto balancer = Balancer::make(Plan::build(endpoints_of(equal(3)), Algorithm::latency), 3);
    auto counts = served(*balancer, 1000, {0});
    EXPECT_LE(counts[0], 5);
}

TEST(Latency, ANewEndpointIsMeasuredWithOneRequest) {
    auto set = endpoints_of(equal(2));
    auto balancer = Balancer::make(Plan::build(set, Algorithm::latency), 3);
    set->endpoints[0].state->latency.record(milliseconds(5), 0);
    EXPECT_EQ(*balancer->pick({}), 1U);
    balancer->started(1);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(*balancer->pick({}), 0U);
    balancer->finished(1, milliseconds(1), Outcome::cancelled, 0);  // says nothing about the latency
    EXPECT_EQ(*balancer->pick({}), 1U);
    balancer->started(1);
    balancer->finished(1, milliseconds(50), Outcome::answered, 0);
    EXPECT_EQ(*balancer->pick({}), 0U);
}

TEST(Latency, ThePeakShowsAtOnceAndIsForgottenWithinTheDecay) {
    PeakLatency latency;
    EXPECT_LT(latency.microseconds(0), 0);
    latency.record(milliseconds(1), 0);
    EXPECT_FLOAT_EQ(latency.microseconds(0), 1000);
    latency.record(milliseconds(100), 1);
    EXPECT_FLOAT_EQ(latency.microseconds(1), 100'000);
    EXPECT_NEAR(latency.microseconds(10'001), 36'788, 10);
    for (net::Instant now = 2; now < 60'000; ++now) latency.record(milliseconds(1), now);
    EXPECT_NEAR(latency.microseconds(60'000), 1000 + 99'000 * std::exp(-6.0), 20);
    latency.record(std::chrono::nanoseconds(0), 1'000'000'000'000);  // far later, and the stamp has wrapped
    EXPECT_GE(latency.microseconds(1'000'000'000'000), 0);
}

TEST(Latency, ACoreWhoseClockLagsChangesNothingWrongly) {
    PeakLatency latency;
    latency.record(milliseconds(4), 1000);
    EXPECT_FLOAT_EQ(latency.microseconds(998), 4000);
    latency.record(milliseconds(1), 998);
    EXPECT_FLOAT_EQ(latency.microseconds(1000), 4000);
}

TEST(Latency, CoresRecordAtTheSameTime) {
    auto plan = Plan::build(endpoints_of(equal(4)), Algorithm::latency);
    std::vector<std::thread> cores;
    for (std::uint64_t core = 0; core < 4; ++core) {
        cores.emplace_back([&plan, core] {
            auto balancer = Balancer::make(plan, core);
            for (int i = 0; i < 20'000; ++i) {
                auto index = *balancer->pick({.now = i});
                balancer->started(index);
                balancer->finished(index, microseconds(100 + index), Outcome::answered, i);
            }
        });
    }
    for (std::thread& core : cores) core.join();
    for (const Endpoint& endpoint : plan->endpoints()) {
        EXPECT_EQ(endpoint.state->active, 0U);
        EXPECT_LE(endpoint.state->latency.microseconds(20'000), 104.0F);
    }
}

}  // namespace upstream
