#include "upstream/health.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace upstream {

namespace {

Endpoint endpoint(std::uint32_t weight = 100) {
    Endpoint out;
    out.host = "a";
    out.weight = weight;
    out.state = std::make_shared<EndpointState>();
    return out;
}
bool is_available(const Endpoint& endpoint) { return endpoint.state->is_in_service(); }

HealthRules rules(FindingLimits passive, FindingLimits active = {}) {
    HealthRules out;
    out.passive = passive;
    out.active.limits = active;
    return out;
}

bool found(Health& health, const Endpoint& one, Finding finding, std::uint16_t status) {
    return health.found(one, {FoundBy::request, finding, status}, 1);
}
bool probed(Health& health, const Endpoint& one, Finding finding, std::uint16_t status) {
    return health.found(one, {FoundBy::probe, finding, status}, 1);
}

}  // namespace

TEST(Health, FailuresInARowTakeAnEndpointOut) {
    Health health("u", rules({.http_failures = 3}));
    Endpoint one = endpoint();
    EXPECT_FALSE(found(health, one, Finding::http_failure, 500));
    EXPECT_FALSE(found(health, one, Finding::http_failure, 500));
    EXPECT_FALSE(found(health, one, Finding::success, 200));  // ends the row
    EXPECT_FALSE(found(health, one, Finding::http_failure, 500));
    EXPECT_FALSE(found(health, one, Finding::http_failure, 500));
    EXPECT_TRUE(is_available(one));
    EXPECT_TRUE(found(health, one, Finding::http_failure, 503));
    EXPECT_FALSE(is_available(one));
    EXPECT_EQ(text(one.state->reason.load()), "http_failure 503, found by a request");
    EXPECT_GT(one.state->turned_at.load(), 0);
    EXPECT_FALSE(found(health, one, Finding::http_failure, 503)) << "it is out already";
}

TEST(Health, KindsAreCountedApart) {
    Health health("u", rules({.http_failures = 2, .tcp_failures = 2, .timeouts = 2}));
    Endpoint one = endpoint();
    for (Finding finding : {Finding::http_failure, Finding::tcp_failure, Finding::timeout})
        EXPECT_FALSE(found(health, one, finding, 0));
    EXPECT_TRUE(is_available(one));
    EXPECT_TRUE(found(health, one, Finding::timeout, 0));
}

TEST(Health, AKindWithoutALimitNeverTurnsTheState) {
    Health health("u", rules({.tcp_failures = 1}));
    Endpoint one = endpoint();
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(found(health, one, Finding::http_failure, 500));
    EXPECT_TRUE(is_available(one));
    EXPECT_TRUE(found(health, one, Finding::tcp_failure, 0));
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(found(health, one, Finding::success, 200));
    EXPECT_FALSE(is_available(one)) << "passive checks without successes never heal";
}

TEST(Health, SuccessesInARowBringItBack) {
    Health health("u", rules({.tcp_failures = 1}, {.successes = 2}));
    Endpoint one = endpoint();
    EXPECT_TRUE(found(health, one, Finding::tcp_failure, 0));
    EXPECT_FALSE(probed(health, one, Finding::success, 200));
    EXPECT_FALSE(probed(health, one, Finding::http_failure, 500));  // ends the row
    EXPECT_FALSE(probed(health, one, Finding::success, 200));
    EXPECT_FALSE(is_available(one));
    EXPECT_TRUE(probed(health, one, Finding::success, 200));
    EXPECT_TRUE(is_available(one));
    EXPECT_EQ(one.state->findings.load(), 0u);
}

TEST(Health, TheLimitOf255IsReachedAndNotPassedBy) {
    Health health("u", rules({.timeouts = 255}));
    Endpoint one = endpoint();
    for (int i = 0; i < 254; ++i) EXPECT_FALSE(found(health, one, Finding::timeout, 0));
    EXPECT_TRUE(found(health, one, Finding::timeout, 0));
}

TEST(Health, APersonSetsTheStateAndTheCountsBegin) {
    Health health("u", rules({.tcp_failures = 2}));
    Endpoint one = endpoint();
    found(health, one, Finding::tcp_failure, 0);
    health.set(one, false, 1);
    EXPECT_FALSE(is_available(one));
    EXPECT_EQ(text(one.state->reason.load()), "set by a person");
    health.set(one, true, 1);
    EXPECT_FALSE(found(health, one, Finding::tcp_failure, 0));
    EXPECT_TRUE(is_available(one));
}

TEST(Health, TheThresholdCountsWeight) {
    HealthRules limits = rules({.tcp_failures = 1});
    limits.threshold = 25;
    Health health("u", limits);
    std::vector<Endpoint> all{endpoint(50), endpoint(30), endpoint(20), endpoint(0)};
    auto lose = [&](std::size_t index) {
        EXPECT_TRUE(found(health, all[index], Finding::tcp_failure, 0));
        health.reconsider(all);
    };
    lose(0);
    EXPECT_TRUE(health.is_open()) << "50 of 100";
    lose(1);
    EXPECT_FALSE(health.is_open()) << "20 of 100";
    health.set(all[1], true, 1);
    health.reconsider(all);
    EXPECT_TRUE(health.is_open());
}

TEST(Health, StatusesThatSayNothingFindNothing) {
    StatusRules statuses;
    statuses.healthy.set(200);
    statuses.unhealthy.set(503);
    EXPECT_EQ(statuses.finding(200), Finding::success);
    EXPECT_EQ(statuses.finding(503), Finding::http_failure);
    EXPECT_EQ(statuses.finding(404), std::nullopt);
}

// Threads that find failures at once: the state turns exactly once for each change.
TEST(Health, ManyThreadsTurnItOnce) {
    Health health("u", rules({.tcp_failures = 10}));
    for (int round = 0; round < 50; ++round) {
        Endpoint one = endpoint();
        std::atomic<int> turns{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int j = 0; j < 10; ++j) turns += found(health, one, Finding::tcp_failure, 0);
            });
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(turns, 1);
        EXPECT_FALSE(is_available(one));
    }
}

}  // namespace upstream
