#include "upstream/round_robin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "upstream/test_endpoints.h"

namespace upstream {

namespace {
std::unique_ptr<Balancer> round_robin(const std::vector<std::uint32_t>& weights, std::uint64_t seed = 1) {
    return Balancer::make(Plan::build(endpoints_of(weights), Algorithm::round_robin), seed);
}

std::vector<std::uint32_t> random_weights(base::Random& random) {
    std::vector<std::uint32_t> out(1 + random.below(20));
    for (std::uint32_t& weight : out) weight = random.below(4) == 0 ? 100 : random.below(40);
    out[0] = 1 + random.below(100);
    return out;
}
}  // namespace

TEST(RoundRobin, EqualWeightsTakeTurns) {
    auto balancer = round_robin(equal(3));
    auto order = picks(*balancer, 300);
    for (std::size_t i = 3; i < order.size(); ++i) ASSERT_EQ(order[i], order[i - 3]);
    EXPECT_EQ(std::set<std::uint32_t>(order.begin(), order.begin() + 3).size(), 3U);
}

// Property: any weight-sum / gcd picks in a row, from any moment on, hold each endpoint exactly weight / gcd times.
TEST(RoundRobin, EveryCycleIsExact) {
    base::Random random(2);
    for (int round = 0; round < 200; ++round) {
        auto weights = random_weights(random);
        std::uint32_t divisor = 0;
        for (std::uint32_t weight : weights) divisor = std::gcd(divisor, weight);
        std::size_t cycle = std::accumulate(weights.begin(), weights.end(), 0U) / divisor;
        auto balancer = round_robin(weights, random.next());
        auto order = picks(*balancer, 3 * cycle);
        std::size_t start = random.below(static_cast<std::uint32_t>(2 * cycle));
        std::vector<std::uint32_t> counts(weights.size());
        for (std::size_t i = start; i < start + cycle; ++i) ++counts[order[i]];
        for (std::size_t i = 0; i < weights.size(); ++i)
            ASSERT_EQ(counts[i], weights[i] / divisor) << "round " << round;
    }
}

// Property: the bound of the header, for every prefix, for single endpoints (one more than the class's share of it).
TEST(RoundRobin, PicksAreSpreadEvenly) {
    base::Random random(3);
    for (int round = 0; round < 100; ++round) {
        auto weights = random_weights(random);
        double total = std::accumulate(weights.begin(), weights.end(), 0U);
        std::map<std::uint32_t, int> classes;
        for (std::uint32_t weight : weights)
            if (weight > 0) ++classes[weight];
        auto order = picks(*round_robin(weights, random.next()), 2000);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            if (weights[i] == 0) continue;
            double of_class = classes[weights[i]];
            double class_share = weights[i] * of_class / total;
            // Both ends of the stretch may be off by the bound, since the core began at a random moment.
            double bound = 2 * (0.5 + static_cast<double>(classes.size()) * class_share / 2) / of_class + 1;
            double count = 0;
            for (std::size_t m = 0; m < order.size(); ++m) {
                count += order[m] == i ? 1 : 0;
                double due = weights[i] / total * static_cast<double>(m + 1);
                ASSERT_LE(std::abs(count - due), bound)
                    << "endpoint " << i << " of weight " << weights[i] << " round " << round;
            }
        }
    }
}

TEST(RoundRobin, AHeavyEndpointDoesNotRunInARow) {
    auto order = picks(*round_robin({5, 1, 1, 1, 1, 1}), 1000);
    std::size_t run = 0;
    std::size_t longest = 0;
    for (std::uint32_t index : order) {
        run = index == 0 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    EXPECT_LE(longest, 2U);
}

TEST(RoundRobin, WeightZeroGetsNothing) {
    for (std::uint32_t index : picks(*round_robin({0, 3, 0, 1}), 100)) EXPECT_TRUE(index == 1 || index == 3);
    EXPECT_FALSE(round_robin({0, 0})->pick({}));
    EXPECT_FALSE(round_robin({})->pick({}));
}

TEST(RoundRobin, CoresBeginAtDifferentPlaces) {
    std::set<std::uint32_t> first;
    for (std::uint64_t seed = 0; seed < 100; ++seed) first.insert(*round_robin(equal(10), seed)->pick({}));
    EXPECT_EQ(first.size(), 10U);
}

TEST(RoundRobin, TriedOnesAreAvoidedWhileOthersExist) {
    for (const auto& weights : {std::vector<std::uint32_t>{1, 1, 1}, {65535, 1, 65534}, {1, 65535, 65535}}) {
        auto balancer = round_robin(weights);
        for (int round = 0; round < 50; ++round) {
            std::vector<std::uint32_t> tried;
            for (int i = 0; i < 3; ++i) {
                auto index = *balancer->pick({.tried = tried});
                ASSERT_EQ(std::count(tried.begin(), tried.end(), index), 0);
                tried.push_back(index);
            }
            EXPECT_TRUE(balancer->pick({.tried = tried}));  // all tried: better again than not at all
        }
    }
}

TEST(RoundRobin, UnavailableOnesAreLeftOut) {
    auto set = endpoints_of(equal(200));
    auto balancer = Balancer::make(Plan::build(set, Algorithm::round_robin), 5);
    for (std::size_t i = 0; i < 200; ++i) set->endpoints[i].state->set(Bar::unhealthy, i != 77);
    for (std::uint32_t index : picks(*balancer, 500)) ASSERT_EQ(index, 77U);
    set->endpoints[77].state->set(Bar::unhealthy, true);
    EXPECT_FALSE(balancer->pick({}));
    std::vector<std::uint32_t> tried{1};
    EXPECT_FALSE(balancer->pick({.tried = tried}));
}

TEST(RoundRobin, ManyDifferentWeightsStayExact) {
    std::vector<std::uint32_t> weights(1000);
    std::iota(weights.begin(), weights.end(), 1);
    std::size_t cycle = 1000 * 1001 / 2;
    std::vector<std::uint32_t> counts(weights.size());
    for (std::uint32_t index : picks(*round_robin(weights), cycle)) ++counts[index];
    EXPECT_EQ(counts, weights);
}

// The cycle number has 12 bits in a turn's key.
TEST(RoundRobin, TheCycleNumberMayWrap) {
    auto balancer = round_robin({2, 1});
    std::uint32_t counts[2] = {};
    constexpr std::uint32_t cycles = (1U << 14) + 1000;
    for (std::uint32_t i = 0; i < 3 * (cycles - 10); ++i) ++counts[*balancer->pick({})];
    EXPECT_EQ(counts[0], 2 * (cycles - 10));
    EXPECT_EQ(counts[1], cycles - 10);
}

}  // namespace upstream
