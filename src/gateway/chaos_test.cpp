// Chaos in simulated time (chaos_for_tests.h): each request gets one answer or the end of its connection, nothing is
// sent twice that must not be, good targets are never left out, bad ones get nothing but probes, limits hold, nothing
// is left behind, and all is well again Chaos::recovers_within after the last fault. CARDEA_CHAOS_SEED=n replays one
// scenario, CARDEA_CHAOS_SCENARIOS=n sets their number (make chaos-simulated: 100,000).
#include "gateway/chaos_for_tests.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace gateway {
namespace {

// Blocks of memory that one client's exchange may hold at a time, with its test's own peers beside.
constexpr std::size_t blocks_per_connection = 4;
constexpr std::size_t blocks_besides = 32;  // probes, kept connections

class ChaosJudge {
  public:
    explicit ChaosJudge(Chaos& chaos) : chaos_(chaos) {}

    void judge() {
        for (const std::string& fault : chaos_.faults) ADD_FAILURE() << fault;
        for (const auto& request : chaos_.requests) judge(*request);
        judge_targets();
        EXPECT_LE(chaos_.most_blocks, blocks_besides + blocks_per_connection * chaos_.most_connections);
        EXPECT_EQ(chaos_.leftovers(), "");
    }
    std::uint64_t served = 0;
    std::uint64_t refused = 0;
    std::uint64_t cut = 0;
    std::uint64_t tried_again = 0;

  private:
    // While a good target is there and as many tries as targets, what may be tried again is served.
    [[nodiscard]] bool must_be_served(const ChaosRequest& request) const {
        const UpstreamLimits& limits = chaos_.drawn.limits;
        bool is_limited = limits.max_requests > 0 || limits.max_retries > 0 || limits.has_retry_budget;
        return chaos_.is_calm && !request.is_post && !request.met_garbage && !is_limited &&
               chaos_.drawn.healthchecks.threshold == 0;
    }
    void judge(const ChaosRequest& request) {
        SCOPED_TRACE("request " + std::to_string(request.id) + (request.is_post ? " POST" : " GET") + ", heads " +
                     std::to_string(request.heads) + ", status " + std::to_string(request.status));
        EXPECT_LE(request.heads, request.is_post ? 1 : Chaos::retries + 2) << "sent too often";
        tried_again += request.heads > 1;
        if (request.is_abandoned) return;
        EXPECT_TRUE(request.is_whole != request.is_closed || !chaos_.is_calm) << "neither an answer nor an end";
        if (request.is_closed) {
            ++cut;
            // Only an answer that has begun may break.
            if (chaos_.is_calm) EXPECT_NE(request.status, 0) << "no answer";
            EXPECT_FALSE(request.is_after_all) << "cut after all";
        } else if (request.has_own_answer) {
            ++refused;
            EXPECT_TRUE(request.status == 502 || request.status == 503 || request.status == 504);
            EXPECT_FALSE(must_be_served(request)) << "a good target was there";
            EXPECT_FALSE(request.is_after_all) << "refused after all";
        } else {
            served += request.is_whole;
            if (request.is_after_all) EXPECT_EQ(request.status, 200);
        }
    }
    void judge_targets() {
        std::uint64_t all = 0;
        for (const ChaosTarget& target : chaos_.targets) all += target.requests;
        const ActiveCheck& active = chaos_.drawn.healthchecks.active;
        double shortest = active.unhealthy_interval.count();
        for (const ChaosTarget& target : chaos_.targets) {
            SCOPED_TRACE(target.at.text() + ", requests " + std::to_string(target.requests) + " of " +
                         std::to_string(all) + ", probes " + std::to_string(target.probes));
            if (target.is_good && !chaos_.is_hashed && all > 40 * chaos_.targets.size())
                EXPECT_GT(target.requests, 0U) << "starved";
            bool is_even = chaos_.drawn.algorithm != Algorithm::latency && !chaos_.is_hashed;
            if (is_even) EXPECT_GT(target.requests_after_all, 0U) << "starved after all";
            if (shortest == 0) {
                EXPECT_EQ(target.probes, 0U);
                continue;
            }
            // Each address is probed once an interval, whatever was published meanwhile; one that comes anew, at once.
            double lasted = std::chrono::duration<double>(chaos_.lasted).count();
            double most = lasted / shortest * 1.25 + static_cast<double>(chaos_.world->version);
            EXPECT_LE(static_cast<double>(target.probes), most);
        }
    }
    Chaos& chaos_;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(ChaosInSimulatedTime, WhatMustHoldHoldsAndAllIsWellAgain) {
    bool is_replay = std::getenv("CARDEA_CHAOS_SEED") != nullptr;
    std::uint64_t first = from_environment("CARDEA_CHAOS_SEED", 0);
    std::uint64_t count = is_replay ? 1 : from_environment("CARDEA_CHAOS_SCENARIOS", 2'000);
    std::uint64_t served = 0;
    std::uint64_t refused = 0;
    std::uint64_t cut = 0;
    std::uint64_t tried_again = 0;
    std::uint64_t times_out = 0;
    std::uint64_t panics = 0;
    std::size_t most_blocks = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        Chaos chaos(seed);
        SCOPED_TRACE("CARDEA_CHAOS_SEED=" + std::to_string(seed) + ": " + chaos.described());
        if (is_replay && std::getenv("CARDEA_EVENTS") != nullptr) chaos.world->loop.print_events(stderr);
        chaos.run();
        ChaosJudge judge(chaos);
        judge.judge();
        served += judge.served;
        refused += judge.refused;
        cut += judge.cut;
        tried_again += judge.tried_again;
        times_out += chaos.times_out;
        panics += chaos.panics;
        most_blocks = std::max(most_blocks, chaos.most_blocks / std::max<std::size_t>(chaos.most_connections, 1));
        if (testing::Test::HasFailure()) {
            std::fprintf(stderr, "replay with CARDEA_CHAOS_SEED=%llu\n", static_cast<unsigned long long>(seed));
            return;
        }
    }
    std::printf(
        "%llu scenarios: %llu requests served, %llu refused, %llu cut, %llu tried again; targets out %llu "
        "times, panics %llu, blocks a connection %zu\n",
        static_cast<unsigned long long>(count), static_cast<unsigned long long>(served),
        static_cast<unsigned long long>(refused), static_cast<unsigned long long>(cut),
        static_cast<unsigned long long>(tried_again), static_cast<unsigned long long>(times_out),
        static_cast<unsigned long long>(panics), most_blocks);
    if (is_replay) return;
    // It was chaos.
    EXPECT_GT(served, count * 30);
    EXPECT_GT(refused, count);
    EXPECT_GT(cut, count / 20);
    EXPECT_GT(tried_again, count / 2);
    EXPECT_GT(times_out, count / 2);
    EXPECT_GT(panics, count / 50);
}

TEST(ChaosInSimulatedTime, ASeedRepeatsExactly) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        Chaos first(seed);
        Chaos second(seed);
        first.run();
        second.run();
        EXPECT_EQ(first.world->loop.trace(), second.world->loop.trace()) << seed;
        first.checker.reset();
        second.checker.reset();
    }
}

}  // namespace
}  // namespace gateway
