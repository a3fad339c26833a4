#include "upstream/least_connections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "upstream/test_endpoints.h"

namespace upstream {

namespace {
using std::chrono::nanoseconds;

struct Fixture {
    explicit Fixture(const std::vector<std::uint32_t>& weights, std::uint64_t seed = 1)
        : set(endpoints_of(weights)), balancer(Balancer::make(Plan::build(set, Algorithm::least_connections), seed)) {}
    double load(std::uint32_t index) const {
        const Endpoint& endpoint = set->endpoints[index];
        if (endpoint.weight == 0 || !endpoint.state->is_in_service()) return std::numeric_limits<double>::infinity();
        return (endpoint.state->active + 1.0) / endpoint.weight;
    }
    double lowest() const {
        double out = std::numeric_limits<double>::infinity();
        for (std::uint32_t i = 0; i < set->endpoints.size(); ++i) out = std::min(out, load(i));
        return out;
    }
    EndpointSetPointer set;
    std::unique_ptr<Balancer> balancer;
};
}  // namespace

// Property, for scan and tree alike: on one core the pick is always one of the lowest.
TEST(LeastConnections, ThePickIsTheLowest) {
    base::Random random(4);
    for (std::size_t count : {1, 2, 3, 64, 65, 100, 1000}) {
        std::vector<std::uint32_t> weights(count);
        for (std::uint32_t& weight : weights) weight = random.below(5) * 50;
        weights[0] = 7;
        Fixture fixture(weights, random.next());
        std::vector<std::uint32_t> running;
        for (int step = 0; step < 5000; ++step) {
            if (!running.empty() && random.below(100) < 48) {
                std::swap(running[random.below(static_cast<std::uint32_t>(running.size()))], running.back());
                fixture.balancer->finished(running.back(), nanoseconds(1), Outcome::answered, 0);
                running.pop_back();
                continue;
            }
            auto index = *fixture.balancer->pick({});
            ASSERT_EQ(fixture.load(index), fixture.lowest()) << count << " endpoints, step " << step;
            fixture.balancer->started(index);
            running.push_back(index);
        }
    }
}

TEST(LeastConnections, EqualsTakeTurns) {
    for (std::uint32_t count : {3U, 64U, 65U, 500U}) {
        Fixture fixture(equal(count));
        std::vector<std::uint32_t> counts(count);
        for (std::uint32_t i = 0; i < 10 * count; ++i) {
            auto index = *fixture.balancer->pick({});
            ++counts[index];
            fixture.balancer->started(index);
            fixture.balancer->finished(index, nanoseconds(1), Outcome::answered, 0);
        }
        EXPECT_EQ(*std::min_element(counts.begin(), counts.end()), 10U) << count;
        EXPECT_EQ(*std::max_element(counts.begin(), counts.end()), 10U) << count;
    }
}

TEST(LeastConnections, LoadFollowsWeights) {
    for (std::size_t copies : {1, 50}) {
        std::vector<std::uint32_t> weights;
        for (std::size_t i = 0; i < copies; ++i) weights.insert(weights.end(), {10, 20, 70, 0});
        Fixture fixture(weights);
        for (std::size_t i = 0; i < 100 * copies; ++i) fixture.balancer->started(*fixture.balancer->pick({}));
        for (std::size_t i = 0; i < weights.size(); ++i)
            EXPECT_NEAR(fixture.set->endpoints[i].state->active, weights[i], 1.0) << i;
    }
}

TEST(LeastConnections, TriedAndUnavailableOnesAreAvoided) {
    for (std::uint32_t count : {5U, 100U}) {
        Fixture fixture(equal(count));
        fixture.set->endpoints[1].state->set(Bar::unhealthy, true);
        for (std::uint32_t i = 3; i < count; ++i) fixture.set->endpoints[i].state->active = 10;
        for (std::uint32_t i = 0; i < count; ++i) static_cast<void>(fixture.balancer->pick({}));
        std::vector<std::uint32_t> tried;
        for (std::uint32_t i = 0; i + 1 < count; ++i) {
            auto index = *fixture.balancer->pick({.tried = tried});
            ASSERT_NE(index, 1U);
            ASSERT_EQ(std::count(tried.begin(), tried.end(), index), 0);
            tried.push_back(index);
        }
        auto again = fixture.balancer->pick({.tried = tried});
        ASSERT_TRUE(again);
        EXPECT_NE(*again, 1U);
        for (const Endpoint& endpoint : fixture.set->endpoints) endpoint.state->set(Bar::unhealthy, true);
        for (std::uint32_t i = 0; i < count; ++i) static_cast<void>(fixture.balancer->pick({}));
        EXPECT_FALSE(fixture.balancer->pick({}));
        EXPECT_FALSE(fixture.balancer->pick({.tried = tried}));
    }
}

// What another core does is seen within endpoints / 2 picks.
TEST(LeastConnections, TheTreeCatchesUpWithOtherCores) {
    Fixture fixture(equal(100));
    for (std::uint32_t i = 0; i < 100; ++i) fixture.balancer->started(*fixture.balancer->pick({}));
    fixture.set->endpoints[42].state->active = 0;  // finished by another core
    bool seen = false;
    for (int i = 0; i < 51 && !seen; ++i) seen = *fixture.balancer->pick({}) == 42;
    EXPECT_TRUE(seen);
    for (const Endpoint& endpoint : fixture.set->endpoints) endpoint.state->active = 9;  // all the tree knows is wrong
    fixture.set->endpoints[7].state->active = 3;
    seen = false;
    for (int i = 0; i < 51 && !seen; ++i) seen = *fixture.balancer->pick({}) == 7;
    EXPECT_TRUE(seen);
}

// Four cores, each with its own balancer over shared states: no count is lost, and the load stays level.
TEST(LeastConnections, CoresShareTheCounts) {
    for (std::uint32_t count : {8U, 200U}) {
        auto plan = Plan::build(endpoints_of(equal(count)), Algorithm::least_connections);
        std::vector<std::thread> cores;
        for (std::uint64_t core = 0; core < 4; ++core) {
            cores.emplace_back([&plan, core] {
                auto balancer = Balancer::make(plan, core);
                base::Random random(core);
                std::vector<std::uint32_t> running;
                for (int i = 0; i < 20'000; ++i) {
                    if (running.size() > 50 || (!running.empty() && random.below(2) == 0)) {
                        balancer->finished(running.back(), nanoseconds(1), Outcome::answered, i);
                        running.pop_back();
                    } else {
                        auto index = *balancer->pick({});
                        balancer->started(index);
                        running.push_back(index);
                    }
                }
                for (std::uint32_t index : running) balancer->finished(index, nanoseconds(1), Outcome::cancelled, 0);
            });
        }
        for (std::thread& core : cores) core.join();
        for (const Endpoint& endpoint : plan->endpoints()) EXPECT_EQ(endpoint.state->active, 0U);
    }
}

}  // namespace upstream
