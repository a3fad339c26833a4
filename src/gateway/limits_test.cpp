// The bounds of one client's connection in virtual time: every timeout and every number of Settings::limits.
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

using LimitsTest = GatewayTest;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string post(std::size_t size, std::string_view fields = {}) {
    return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n" + std::string(fields) +
           "\r\n";
}

// ---- times

TEST_F(LimitsTest, ASilentClientIsClosedAfterTheHeaderTimeout) {
    start();
    Client client(world());
    EXPECT_FALSE(client.is_closed(seconds(29)));
    EXPECT_TRUE(client.is_closed(seconds(2)));
    EXPECT_EQ(client.peer().received, "");
}

TEST_F(LimitsTest, AnUnfinishedHeadIsAnsweredWith408) {
    start();
    Client client(world());
    client.request("GET / HT");
    client.expect("GET");
    net::Instant began = now();
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 408);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(answer.body.starts_with("Request timeout\nrequest_id: "));
    EXPECT_NEAR(static_cast<double>(now() - began), 30'000, 100);
    EXPECT_TRUE(client.is_closed(seconds(1)));
}

TEST_F(LimitsTest, TheHeaderTimeoutIsForTheWholeHeadAndNotForEachByte) {
    start();
    Client client(world());
    client.expect("GET").send("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 10; ++i) {
        client.peer().pause(seconds(5));
        client.send("X: y\r\n");
    }
    net::Instant began = now();
    EXPECT_EQ(client.answer().status(), 408);
    EXPECT_NEAR(static_cast<double>(now() - began), 30'000, 100);
}

TEST_F(LimitsTest, AnIdleConnectionIsClosedAfterTheIdleTimeout) {
    start();
    Client client(world());
    EXPECT_EQ(client.request(get).answer().status(), 200);
    EXPECT_FALSE(client.is_closed(seconds(74)));
    EXPECT_EQ(client.request(get).answer().status(), 200);  // and the time begins anew
    EXPECT_FALSE(client.is_closed(seconds(74)));
    EXPECT_TRUE(client.is_closed(seconds(2)));
}

TEST_F(LimitsTest, ABodyThatStopsComingIsAnsweredWith408) {
    start();
    Client client(world());
    client.request(post(10)).send("12345");
    net::Instant began = now();
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 408);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_NEAR(static_cast<double>(now() - began), 60'000, 100);
    EXPECT_TRUE(client.is_closed(seconds(6)));
    EXPECT_TRUE(requests.empty());
}

TEST_F(LimitsTest, ABodySlowerThanTheMinimumRateIsAnsweredWith408) {
    start();
    Client client(world());
    client.request(post(100'000));
    for (int i = 0; i < 100; ++i) {
        client.send("x");
        client.peer().pause(seconds(1));
    }
    net::Instant began = now();
    EXPECT_EQ(client.answer().status(), 408);
    EXPECT_NEAR(static_cast<double>(now() - began), 30'000, 2'100);
}

TEST_F(LimitsTest, AnUpstreamThatReadsSlowlyIsNotTheClientsFault) {
    Settings settings;
    settings.limits.body_min_rate = 100'000;
    start(settings);
    world();
    Client client(world());
    std::string body(4'000'000, 'b');
    client.request(post(body.size())).send(body);
    Peer& peer = upstream_peer(0);
    peer.stop_reading();
    world().loop.run_for(seconds(45));
    peer.go_on();
    EXPECT_EQ(client.answer().status(), 200);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].body, body);
}

TEST_F(LimitsTest, AClientThatTakesNothingIsClosedAfterTheSendTimeout) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + std::string(8'000'000, 'r'));
    };
    Client client(world());
    client.request(get);
    client.peer().stop_reading();
    ASSERT_TRUE(await_requests(1));
    world().loop.run_for(seconds(58));
    EXPECT_EQ(world().process.connections(), 1u);
    world().loop.run_for(seconds(8));
    EXPECT_EQ(world().process.connections(), 0u);
    // All that waited did so in bounded memory: socket queue, one send, and the network itself.
    EXPECT_LT(world().loop.statistics().queued, 1'000'000u);
}

// Nothing can be sent behind an interim answer that is stuck: not even the error.
TEST_F(LimitsTest, AClientThatTakesNoInterimAnswerIsClosedAfterTheSendTimeout) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        for (int i = 0; i < 12; ++i)
            peer.send("HTTP/1.1 103 Early Hints\r\nLink: " + std::string(60'000, 'l') + "\r\n\r\n");
    };
    Client client(world());
    client.request(get);
    client.peer().stop_reading();
    ASSERT_TRUE(await_requests(1));
    world().loop.run_for(seconds(58));
    EXPECT_EQ(world().process.connections(), 1u);
    world().loop.run_for(seconds(8));
    EXPECT_EQ(world().process.connections(), 0u);
}

TEST_F(LimitsTest, MemoryIsBoundedWhileAClientTakesNothing) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + std::string(8'000'000, 'r'));
    };
    Client client(world());
    client.request(get);
    client.peer().stop_reading();
    ASSERT_TRUE(await_requests(1));
    world().loop.run_for(seconds(30));
    // 128 KiB that the upstream's socket queues, 256 KiB of one send, and what the peers hold, in blocks of 8 to 32
    // KiB.
    EXPECT_LT(world().loop.buffers().in_use(), 100u);
}

TEST_F(LimitsTest, AfterAClosingAnswerTheClientIsHeardForTheLingerTimeout) {
    Settings settings;
    settings.limits.keepalive_requests = 1;
    start(settings);
    Client client(world());
    client.request(get);
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.peer().end, net::IoStatus::ended);
    client.send("more");  // is no reset for it
    world().loop.run_for(seconds(4));
    EXPECT_EQ(world().process.connections(), 1u);
    world().loop.run_for(seconds(2));
    EXPECT_EQ(world().process.connections(), 0u);
}

TEST_F(LimitsTest, AClientThatHasSaidCloseIsClosedAtOnceAndNothingBehindThatIsServed) {
    start();
    for (bool says_more : {false, true}) {
        Client client(world());
        client.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + std::string(says_more ? get : ""));
        EXPECT_EQ(client.answer().field("Connection"), "close");
        EXPECT_TRUE(client.is_closed(seconds(1)));
        world().loop.run_for(seconds(6));
        EXPECT_EQ(world().process.connections(), 0u);
    }
    EXPECT_EQ(requests.size(), 2u);
}

// ---- numbers

TEST_F(LimitsTest, TheLastOfKeepaliveRequestsSaysClose) {
    Settings settings;
    settings.limits.keepalive_requests = 3;
    start(settings);
    Client client(world());
    for (int i = 0; i < 3; ++i) {
        WireMessage answer = client.request(get).answer();
        EXPECT_EQ(answer.status(), 200);
        EXPECT_EQ(answer.field("Connection"), i == 2 ? "close" : "");
    }
    EXPECT_TRUE(client.is_closed(seconds(1)));
}

TEST_F(LimitsTest, MaxConnectionsIsAnsweredWith503) {
    Settings settings;
    settings.limits.max_connections = 2;
    start(settings);
    Client first(world());
    Client second(world());
    EXPECT_EQ(first.request(get).answer().status(), 200);
    EXPECT_EQ(second.request(get).answer().status(), 200);
    {
        Client third(world());
        WireMessage answer = third.request(get).answer();
        EXPECT_EQ(answer.status(), 503);
        EXPECT_EQ(answer.field("Connection"), "close");
        EXPECT_TRUE(third.is_closed(seconds(2)));
    }
    first.peer().close();
    world().loop.run_for(seconds(1));
    Client fourth(world());
    EXPECT_EQ(fourth.request(get).answer().status(), 200);
    EXPECT_EQ(world().counter(observe::Counter::connections_refused_limit), 1u);
    EXPECT_EQ(second.request(get).answer().status(), 200);
}

TEST_F(LimitsTest, MaxConnectionsPerClientCountsAddresses) {
    Settings settings;
    settings.limits.max_connections_per_client = 1;
    start(settings);
    Client first(world(), "192.0.2.1");
    EXPECT_EQ(first.request(get).answer().status(), 200);
    Client same(world(), "192.0.2.1");
    EXPECT_EQ(same.request(get).answer().status(), 503);
    Client other(world(), "192.0.2.2");
    EXPECT_EQ(other.request(get).answer().status(), 200);
    first.peer().close();
    world().loop.run_for(seconds(3));
    Client again(world(), "192.0.2.1");
    EXPECT_EQ(again.request(get).answer().status(), 200);
}

TEST_F(LimitsTest, ABodyOverTheLimitIsAnsweredWith413BeforeAnyUpstream) {
    Settings settings;
    settings.limits.body_bytes = 1000;
    start(settings);
    Client client(world());
    EXPECT_EQ(client.request(post(1000)).send(std::string(1000, 'x')).answer().status(), 200);
    WireMessage answer = client.request(post(1001)).send(std::string(1001, 'x')).answer();
    EXPECT_EQ(answer.status(), 413);
    EXPECT_TRUE(answer.body.starts_with("Payload too large\nrequest_id: "));
    EXPECT_EQ(requests.size(), 1u);
}

TEST_F(LimitsTest, AChunkedBodyOverTheLimitIsAnsweredWith413AndNeverComplete) {
    Settings settings;
    settings.limits.body_bytes = 1000;
    start(settings);
    for (bool is_at_once : {true, false}) {
        Client client(world());
        client.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 3; ++i) {
            if (!is_at_once) client.peer().pause(seconds(1));
            client.send("190\r\n" + std::string(400, 'x') + "\r\n");
        }
        client.send("0\r\n\r\n");
        WireMessage answer = client.answer();
        EXPECT_EQ(answer.status(), 413) << is_at_once;
        EXPECT_EQ(answer.field("Connection"), "close");
        EXPECT_TRUE(client.is_closed(seconds(10)));
    }
    EXPECT_TRUE(requests.empty());
}

}  // namespace
}  // namespace gateway
