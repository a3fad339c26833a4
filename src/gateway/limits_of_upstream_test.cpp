// An upstream's limits in virtual time: who waits is served in order, clients that leave leave nothing behind, and a
// reload forgets nothing that is under way.
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n";
constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class LimitsOfUpstreamTest : public GatewayTest {
  protected:
    void start_with(UpstreamLimits limits) {
        start();
        add_upstream(document, "u", {std::string(upstream_at)}).limits = limits;
        main_service().host = "u";
        main_service().connect_timeout = seconds(5);
        main_service().retries = 0;
        respond = [this](Peer& peer, const WireMessage&) { held.push_back(&peer); };
    }
    void answer_one() {
        ASSERT_FALSE(held.empty());
        Peer* peer = held.front();
        held.erase(held.begin());
        peer->send(std::string(ok));
    }
    upstream::Load& load() { return world().snapshots.back()->upstreams[0].live->load(); }
    std::vector<Peer*> held;
};

TEST_F(LimitsOfUpstreamTest, BeyondMaxRequestsIs503WithTheReason) {
    start_with({.max_requests = 1});
    Client first(world());
    Client second(world());
    first.request(get);
    ASSERT_TRUE(await_requests(1));
    WireMessage refused = second.request(get).answer();
    EXPECT_EQ(refused.status(), 503);
    EXPECT_NE(refused.body.find("the upstream is at its limit: max_requests"), std::string::npos) << refused.body;
    answer_one();
    EXPECT_EQ(first.answer().status(), 200);
    second.request(get);
    ASSERT_TRUE(await_requests(2));
    answer_one();
    EXPECT_EQ(second.answer().status(), 200);
}

TEST_F(LimitsOfUpstreamTest, WhoWaitsForAConnectionGetsItInOrder) {
    start_with({.max_connections = 1, .max_pending = 2});
    Client first(world());
    Client second(world());
    Client third(world());
    first.request(get);
    ASSERT_TRUE(await_requests(1));
    second.request(get);
    world().loop.run_for(milliseconds(10));
    third.request(get);
    world().loop.run_for(milliseconds(10));
    EXPECT_EQ(load().pending.load(), 2U);
    EXPECT_EQ(Client(world()).request(get).answer().status(), 503);
    net::Instant began = now();
    answer_one();
    EXPECT_EQ(first.answer().status(), 200);
    ASSERT_TRUE(await_requests(2));
    EXPECT_LE(now() - began, 5) << "it was woken, it did not look";
    answer_one();
    EXPECT_EQ(second.answer().status(), 200);
    EXPECT_FALSE(third.has_answer());
    ASSERT_TRUE(await_requests(3));
    answer_one();
    EXPECT_EQ(third.answer().status(), 200);
    EXPECT_EQ(load().connections.load() + load().pending.load() + load().requests.load(), 0U);
}

TEST_F(LimitsOfUpstreamTest, WaitingEndsWithConnectTimeout) {
    start_with({.max_connections = 1, .max_pending = 2});
    Client first(world());
    Client second(world());
    first.request(get);
    ASSERT_TRUE(await_requests(1));
    net::Instant began = now();
    WireMessage refused = second.request(get).answer();
    EXPECT_EQ(refused.status(), 503);
    EXPECT_NE(refused.body.find("max_connections"), std::string::npos) << refused.body;
    EXPECT_NEAR(static_cast<double>(now() - began), 5'000, 60);
    answer_one();
    EXPECT_EQ(first.answer().status(), 200);
}

TEST_F(LimitsOfUpstreamTest, ClientsThatLeaveLeaveNothingBehind) {
    start_with({.max_connections = 1, .max_pending = 2, .max_requests = 3});
    auto first = std::make_unique<Client>(world());
    auto second = std::make_unique<Client>(world());
    first->request(get);
    ASSERT_TRUE(await_requests(1));
    second->request(get);
    world().loop.run_for(milliseconds(20));
    first->peer().abort();
    ASSERT_TRUE(await_requests(2)) << "the one that waits takes its place";
    second->peer().abort();
    EXPECT_TRUE(world().run_until([&] { return load().requests.load() == 0; }, seconds(10)));
    EXPECT_EQ(load().connections.load() + load().pending.load(), 0U);
}

TEST_F(LimitsOfUpstreamTest, AReloadForgetsNothingThatIsUnderWay) {
    start_with({.max_requests = 1});
    Client first(world());
    first.request(get);
    ASSERT_TRUE(await_requests(1));
    Document changed;
    changed.services = document.services;
    changed.routes = document.routes;
    changed.upstreams = document.upstreams;
    changed.upstreams[0].limits.max_requests = 2;
    world().publish(std::move(changed));
    Client second(world());
    second.request(get);
    ASSERT_TRUE(await_requests(2));
    EXPECT_EQ(Client(world()).request(get).answer().status(), 503);
    answer_one();
    answer_one();
    EXPECT_EQ(first.answer().status(), 200);
    EXPECT_EQ(second.answer().status(), 200);
}

}  // namespace
}  // namespace gateway
