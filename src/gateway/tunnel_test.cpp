// Upgraded connections: bytes go both ways once 101 has been said, halves close one by one, and nothing outlives either
// side or the idle time.
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

class TunnelTest : public GatewayTest {
  protected:
    void start_tunnel() {
        start();
        main_service().read_timeout = seconds(20);
        respond = [this](Peer& peer, const WireMessage&) {
            peer.on_input = [this](std::string_view bytes) { upwards += bytes; };
            peer.on_end = [this] { has_upstream_seen_the_end = true; };
            peer.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
                "websocket\r\nSec-WebSocket-Accept: "
                "x\r\n\r\n");
        };
    }
    static constexpr std::string_view upgrade =
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
        "k\r\n\r\n";
    void open(Client& client) {
        WireMessage answer = client.request(upgrade).answer();
        ASSERT_EQ(answer.status(), 101);
        EXPECT_EQ(answer.field("Upgrade"), "websocket");
        EXPECT_EQ(answer.field("Connection"), "Upgrade");
        EXPECT_EQ(answer.field("Sec-WebSocket-Accept"), "x");
        EXPECT_EQ(answer.count("Content-Length") + answer.count("Transfer-Encoding"), 0u);
        EXPECT_EQ(requests.back().field("Connection"), "keep-alive, Upgrade");
        EXPECT_EQ(requests.back().field("Upgrade"), "websocket");
        EXPECT_EQ(requests.back().field("Sec-WebSocket-Key"), "k");
        upstream = upstream_->peers.back().get();
    }
    void run_for(net::Milliseconds span) { world().loop.run_for(span); }
    [[nodiscard]] bool is_open() { return world().metrics.core(0).value(observe::Gauge::tunnels_active) == 1; }

    Peer* upstream = nullptr;
    std::string upwards;
    bool has_upstream_seen_the_end = false;
};

TEST_F(TunnelTest, CarriesBytesBothWays) {
    start_tunnel();
    Client client(world());
    open(client);
    client.send("ping\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    upstream->send(std::string("\0\xff pong", 7));
    run_for(seconds(1));
    EXPECT_EQ(upwards, "ping\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(client.reader().tunnel, std::string("\0\xff pong", 7));
    EXPECT_EQ(world().counter(observe::Counter::tunnels), 1u);
    EXPECT_TRUE(is_open());
    EXPECT_EQ(world().counter(observe::Counter::requests), 1u);
}

TEST_F(TunnelTest, BytesSentBeforeTheAnswerWaitForIt) {
    start_tunnel();
    auto answer = respond;
    Peer* waiting = nullptr;
    respond = [&waiting](Peer& peer, const WireMessage&) { waiting = &peer; };
    Client client(world());
    client.request(upgrade).send("early");
    ASSERT_TRUE(await_requests(1));
    run_for(seconds(1));
    EXPECT_EQ(waiting->received.find("early"), std::string::npos);
    answer(*waiting, requests[0]);
    run_for(seconds(1));
    EXPECT_EQ(upwards, "early");
}

TEST_F(TunnelTest, ARefusedUpgradeIsAnOrdinaryAnswer) {
    start();
    Client client(world());
    EXPECT_EQ(client.request(upgrade).answer().body, "ok");
    EXPECT_EQ(client.request(upgrade).answer().body, "ok");
    EXPECT_EQ(upstream_->peers.size(), 1u);
}

TEST_F(TunnelTest, EachHalfClosesOnItsOwn) {
    start_tunnel();
    Client client(world());
    open(client);
    client.send("last words");
    client.peer().finish();
    run_for(seconds(1));
    EXPECT_TRUE(has_upstream_seen_the_end);
    EXPECT_EQ(upwards, "last words");
    EXPECT_TRUE(is_open());
    upstream->send("answer");
    run_for(seconds(1));
    EXPECT_EQ(client.reader().tunnel, "answer");
    upstream->close();
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.peer().end, net::IoStatus::ended);
    run_for(seconds(1));
    EXPECT_FALSE(is_open());
}

TEST_F(TunnelTest, TheOtherHalfMayCloseFirst) {
    start_tunnel();
    Client client(world());
    open(client);
    upstream->send("bye");
    upstream->finish();
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.reader().tunnel, "bye");
    client.send("still here");
    run_for(seconds(1));
    EXPECT_EQ(upwards, "still here");
    client.peer().close();
    run_for(seconds(1));
    EXPECT_TRUE(has_upstream_seen_the_end);
    EXPECT_FALSE(is_open());
}

TEST_F(TunnelTest, AResetOnOneSideEndsTheOther) {
    start_tunnel();
    {
        Client client(world());
        open(client);
        client.peer().abort();
        run_for(seconds(1));
        EXPECT_FALSE(is_open());
        EXPECT_TRUE(has_upstream_seen_the_end);
    }
    Client client(world());
    open(client);
    upstream->abort();
    EXPECT_TRUE(client.is_closed(seconds(1)));
    run_for(seconds(1));
    EXPECT_FALSE(is_open());
    EXPECT_EQ(world().active_attempts(), 0u);
}

TEST_F(TunnelTest, SilenceInBothDirectionsEndsIt) {
    start_tunnel();
    Client client(world());
    open(client);
    for (int i = 0; i < 4; ++i) {
        run_for(seconds(15));
        EXPECT_TRUE(is_open());
        i % 2 == 0 ? (void)client.send("x") : upstream->send("y");
    }
    run_for(seconds(19));
    EXPECT_TRUE(is_open());
    run_for(seconds(2));
    EXPECT_FALSE(is_open());
    EXPECT_TRUE(client.is_closed(seconds(6)));
}

TEST_F(TunnelTest, ASideThatTakesNothingHoldsTheOtherBackAndIsEnded) {
    start_tunnel();
    Client client(world());
    open(client);
    client.peer().stop_reading();
    upstream->send(std::string(4'000'000, 'y'));
    run_for(seconds(10));
    EXPECT_LT(world().loop.buffers().in_use(), 100u);
    EXPECT_TRUE(is_open());
    run_for(seconds(15));
    EXPECT_FALSE(is_open());
}

TEST_F(TunnelTest, OneIsLeftAloneByReloadAndDrainAndEndedByClosing) {
    start_tunnel();
    Client client(world());
    open(client);
    world().publish(Document());
    world().core->drain();
    run_for(seconds(5));
    client.send("on");
    run_for(seconds(1));
    EXPECT_EQ(upwards, "on");
    world().core->close_all();
    EXPECT_FALSE(is_open());
    EXPECT_EQ(world().active_attempts(), 0u);
    EXPECT_TRUE(client.is_closed(seconds(1)));
}

}  // namespace
}  // namespace gateway
