#include "upstream/hash_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "upstream/hash_key.h"
#include "upstream/test_endpoints.h"

namespace upstream {

namespace {
constexpr int keys = 20'000;

std::unique_ptr<Balancer> ring(EndpointSetPointer set, std::uint32_t slots = PlanOptions::default_slots) {
    return Balancer::make(Plan::build(std::move(set), Algorithm::consistent_hashing, {.slots = slots}), 1);
}

// The address that serves each of the keys.
std::vector<net::SocketAddress> owners(Balancer& balancer) {
    std::vector<net::SocketAddress> out;
    for (int i = 0; i < keys; ++i)
        out.push_back(balancer.endpoint(*balancer.pick({.hash = hash_of("key" + std::to_string(i))})).address);
    return out;
}

EndpointSetPointer without(const EndpointSetPointer& set, std::size_t index) {
    auto out = std::make_shared<EndpointSet>(*set);
    out->endpoints.erase(out->endpoints.begin() + static_cast<std::ptrdiff_t>(index));
    return out;
}
}  // namespace

// Property: of n equal endpoints, the removed one's keys move, some 1/n of them, and no other key does.
TEST(HashRing, RemovingOneMovesItsKeysOnly) {
    for (std::size_t count : {2, 3, 5, 10, 20, 50, 100, 200}) {
        auto set = endpoints_of(equal(count));
        std::size_t removed = count / 2;
        auto before = owners(*ring(set));
        auto after = owners(*ring(without(set, removed)));
        int moved = 0;
        for (std::size_t i = 0; i < keys; ++i) {
            if (before[i] == set->endpoints[removed].address)
                ++moved;
            else
                ASSERT_EQ(before[i], after[i]) << count;
        }
        double expected = static_cast<double>(keys) / static_cast<double>(count);
        EXPECT_NEAR(moved, expected, expected * 0.35 + 4 * std::sqrt(expected)) << count;
    }
}

TEST(HashRing, RemovingOneOfUnequalWeightsMovesLittleMore) {
    base::Random random(6);
    for (int round = 0; round < 20; ++round) {
        std::vector<std::uint32_t> weights(10 + random.below(40));
        for (std::uint32_t& weight : weights) weight = 50 + random.below(100);
        auto set = endpoints_of(weights);
        double total = std::accumulate(weights.begin(), weights.end(), 0U);
        auto before = owners(*ring(set));
        auto after = owners(*ring(without(set, 0)));
        double moved = 0;
        for (std::size_t i = 0; i < keys; ++i) moved += before[i] != after[i] ? 1 : 0;
        EXPECT_LE(moved / keys, 2 * weights[0] / total + 0.03);
    }
}

TEST(HashRing, SharesFollowWeights) {
    std::vector<std::uint32_t> weights{100, 200, 0, 300, 50, 100, 100, 100};
    auto set = endpoints_of(weights);
    auto balancer = ring(set);
    std::vector<double> counts(weights.size());
    for (int i = 0; i < 200'000; ++i) ++counts[*balancer->pick({.hash = hash_of(std::to_string(i))})];
    EXPECT_EQ(counts[2], 0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        double expected = 200'000.0 * weights[i] / 950;
        EXPECT_NEAR(counts[i], expected, expected * 0.3) << i;
    }
}

TEST(HashRing, BalanceIsWithinItsBound) {
    for (std::size_t count : {10, 100, 200}) {
        auto balancer = ring(endpoints_of(equal(count)));
        std::vector<double> counts(count);
        int draws = static_cast<int>(count) * 2000;
        for (int i = 0; i < draws; ++i) ++counts[*balancer->pick({.hash = hash_of(std::to_string(i))})];
        double squares = 0;
        for (double each : counts) squares += (each / 2000 - 1) * (each / 2000 - 1);
        EXPECT_LE(std::sqrt(squares / static_cast<double>(count)), 0.11) << count;
        EXPECT_LE(*std::max_element(counts.begin(), counts.end()), 2000 * 1.4) << count;
    }
}

TEST(HashRing, SlotsAreTheResolution) {
    auto points = [](std::size_t count, std::uint32_t slots) {
        return HashRingPlan(endpoints_of(equal(count)), slots).points().size();
    };
    EXPECT_EQ(points(10, 10'000), 1600U);
    EXPECT_EQ(points(10, 65'536), 10480U);
    EXPECT_EQ(points(10, 10), 400U);
    EXPECT_LE(points(20'000, 65'536), HashRingPlan::most_points);
    EXPECT_EQ(points(0, 10'000), 0U);
}

TEST(HashRing, TheOrderOfTargetsDoesNotMatter) {
    auto set = endpoints_of({10, 20, 30, 40, 50});
    auto reversed = std::make_shared<EndpointSet>(*set);
    std::reverse(reversed->endpoints.begin(), reversed->endpoints.end());
    EXPECT_EQ(owners(*ring(set)), owners(*ring(reversed)));
}

TEST(HashRing, TriedAndUnavailableOnesAreWalkedPast) {
    auto set = endpoints_of({100, 100, 100, 100, 0});
    auto balancer = ring(set);
    set->endpoints[3].state->set(Bar::unhealthy, true);
    for (int key = 0; key < 200; ++key) {
        std::vector<std::uint32_t> tried;
        for (int i = 0; i < 3; ++i) {
            auto index = *balancer->pick({.hash = hash_of(std::to_string(key)), .tried = tried});
            ASSERT_LT(index, 3U);
            ASSERT_EQ(std::count(tried.begin(), tried.end(), index), 0);
            tried.push_back(index);
        }
        EXPECT_LT(*balancer->pick({.hash = hash_of(std::to_string(key)), .tried = tried}), 3U);
    }
    for (const Endpoint& endpoint : set->endpoints) endpoint.state->set(Bar::unhealthy, true);
    EXPECT_FALSE(balancer->pick({.hash = 1}));
    EXPECT_FALSE(ring(endpoints_of({}))->pick({.hash = 1}));
}

// An endpoint out of service gives its keys to others, and gets the same ones back.
TEST(HashRing, AnOutageMovesOnlyTheKeysOfTheOneThatIsOut) {
    auto set = endpoints_of(equal(10));
    auto balancer = ring(set);
    auto before = owners(*balancer);
    set->endpoints[4].state->set(Bar::unhealthy, true);
    auto during = owners(*balancer);
    std::set<net::SocketAddress> heirs;
    for (std::size_t i = 0; i < keys; ++i) {
        if (before[i] == set->endpoints[4].address)
            heirs.insert(during[i]);
        else
            ASSERT_EQ(before[i], during[i]);
    }
    EXPECT_EQ(heirs.size(), 9U);
    set->endpoints[4].state->set(Bar::unhealthy, false);
    EXPECT_EQ(owners(*balancer), before);
}

TEST(HashRing, NoHashIsTheEmptyValue) {
    auto balancer = ring(endpoints_of(equal(10)));
    EXPECT_EQ(balancer->pick({}), balancer->pick({.hash = hash_of("")}));
}

// These owners must be the same in every version and on every machine, or a rolling upgrade would move all sessions.
TEST(HashRing, OwnersNeverChange) {
    auto balancer = ring(endpoints_of(equal(5)));
    std::string text;
    for (int i = 0; i < 24; ++i)
        text += std::to_string(*balancer->pick({.hash = hash_of("user-" + std::to_string(i))}));
    EXPECT_EQ(text, "000203343432014321432414");
}

}  // namespace upstream
