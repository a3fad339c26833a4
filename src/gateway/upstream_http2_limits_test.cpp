// An upstream's limits where its connections are shared: one counts once while anybody uses it, a stream is a request.
#include "gateway/http2_upstream_for_tests.h"

namespace gateway {
namespace {

using http2::TestStream;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n";

class UpstreamHttp2Limits : public Http2UpstreamTest {
  protected:
    void start_with(UpstreamLimits upstream_limits, std::uint32_t streams) {
        limits.concurrent_streams = streams;
        begin();
        add_upstream(document, "u", {std::string(upstream_at)}).limits = upstream_limits;
        main_service().host = "u";
        main_service().connect_timeout = seconds(5);
        main_service().retries = 0;
    }
    Client& client() {
        clients.push_back(std::make_unique<Client>(world()));
        return *clients.back();
    }
    bool await_heads(std::size_t count) {
        return world().run_until([&] { return heads >= count; });
    }
    // The oldest request that waits for its answer.
    void answer_one() {
        for (auto& connection : connections) {
            for (auto& [number, stream] : connection->server.streams) {
                if (!stream->has_ended || stream->was_closed || !answered.insert({connection.get(), number}).second)
                    continue;
                connection->answer(*stream, "ok");
                return connection->flush();
            }
        }
        FAIL() << "nobody waits";
    }
    upstream::Load& load() { return world().snapshots.back()->upstreams[0].live->load(); }
    std::vector<std::unique_ptr<Client>> clients;
    std::set<std::pair<Http2Upstream*, std::int32_t>> answered;
};

TEST_F(UpstreamHttp2Limits, AStreamIsARequest) {
    start_with({.max_requests = 2}, 100);
    client().request(get);
    client().request(get);
    ASSERT_TRUE(await_heads(2));
    EXPECT_EQ(connections.size(), 1U);
    WireMessage refused = client().request(get).answer();
    EXPECT_EQ(refused.status(), 503);
    EXPECT_NE(refused.body.find("max_requests"), refused.body.npos) << refused.body;
    answer_one();
    answer_one();
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(clients[i]->answer().status(), 200);
    clients[0]->request(get);
    ASSERT_TRUE(await_heads(3));
}

TEST_F(UpstreamHttp2Limits, AConnectionThatManyUseCountsOnce) {
    start_with({.max_connections = 1}, 10);
    for (int i = 0; i < 10; ++i) client().request(get);
    ASSERT_TRUE(await_heads(10));
    EXPECT_EQ(connections.size(), 1U);
    EXPECT_EQ(load().connections.load(), 1U);
    // The eleventh would need another.
    WireMessage refused = client().request(get).answer();
    EXPECT_EQ(refused.status(), 503);
    EXPECT_NE(refused.body.find("max_connections"), refused.body.npos) << refused.body;
    for (int i = 0; i < 10; ++i) answer_one();
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(clients[i]->answer().status(), 200);
    EXPECT_TRUE(world().run_until([&] { return load().connections.load() == 0; }, seconds(1))) << "it sleeps";
    // It is taken up again.
    clients[0]->request(get);
    ASSERT_TRUE(await_heads(11));
    EXPECT_EQ(load().connections.load(), 1U);
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(UpstreamHttp2Limits, WhoWaitsGetsRoomOnAConnectionThatIsInUse) {
    start_with({.max_connections = 1, .max_pending = 2}, 2);
    client().request(get);
    client().request(get);
    ASSERT_TRUE(await_heads(2));
    client().request(get);
    ASSERT_TRUE(world().run_until([&] { return load().pending.load() == 1; }, seconds(1)));
    client().request(get);
    ASSERT_TRUE(world().run_until([&] { return load().pending.load() == 2; }, seconds(1)));
    EXPECT_EQ(client().request(get).answer().status(), 503);
    net::Instant began = now();
    answer_one();
    ASSERT_TRUE(await_heads(3));
    EXPECT_LE(now() - began, 5) << "it was woken, it did not look";
    for (int i = 0; i < 3; ++i) {
        answer_one();
        world().loop.run_for(milliseconds(100));
    }
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(clients[i]->answer().status(), 200);
    EXPECT_EQ(connections.size(), 1U);
    EXPECT_TRUE(world().run_until([&] { return load().connections.load() == 0; }, seconds(1)));
    EXPECT_EQ(load().pending.load() + load().requests.load(), 0U);
}

TEST_F(UpstreamHttp2Limits, WaitingEndsWithConnectTimeout) {
    start_with({.max_connections = 1, .max_pending = 2}, 1);
    client().request(get);
    ASSERT_TRUE(await_heads(1));
    net::Instant began = now();
    WireMessage refused = client().request(get).answer();
    EXPECT_EQ(refused.status(), 503);
    EXPECT_NE(refused.body.find("max_connections"), refused.body.npos) << refused.body;
    EXPECT_NEAR(static_cast<double>(now() - began), 5'000, 60);
}

TEST_F(UpstreamHttp2Limits, WhoeverBroughtThePlaceMayLeave) {
    start_with({.max_connections = 1, .max_pending = 2}, 1);
    on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "ok"); };
    client().request(get);
    world().run_until([&] { return world().counter(observe::Counter::requests) == 1; });
    client().request(get);
    world().run_until([&] { return world().counter(observe::Counter::requests) == 2; });
    clients[0]->peer().abort();
    EXPECT_EQ(clients[1]->answer().status(), 200);
    EXPECT_TRUE(world().run_until([&] { return load().connections.load() == 0; }, seconds(1)));
    EXPECT_EQ(load().pending.load() + load().requests.load(), 0U);
}

TEST_F(UpstreamHttp2Limits, AConnectionThatFailsGivesItsPlaceBack) {
    start_with({.max_connections = 1, .max_pending = 2}, 10);
    world();
    upstream_->stop();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client().request(get).answer().status(), 502);
    EXPECT_EQ(load().connections.load() + load().pending.load(), 0U);
}

// The place outlives the exchange, its snapshot and its upstream.
TEST_F(UpstreamHttp2Limits, AReloadMayTakeTheUpstreamAway) {
    start_with({.max_connections = 1}, 10);
    client().request(get);
    ASSERT_TRUE(await_heads(1));
    Document changed;
    changed.services = document.services;
    changed.routes = document.routes;
    changed.services[0].host = "10.0.0.1";
    world().publish(std::move(changed));
    answer_one();
    EXPECT_EQ(clients[0]->answer().status(), 200);
    world().loop.run_for(seconds(1));
}

}  // namespace
}  // namespace gateway
