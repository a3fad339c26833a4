// Outlier detection on the simulated loop, over random upstreams and reloads: who is ejected gets nothing but in panic,
// never more than the share is out, the good ones are never starved, and all of it outlives a reload.
#include <gtest/gtest.h>

#include "gateway/health_checker.h"
#include "gateway/world_for_tests.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class OutlierDetectionTest : public testing::Test {
  protected:
    void run(std::uint64_t seed);
    UpstreamSpec drawn();
    void serve_for(milliseconds span);
    void one_request();
    void check_shares();

    std::unique_ptr<World> world;
    std::unique_ptr<HealthChecker> checker;
    base::Random random{1};
    UpstreamSpec spec;
    std::shared_ptr<LiveUpstream> live;
    std::unique_ptr<upstream::Balancer> balancer;
    std::vector<double> failing;  // of each endpoint: how often an attempt fails
    std::vector<int> served;      // since the last time the good ones were looked at
    std::uint64_t ejections = 0;
    std::uint64_t in_panic = 0;
};

UpstreamSpec OutlierDetectionTest::drawn() {
    UpstreamSpec out;
    out.id = out.name = "u";
    std::uint32_t count = 2 + random.below(12);
    for (std::uint32_t i = 0; i < count; ++i) out.targets.push_back({"10.0.0." + std::to_string(i + 1), 80, 100});
    out.algorithm = random.below(2) == 0 ? upstream::Algorithm::round_robin : upstream::Algorithm::least_connections;
    out.outliers.errors_in_a_row = 3 + random.below(5);
    out.outliers.base_ejection = milliseconds(500 + random.below(3'000));
    out.outliers.longest_ejection = seconds(10);
    out.outliers.interval = seconds(2);
    out.outliers.most_ejected = 10 * (1 + random.below(10));
    out.outliers.success_rate_deviation = random.below(2) == 0 ? 1.5 : 0;
    out.outliers.least_requests = 20;
    out.slow_start.window = seconds(random.below(3));
    out.panic_threshold = random.below(3) == 0 ? 50 : 0;
    return out;
}

void OutlierDetectionTest::one_request() {
    ASSERT_TRUE(live->is_open());
    net::Instant now = world->loop.now();
    auto index = balancer->pick({.now = now});
    ASSERT_TRUE(index) << "the last in service is never ejected";
    const upstream::Endpoint& endpoint = balancer->endpoint(*index);
    EXPECT_TRUE(!endpoint.state->has(upstream::Bar::ejected) || live->is_in_panic());
    in_panic += live->is_in_panic() ? 1 : 0;
    ++served[*index];
    balancer->started(*index);
    bool has_failed = random.fraction() < failing[*index];
    live->ended(endpoint, has_failed ? upstream::Ending::server_error : upstream::Ending::success,
                has_failed ? 500 : 200, milliseconds(3), now, world->loop.wall_now());
    balancer->finished(*index, milliseconds(3), upstream::Outcome::answered, now);
}

void OutlierDetectionTest::check_shares() {
    std::size_t out = 0;
    for (const upstream::Endpoint& endpoint : live->plan()->endpoints())
        out += endpoint.state->has(upstream::Bar::ejected) ? 1 : 0;
    EXPECT_LE(static_cast<double>(out) * 100,
              spec.outliers.most_ejected * static_cast<double>(live->plan()->endpoints().size()));
}

void OutlierDetectionTest::serve_for(milliseconds span) {
    for (milliseconds passed{0}; passed < span; passed += milliseconds(10)) {
        for (int i = 0; i < 10 && !HasFatalFailure(); ++i) one_request();
        check_shares();
        world->loop.run_for(milliseconds(10));
    }
}

void OutlierDetectionTest::run(std::uint64_t seed) {
    random = base::Random(seed);
    world = std::make_unique<World>(Settings(), seed);
    checker = std::make_unique<HealthChecker>(world->loop, seed);
    spec = drawn();
    live = world->live.acquire(spec);
    checker->use({live});
    balancer = upstream::Balancer::make(live->plan(), seed);
    failing.assign(spec.targets.size(), 0);
    for (int round = 0; round < 5 && !HasFatalFailure(); ++round) {
        for (double& each : failing) each = random.below(3) == 0 ? random.fraction() : 0;
        failing[0] = 0;  // a good one
        served.assign(spec.targets.size(), 0);
        serve_for(seconds(6));
        EXPECT_GT(served[0], 0) << "starved";
        // A reload with other numbers: who is out stays out.
        std::vector<bool> out_before;
        for (const upstream::Endpoint& endpoint : live->plan()->endpoints())
            out_before.push_back(endpoint.state->has(upstream::Bar::ejected));
        spec.outliers.errors_in_a_row = 3 + random.below(5);
        std::shared_ptr<LiveUpstream> before = std::exchange(live, world->live.acquire(spec));
        checker->use({live});
        for (std::size_t i = 0; i < out_before.size(); ++i)
            EXPECT_EQ(live->plan()->endpoints()[i].state->has(upstream::Bar::ejected), out_before[i]);
        balancer = upstream::Balancer::make(live->plan(), seed + static_cast<std::uint64_t>(round));
    }
    ejections += live->load().ejections.load();
    // With nothing to blame anybody for, all come back.
    failing.assign(failing.size(), 0);
    serve_for(seconds(11));
    for (const upstream::Endpoint& endpoint : live->plan()->endpoints()) EXPECT_TRUE(endpoint.state->is_in_service());
    balancer.reset();
    live.reset();
    checker.reset();
    EXPECT_EQ(world->leftovers(), "");
}

TEST_F(OutlierDetectionTest, HoldsItsPromises) {
    for (std::uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        run(seed);
    }
    EXPECT_GT(ejections, 100U) << "the test has tested something";
    EXPECT_GT(in_panic, 100U);
}

TEST_F(OutlierDetectionTest, NewTargetsBeginSlowlyAndTheFirstOnesDoNot) {
    world = std::make_unique<World>();
    UpstreamSpec with;
    with.id = with.name = "u";
    with.targets = {{"10.0.0.1", 80, 100}, {"10.0.0.2", 80, 100}};
    with.slow_start.window = seconds(100);
    live = world->live.acquire(with);
    auto share = [&](std::size_t index) { return live->plan()->share(static_cast<std::uint32_t>(index), 1'000); };
    EXPECT_EQ(share(0), 1);
    with.targets.push_back({"10.0.0.3", 80, 100});
    live = world->live.acquire(with);
    EXPECT_EQ(share(0), 1);
    EXPECT_EQ(share(2), 0.1);
}

}  // namespace
}  // namespace gateway
