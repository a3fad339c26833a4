// Probes on the simulated loop: their rhythm, what each ending of a probe finds, and that a reload multiplies nothing.
#include "gateway/health_checker.h"

#include <gtest/gtest.h>

#include "gateway/world_for_tests.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view broken = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

class HealthCheckerTest : public testing::Test {
  protected:
    HealthCheckerTest() : checker(std::make_unique<HealthChecker>(world.loop, 1)) {}
    ~HealthCheckerTest() override {
        checker.reset();
        EXPECT_EQ(world.leftovers(), "");
    }
    // An upstream that answers each probe with answers[its place], and counts.
    void serve(std::string_view at) {
        PeerListener& listener = world.upstream(at);
        std::string key(at);
        listener.on_peer = [this, key](Peer& peer) {
            ++connections[key];
            peer.on_input = [this, key, &peer](std::string_view) {
                while (true) {
                    std::size_t end = peer.received.find("\r\n\r\n");
                    if (end == std::string::npos) return;
                    last_request = peer.received.substr(0, end + 4);
                    peer.received.erase(0, end + 4);
                    ++asked[key];
                    const std::string& answer = answers[key];
                    if (answer == "close")
                        peer.close();
                    else if (!answer.empty())
                        peer.send(answer);
                }
            };
        };
        answers[key] = ok;
    }
    std::shared_ptr<LiveUpstream> upstream(const std::vector<std::string>& targets, upstream::ActiveRules active) {
        UpstreamSpec spec;
        spec.id = spec.name = "u";
        for (const std::string& text : targets) {
            net::SocketAddress at = address(text);
            spec.targets.push_back({at.ip.text(), at.port, 100});
        }
        spec.health.active = std::move(active);
        return world.live.acquire(std::move(spec));
    }
    static upstream::ActiveRules rules() {
        upstream::ActiveRules out;
        out.request = "GET /health HTTP/1.1\r\n";
        out.interval_healthy = seconds(10);
        out.interval_unhealthy = seconds(1);
        out.limits = {.successes = 2, .http_failures = 2, .tcp_failures = 2, .timeouts = 2};
        out.statuses.healthy.set(200);
        out.statuses.unhealthy.set(503);
        return out;
    }
    static bool is_up(const LiveUpstream& live, std::size_t index = 0) {
        return live.plan()->endpoints()[index].state->is_in_service();
    }

    World world;
    std::unique_ptr<HealthChecker> checker;
    std::map<std::string, std::string> answers;
    std::map<std::string, int> asked;
    std::map<std::string, int> connections;
    std::string last_request;
};

TEST_F(HealthCheckerTest, ProbesKeepTheirRhythmOnOneConnection) {
    serve("10.0.0.1:80");
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    world.loop.run_for(seconds(101));
    EXPECT_NEAR(asked["10.0.0.1:80"], 10, 1);
    EXPECT_EQ(connections["10.0.0.1:80"], 1);
    EXPECT_EQ(last_request, "GET /health HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n");
    EXPECT_TRUE(is_up(*live));
}

TEST_F(HealthCheckerTest, BadStatusesTakeItOutAndGoodOnesBringItBackFaster) {
    serve("10.0.0.1:80");
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    answers["10.0.0.1:80"] = broken;
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live); }, seconds(25)));
    answers["10.0.0.1:80"] = ok;
    EXPECT_TRUE(world.run_until([&] { return is_up(*live); }, seconds(4)));
}

TEST_F(HealthCheckerTest, NobodyThereIsAFailure) {
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live); }, seconds(25)));
    EXPECT_EQ(live->plan()->endpoints()[0].state->reason.load().finding, upstream::Finding::tcp_failure);
}

TEST_F(HealthCheckerTest, SilenceIsATimeoutAndDoesNotHoldUpTheRhythm) {
    serve("10.0.0.1:80");
    answers["10.0.0.1:80"] = "";
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live); }, seconds(25)));
    EXPECT_EQ(live->plan()->endpoints()[0].state->reason.load().finding, upstream::Finding::timeout);
    int before = asked["10.0.0.1:80"];
    world.loop.run_for(seconds(20));
    EXPECT_GE(asked["10.0.0.1:80"] - before, 9);
}

TEST_F(HealthCheckerTest, GarbageIsAFailureAndAnotherStatusSaysNothing) {
    serve("10.0.0.1:80");
    auto live = upstream({"10.0.0.1:80"}, rules());
    answers["10.0.0.1:80"] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    checker->use({live});
    world.loop.run_for(seconds(60));
    EXPECT_TRUE(is_up(*live));
    answers["10.0.0.1:80"] = "SSH-2.0-OpenSSH\r\n\r\n";
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live); }, seconds(40)));
}

// A server that closes idle connections between probes is well.
TEST_F(HealthCheckerTest, AConnectionThatDiedBetweenProbesIsNoFailure) {
    serve("10.0.0.1:80");
    upstream::ActiveRules strict = rules();
    strict.limits.tcp_failures = 1;
    auto live = upstream({"10.0.0.1:80"}, strict);
    answers["10.0.0.1:80"] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    checker->use({live});
    world.loop.run_for(seconds(60));
    for (auto& peer : world.upstreams[0]->peers) peer->close_now();
    world.loop.run_for(seconds(60));
    EXPECT_TRUE(is_up(*live));
    EXPECT_GE(connections["10.0.0.1:80"], 10);
}

// A body without end is read no further than its bound, and costs a new connection, not the verdict.
TEST_F(HealthCheckerTest, AnEndlessAnswerIsCut) {
    serve("10.0.0.1:80");
    answers["10.0.0.1:80"] = "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + std::string(300'000, 'x');
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    world.loop.run_for(seconds(60));
    EXPECT_TRUE(is_up(*live));
    EXPECT_NEAR(connections["10.0.0.1:80"], 6, 1);
}

TEST_F(HealthCheckerTest, TcpProbesOnlyConnect) {
    serve("10.0.0.1:80");
    upstream::ActiveRules only = rules();
    only.type = upstream::ProbeType::tcp;
    auto live = upstream({"10.0.0.1:80", "10.0.0.2:80"}, only);
    checker->use({live});
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live, 1); }, seconds(25)));
    EXPECT_TRUE(is_up(*live, 0));
    EXPECT_EQ(asked["10.0.0.1:80"], 0);
}

TEST_F(HealthCheckerTest, AReloadNeitherMultipliesProbesNorForgetsWhatTheyFound) {
    serve("10.0.0.1:80");
    answers["10.0.0.1:80"] = broken;
    auto live = upstream({"10.0.0.1:80"}, rules());
    checker->use({live});
    EXPECT_TRUE(world.run_until([&] { return !is_up(*live); }, seconds(25)));
    std::vector<std::shared_ptr<LiveUpstream>> kept{live};  // exchanges that began before
    for (int i = 1; i <= 5; ++i) {
        upstream::ActiveRules changed = rules();
        changed.timeout = milliseconds(900 + i);
        kept.push_back(upstream({"10.0.0.1:80"}, changed));
        checker->use({kept.back()});
        EXPECT_FALSE(is_up(*kept.back()));
        int before = asked["10.0.0.1:80"];
        world.loop.run_for(seconds(10));
        EXPECT_NEAR(asked["10.0.0.1:80"] - before, 10, 2);
    }
    EXPECT_EQ(checker->endpoints(), 1u);
    checker->use({});
    int before = asked["10.0.0.1:80"];
    world.loop.run_for(seconds(10));
    EXPECT_EQ(asked["10.0.0.1:80"], before);
}

// The upstream of before a reload goes on for a while, and finds out things that the new one must know.
TEST_F(HealthCheckerTest, TheThresholdSeesWhatWasFoundThroughAnother) {
    auto with_threshold = [&](double threshold) {
        UpstreamSpec spec;
        spec.id = spec.name = "u";
        spec.targets = {{"10.0.0.1", 80, 100}};
        spec.health.active = rules();
        spec.health.threshold = threshold;
        return world.live.acquire(std::move(spec));
    };
    auto before = with_threshold(10);
    upstream::Endpoint endpoint = before->plan()->endpoints()[0];
    before->set_health(endpoint, false, 1);
    EXPECT_FALSE(before->is_open());
    auto after = with_threshold(20);
    EXPECT_FALSE(after->is_open());
    before->set_health(endpoint, true, 2);
    EXPECT_TRUE(before->is_open());
    EXPECT_TRUE(after->is_open());
    after->set_health(endpoint, false, 3);
    EXPECT_FALSE(before->is_open());
}

TEST_F(HealthCheckerTest, NoMoreProbesAtATimeThanAllowed) {
    std::vector<std::string> targets;
    for (int i = 1; i <= 40; ++i) {
        targets.push_back("10.0.0." + std::to_string(i) + ":80");
        serve(targets.back());
        answers[targets.back()] = "";
    }
    upstream::ActiveRules narrow = rules();
    narrow.concurrency = 3;
    narrow.interval_healthy = milliseconds(100);
    auto live = upstream(targets, narrow);
    checker->use({live});
    world.loop.run_for(milliseconds(950));  // the first ones still wait for their answers
    EXPECT_EQ(checker->probes(), 3u);
}

TEST_F(HealthCheckerTest, EndpointsThatDnsTakesAwayAreProbedNoMore) {
    serve("10.0.0.1:80");
    serve("10.0.0.2:80");
    auto records = [](const char* at) { return net::dns::Records{net::dns::Records::State::resolved, {ip(at)}, {}}; };
    world.resolver.set("name", records("10.0.0.1"));
    UpstreamSpec spec;
    spec.id = spec.name = "u";
    spec.targets = {{"name", 80, 100}};
    spec.health.active = rules();
    auto live = world.live.acquire(std::move(spec));
    checker->use({live});
    world.loop.run_for(seconds(11));
    EXPECT_GE(asked["10.0.0.1:80"], 1);
    world.resolver.set("name", records("10.0.0.2"));
    world.loop.run_for(seconds(1));
    int before = asked["10.0.0.1:80"];
    world.loop.run_for(seconds(21));
    EXPECT_EQ(asked["10.0.0.1:80"], before);
    EXPECT_GE(asked["10.0.0.2:80"], 2);
}

}  // namespace
}  // namespace gateway
