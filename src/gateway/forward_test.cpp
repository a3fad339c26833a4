// Attempts in virtual time: the timeouts of a service, which failures are tried again and how often, pooled connections
// that died, names, and upstreams that break the protocol.
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
constexpr std::string_view put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ForwardTest : public GatewayTest {
  protected:
    void start_with_retries(std::uint32_t retries) {
        start();
        main_service().retries = retries;
        main_service().connect_timeout = main_service().read_timeout = main_service().write_timeout = seconds(2);
    }
    // The answer, and how long it took.
    WireMessage ask(std::string_view request) {
        Client client(world());
        net::Instant began = now();
        WireMessage answer = client.request(request).answer();
        took = now() - began;
        return answer;
    }
    // What an upstream says to each whole request, in turn; the last one is repeated. "close" and "" do as they say.
    void play(std::vector<std::string> texts) {
        respond = [all = std::move(texts), at = std::size_t{0}](Peer& peer, const WireMessage&) mutable {
            const std::string& text = all[std::min(at++, all.size() - 1)];
            text == "close" ? peer.close() : peer.send(text);
        };
    }
    static bool is_body(const WireMessage& answer, std::string_view message) {
        return answer.body.starts_with(message) && answer.body[message.size()] == '\n';
    }
    net::Instant took = 0;
};

// ---- times (kong-observed.md 11)

TEST_F(ForwardTest, AConnectionThatIsNotMadeInTimeIs504) {
    start_with_retries(1);
    world().loop.blackhole(address(upstream_at));
    WireMessage answer = ask(get);
    EXPECT_EQ(answer.status(), 504);
    EXPECT_TRUE(is_body(answer, "The upstream server is timing out"));
    EXPECT_NEAR(static_cast<double>(took), 4'000, 50);
    world().loop.heal(address(upstream_at));
}

TEST_F(ForwardTest, AnAnswerThatDoesNotComeIs504AfterAllTries) {
    start_with_retries(2);
    respond = nullptr;
    WireMessage answer = ask(get);
    EXPECT_EQ(answer.status(), 504);
    EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(answer.field("Content-Length"), "79");
    EXPECT_EQ(answer.count("Via"), 1u);
    EXPECT_EQ(answer.count("X-Kong-Upstream-Latency"), 1u);
    EXPECT_EQ(requests.size(), 3u);
    EXPECT_NEAR(static_cast<double>(took), 6'000, 100);
}

TEST_F(ForwardTest, APostIsTriedOnceWhateverHappensAfterItWasSent) {
    start_with_retries(5);
    respond = nullptr;
    EXPECT_EQ(ask(post).status(), 504);
    EXPECT_EQ(requests.size(), 1u);
    play({"close"});
    EXPECT_EQ(ask(post).status(), 502);
    EXPECT_EQ(requests.size(), 2u);
}

TEST_F(ForwardTest, APostIsTriedAgainWhereNoConnectionWasMade) {
    start_with_retries(1);
    main_service().host = "up";
    add_upstream(document, "up", {"10.0.0.99:80", "10.0.0.1:80"});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(post).status(), 200);
    EXPECT_EQ(requests.size(), 4u);
}

TEST_F(ForwardTest, TheTimeToAnswerBeginsWhenTheRequestIsThrough) {
    start_with_retries(0);
    Client client(world());
    client.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    for (int i = 0; i < 5; ++i) {
        client.send("x");
        client.peer().pause(milliseconds(1'500));
    }
    respond = [](Peer& peer, const WireMessage&) {
        peer.pause(milliseconds(1'500));
        peer.send(std::string(ok));
    };
    EXPECT_EQ(client.answer().status(), 200);
}

TEST_F(ForwardTest, AnUpstreamThatTakesNothingIs504) {
    start_with_retries(0);
    Client client(world());
    client.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n").send(std::string(5'000'000, 'x'));
    upstream_peer(0).stop_reading();
    net::Instant began = now();
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 504);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_LT(now() - began, 5'000);
    EXPECT_TRUE(requests.empty());
}

TEST_F(ForwardTest, ABodyThatStopsComingIsCutVisibly) {
    start_with_retries(3);
    play({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf:"});
    Client client(world());
    client.request(get);
    EXPECT_TRUE(client.is_closed());
    WireMessage answer = client.answer();
    EXPECT_FALSE(answer.is_complete);
    EXPECT_EQ(answer.body, "half:");
    EXPECT_EQ(requests.size(), 1u);
}

TEST_F(ForwardTest, AChunkedBodyThatBreaksIsCutVisibly) {
    start_with_retries(3);
    for (const char* broken : {"5\r\nhalf:\r\nzz\r\n", "5\r\nhalf:XX", "5\r\nhalf:\r\n"}) {
        respond = [broken](Peer& peer, const WireMessage&) {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            peer.pause(seconds(1));
            peer.send(broken);
            peer.close();
        };
        Client client(world());
        client.request(get);
        EXPECT_TRUE(client.is_closed());
        WireMessage answer = client.answer();
        EXPECT_EQ(answer.status(), 200);
        EXPECT_FALSE(answer.is_complete) << broken;
        EXPECT_TRUE(std::string_view("half:").starts_with(answer.body));
    }
}

// ---- failures

TEST_F(ForwardTest, ARefusedConnectionIs502AfterAllTries) {
    start_with_retries(3);
    main_service().host = "10.0.0.99";
    WireMessage answer = ask(get);
    EXPECT_EQ(answer.status(), 502);
    EXPECT_TRUE(is_body(answer, "An invalid response was received from the upstream server"));
    EXPECT_EQ(answer.field("Content-Length"), "103");
    EXPECT_EQ(answer.count("Via"), 1u);
    EXPECT_EQ(answer.field("Connection"), "");
    EXPECT_EQ(world().counter(observe::Counter::upstream_connects), 4u);
}

TEST_F(ForwardTest, RetriesAreOfIdempotentMethodsAndWithinTheBudget) {
    start_with_retries(2);
    play({"close"});
    EXPECT_EQ(ask(get).status(), 502);
    EXPECT_EQ(requests.size(), 3u);
    requests.clear();
    play({"close", "close", std::string(ok)});
    EXPECT_EQ(ask(put).status(), 200);
    ASSERT_EQ(requests.size(), 3u);
    for (const WireMessage& request : requests) EXPECT_EQ(request.body, "body");
}

TEST_F(ForwardTest, AHeadThatBreaksOffIsAsGoodAsNone) {
    for (bool is_reset : {false, true}) {
        start_with_retries(1);
        requests.clear();
        respond = [is_reset, at = 0](Peer& peer, const WireMessage&) mutable {
            bool is_first = at++ % 2 == 0;
            peer.send(is_first ? "HTTP/1.1 200 OK\r\nX-" : std::string(ok));
            if (!is_first) return;
            peer.pause(milliseconds(20));  // so that it arrives before the reset
            is_reset ? peer.abort() : peer.close();
        };
        EXPECT_EQ(ask(get).status(), 200);
        EXPECT_EQ(requests.size(), 2u);
        EXPECT_EQ(ask(post).status(), 502);
        EXPECT_EQ(requests.size(), 3u) << "a POST is sent once";
        world().leftovers();
    }
}

TEST_F(ForwardTest, AFailedTargetIsNotTriedTwiceWhileThereAreOthers) {
    start_with_retries(1);
    main_service().host = "up";
    add_upstream(document, "up", {"10.0.0.1:80", "10.0.0.2:80"});
    PeerListener& second = world_of().upstream("10.0.0.2:80");
    int closed = 0;
    second.on_peer = [&closed](Peer& peer) {
        ++closed;
        peer.close();
    };
    for (int i = 0; i < 6; ++i) EXPECT_EQ(ask(get).status(), 200);
    EXPECT_GT(closed, 0);
    EXPECT_EQ(requests.size(), 6u);
    EXPECT_EQ(world().counter(observe::Counter::upstream_retries), static_cast<std::uint64_t>(closed));
}

TEST_F(ForwardTest, WhatIsNoHttpIs502AndNotTriedAgain) {
    start_with_retries(3);
    for (std::string_view broken : {"this is not http\r\n\r\n", "HTTP/1.1 banana\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                                    "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n"}) {
        requests.clear();
        play({std::string(broken)});
        EXPECT_EQ(ask(get).status(), 502) << broken;
        EXPECT_EQ(requests.size(), 1u) << broken;
    }
}

TEST_F(ForwardTest, AnEndlessHeadIs502) {
    start_with_retries(3);
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 1'000; ++i) peer.send("X-More: " + std::string(1'000, 'x') + "\r\n");
    };
    EXPECT_EQ(ask(get).status(), 502);
    EXPECT_EQ(requests.size(), 1u);
}

TEST_F(ForwardTest, BytesBehindAnAnswerAreNobodysAnswer) {
    start_with_retries(0);
    play({std::string(ok) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", std::string(ok)});
    Client client(world());
    EXPECT_EQ(client.request(get).answer().body, "ok");
    EXPECT_EQ(client.request(get).answer().body, "ok");
    EXPECT_EQ(upstream_->peers.size(), 2u);
}

// RFC 9110 15.2.2 and 7.8.
TEST_F(ForwardTest, AnUpgradeThatNobodyAskedForIs502) {
    start_with_retries(3);
    play({"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"});
    EXPECT_EQ(ask(get).status(), 502);
    EXPECT_EQ(requests.size(), 1u);
}

TEST_F(ForwardTest, AnUpgradeBeforeTheRequestIsThroughIs502) {
    start_with_retries(3);
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) {
            peer.on_input = nullptr;
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        };
    };
    Client client(world());
    client.request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 9\r\n\r\n");
    client.send("half");
    EXPECT_EQ(client.answer().status(), 502);
}

// ---- pooled connections

TEST_F(ForwardTest, ConnectionsAreUsedAgain) {
    start_with_retries(0);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(upstream_->peers.size(), 1u);
    EXPECT_EQ(world().counter(observe::Counter::upstream_reuses), 4u);
}

TEST_F(ForwardTest, AStaleConnectionCostsAnIdempotentRequestNothing) {
    start_with_retries(0);
    EXPECT_EQ(ask(get).status(), 200);
    play({"close", std::string(ok)});  // as if it had been closed just before
    EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(requests.size(), 3u);
    EXPECT_EQ(upstream_->peers.size(), 2u);
}

TEST_F(ForwardTest, AStaleConnectionIsExcusedOnce) {
    start_with_retries(1);
    main_service().host = "up";
    add_upstream(document, "up", {"10.0.0.1:80", "10.0.0.2:80"});
    world_of().upstream("10.0.0.2:80").on_peer = upstream_->on_peer;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(world().core->pools.idle(), 2u);
    requests.clear();
    play({"close"});
    EXPECT_EQ(ask(get).status(), 502);
    EXPECT_EQ(requests.size(), 3u) << "retries + 2 at most";
}

TEST_F(ForwardTest, AStaleConnectionIsNoReasonToSendAPostTwice) {
    start_with_retries(5);
    EXPECT_EQ(ask(get).status(), 200);
    play({"close", std::string(ok)});
    EXPECT_EQ(ask(post).status(), 502);
    EXPECT_EQ(requests.size(), 2u);
}

TEST_F(ForwardTest, AConnectionClosedWhileItSleptIsNotUsed) {
    start_with_retries(0);
    EXPECT_EQ(ask(get).status(), 200);
    upstream_->peers[0]->close();
    world().loop.run_for(seconds(1));
    EXPECT_EQ(ask(post).status(), 200);
    EXPECT_EQ(upstream_->peers.size(), 2u);
}

TEST_F(ForwardTest, ConnectionsAreNotKeptPastTheirLimits) {
    Settings settings;
    settings.upstream_keepalive.requests = 2;
    settings.upstream_keepalive.idle_timeout = seconds(5);
    start(settings);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(upstream_->peers.size(), 2u);
    EXPECT_EQ(ask(get).status(), 200);
    world().loop.run_for(seconds(6));
    EXPECT_EQ(world().core->pools.idle(), 0u);
}

TEST_F(ForwardTest, AnUpstreamThatClosesIsNotPooled) {
    start_with_retries(0);
    play({"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"});
    EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(world().core->pools.idle(), 0u);
    play({"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"});
    EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(world().core->pools.idle(), 0u);
}

// ---- names

TEST_F(ForwardTest, ANameThatDoesNotExistIs503) {
    start_with_retries(3);
    world_of().resolver.set("no.example", {net::dns::Records::State::not_found, {}, "no such name"});
    main_service().host = "no.example";
    WireMessage answer = ask(get);
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.field("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.field("Content-Length"), "91");
    EXPECT_NE(answer.body.find("\"message\":\"name resolution failed\""), std::string::npos);
    EXPECT_EQ(answer.count("Via"), 0u);
}

TEST_F(ForwardTest, ANameStillBeingLookedUpIsWaitedFor) {
    start_with_retries(0);
    main_service().host = "slow.example";
    Client client(world());
    client.request(post);
    world().loop.run_for(seconds(1));
    EXPECT_FALSE(client.has_answer());
    world().resolver.set("slow.example", {net::dns::Records::State::resolved, {ip("10.0.0.1")}, {}});
    EXPECT_EQ(client.answer(seconds(1)).status(), 200);
}

TEST_F(ForwardTest, ANameThatIsNeverFoundOutIs503AfterTheConnectTimeout) {
    start_with_retries(3);
    main_service().host = "never.example";
    EXPECT_EQ(ask(get).status(), 503);
    EXPECT_NEAR(static_cast<double>(took), 2'000, 100);
}

TEST_F(ForwardTest, AnUpstreamWithoutTargetsIs503) {
    start_with_retries(3);
    main_service().host = "up";
    add_upstream(document, "up", {});
    WireMessage answer = ask(get);
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.field("Content-Length"), "113");
    EXPECT_NE(answer.body.find("failure to get a peer from the ring-balancer"), std::string::npos);
}

TEST_F(ForwardTest, AChangedAddressIsUsedFromTheNextRequestOn) {
    start_with_retries(0);
    world_of().resolver.set("moving.example", {net::dns::Records::State::resolved, {ip("10.0.0.1")}, {}});
    main_service().host = "moving.example";
    PeerListener& other = world_of().upstream("10.0.0.2:80");
    other.on_peer = upstream_->on_peer;
    EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(other.peers.size(), 0u);
    world().resolver.set("moving.example", {net::dns::Records::State::resolved, {ip("10.0.0.2")}, {}});
    EXPECT_EQ(ask(get).status(), 200);
    EXPECT_EQ(other.peers.size(), 1u);
}

TEST_F(ForwardTest, WhatWasTriedIsKnownAgainThoughAnotherAddressHasTakenItsPlace) {
    start_with_retries(1);
    world_of().resolver.set("moving.example", {net::dns::Records::State::resolved, {ip("10.0.0.1")}, {}});
    main_service().host = "moving.example";
    respond = nullptr;
    world_of().upstream("10.0.0.2:80").on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) { peer.send(std::string(ok)); };
        peer.on_end = [&peer] { peer.close(); };
    };
    Client client(world());
    client.request(get);
    ASSERT_TRUE(await_requests(1));
    world().resolver.set("moving.example", {net::dns::Records::State::resolved, {ip("10.0.0.2"), ip("10.0.0.1")}, {}});
    EXPECT_EQ(client.answer().status(), 200);
}

}  // namespace
}  // namespace gateway
