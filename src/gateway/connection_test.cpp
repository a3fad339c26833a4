// One client's connection in virtual time: keep-alive and pipelining, Expect, early answers, draining.
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

using ConnectionTest = GatewayTest;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string post(std::size_t size, std::string_view fields = {}) {
    return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n" + std::string(fields) +
           "\r\n";
}

// ---- keep-alive, pipelining, half-close

TEST_F(ConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
    start();
    respond = [](Peer& peer, const WireMessage& request) {
        std::string target = request.target();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(target.size()) + "\r\n\r\n" + target);
    };
    Client client(world());
    std::string all;
    for (int i = 0; i < 50; ++i) {
        all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
        client.expect("GET");
    }
    client.send(all);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(client.answer().body, "/" + std::to_string(i));
    EXPECT_EQ(upstream_->peers.size(), 1u);
}

TEST_F(ConnectionTest, AHalfClosedClientGetsAllItsAnswers) {
    start();
    Client client(world());
    client.request(get).request(get).request(get);
    client.peer().finish();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.answer().status(), 200);
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.peer().end, net::IoStatus::ended);
}

TEST_F(ConnectionTest, OldClientsCloseUnlessTheyAskForKeepAlive) {
    start();
    Client plain(world());
    WireMessage answer = plain.request("GET / HTTP/1.0\r\n\r\n").answer();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(plain.is_closed(seconds(1)));
    Client kept(world());
    for (int i = 0; i < 2; ++i) {
        answer = kept.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer();
        EXPECT_EQ(answer.field("Connection"), "keep-alive");
    }
}

TEST_F(ConnectionTest, OldClientsGetNoChunks) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("some body", 4));
    };
    Client client(world());
    client.request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(client.is_closed(seconds(1)));
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.framing, WireMessage::Framing::until_close);
    EXPECT_EQ(answer.body, "some body");
    EXPECT_EQ(answer.field("Connection"), "close");
}

TEST_F(ConnectionTest, ABrokenHeadIsAnsweredAndNothingBehindItIsRead) {
    start();
    Client client(world());
    client.request("GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n").send(get);
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 400);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_EQ(answer.field("Content-Length"), "57");
    EXPECT_TRUE(answer.body.starts_with("Bad request\nrequest_id: "));
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_TRUE(requests.empty());
}

// ---- answers of our own to requests with a body

TEST_F(ConnectionTest, TheBodyOfARequestThatNoUpstreamTookIsNeverReadAsARequest) {
    start();
    main_service().host = "10.0.0.99";  // nobody listens there
    Client client(world());
    std::string_view inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    client.request(post(inner.size())).send(inner);
    EXPECT_EQ(client.answer().status(), 502);
    world().loop.run_for(seconds(10));
    EXPECT_FALSE(client.has_answer());
    EXPECT_EQ(client.reader().fault, "");
    EXPECT_EQ(world().counter(observe::Counter::requests), 1u);
}

TEST_F(ConnectionTest, ARequestThatFailedWithItsBodyUnreadLeavesTheConnectionUsable) {
    start();
    add_route(document, "/dead", add_service(document, "dead", "10.0.0.99"));
    Client client(world());
    client.request("POST /dead HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").send("hello");
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 502);
    EXPECT_EQ(answer.field("Connection"), "");
    EXPECT_EQ(client.request(get).answer().status(), 200);
}

TEST_F(ConnectionTest, ASmallUnwantedBodyIsReadAndALargeOneClosesTheConnection) {
    start();
    document.routes.clear();
    add_route(document, "/there", service);
    {
        Client client(world());
        WireMessage answer = client.request(post(3)).send("abc").answer();
        EXPECT_EQ(answer.status(), 404);
        EXPECT_EQ(answer.field("Connection"), "");
        EXPECT_EQ(client.request(get).answer().status(), 404);
    }
    Client client(world());
    client.request(post(100'000)).send(std::string(100'000, 'x'));
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 404);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.peer().end, net::IoStatus::ended);
}

TEST_F(ConnectionTest, ABrokenChunkIsAnsweredWith400AndCloses) {
    start();
    for (bool is_at_once : {true, false}) {
        Client client(world());
        client.request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        if (!is_at_once) client.peer().pause(seconds(1));
        client.send("zz\r\nabc\r\n0\r\n\r\n").send(get);
        WireMessage answer = client.answer();
        EXPECT_EQ(answer.status(), 400) << is_at_once;
        EXPECT_EQ(answer.field("Connection"), "close");
        EXPECT_TRUE(client.is_closed(seconds(10)));
    }
    EXPECT_TRUE(requests.empty());
}

// ---- Expect: 100-continue

TEST_F(ConnectionTest, AClientThatAsksIsToldToContinue) {
    start();
    Client client(world());
    client.request(post(4, "Expect: 100-continue\r\n"));
    EXPECT_EQ(client.answer().status(), 100);
    client.send("body");
    EXPECT_EQ(client.answer().status(), 200);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].body, "body");
    EXPECT_EQ(requests[0].count("Expect"), 0u);
}

TEST_F(ConnectionTest, AClientWhoseBodyIsNotWantedIsNotAskedForIt) {
    start();
    document.routes.clear();
    add_route(document, "/there", service);
    Client client(world());
    client.request(post(4, "Expect: 100-continue\r\n"));
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 404);
    EXPECT_EQ(answer.field("Connection"), "close");
}

TEST_F(ConnectionTest, AnotherExpectationIsAnsweredWith417) {
    start();
    Client client(world());
    EXPECT_EQ(client.request("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n").answer().status(), 417);
}

// ---- upstreams that answer early

TEST_F(ConnectionTest, AnEarlyAnswerReachesTheClientBeforeItsBodyIsSent) {
    start();
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) {
            peer.on_input = nullptr;
            peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        };
    };
    Client client(world());
    client.request(post(1000)).send("first part");
    WireMessage answer = client.answer(seconds(5));
    EXPECT_EQ(answer.status(), 403);
    EXPECT_EQ(answer.body, "no");
    client.send(std::string(990, 'x'));
    upstream_->on_peer = nullptr;
    client.request(get);
    world().loop.run_for(seconds(1));
    ASSERT_EQ(upstream_->peers.size(), 2u) << "the connection with half a request was used again";
    upstream_->peers[1]->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(client.answer().status(), 200);
}

TEST_F(ConnectionTest, ABodyMayStillBeComingWhileItsAnswerIs) {
    start();
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer, is_first = true](std::string_view bytes) mutable {
            if (is_first) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
            is_first = false;
            if (bytes.ends_with("end")) {
                peer.pause(seconds(5));
                peer.send("last!");
            }
        };
    };
    Client client(world());
    client.request(post(6)).send("abc");
    client.peer().pause(seconds(5));
    client.send("end");
    WireMessage answer = client.answer();
    EXPECT_TRUE(answer.is_complete);
    EXPECT_EQ(answer.body, "firstlast!");
}

TEST_F(ConnectionTest, AnUpstreamThatAnswersAndStopsReadingDoesNotHoldTheAnswerBack) {
    start();
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) {
            peer.on_input = nullptr;
            peer.stop_reading();
            peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
        };
    };
    Client client(world());
    client.request(post(5'000'000)).send(std::string(5'000'000, 'x'));
    EXPECT_EQ(client.answer(seconds(5)).status(), 413);
    EXPECT_TRUE(client.is_closed());
}

// The whole request is in hand when its head is read, behind an earlier one, and fits no pipe to the upstream.
TEST_F(ConnectionTest, AnUpstreamThatAnswersAndStopsReadingWhatWasInHandIsHeard) {
    net::simulated::Weather weather;
    weather.least_capacity = weather.most_capacity = 4 * 1024;
    start({}, weather);
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view bytes) {
            if (peer.received.starts_with("GET") && bytes.ends_with("\r\n\r\n")) {
                peer.received.clear();
                peer.pause(seconds(5));
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            } else if (peer.received.starts_with("POST")) {
                peer.stop_reading();
                peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
            }
        };
    };
    Client client(world());
    client.request(get);
    client.request(post(100'000)).send(std::string(100'000, 'x'));
    EXPECT_EQ(client.answer().status(), 200);
    WireMessage answer = client.answer();
    EXPECT_EQ(upstream_->peers.size(), 1u);
    EXPECT_EQ(answer.status(), 413) << now();
    EXPECT_TRUE(client.is_closed());
}

// ---- draining and reloading

TEST_F(ConnectionTest, DrainingClosesSleepersAndLetsTheOthersFinish) {
    start();
    respond = nullptr;
    Client asleep(world());
    Client busy(world());
    busy.request(get);
    ASSERT_TRUE(await_requests(1));
    world().core->drain();
    EXPECT_TRUE(asleep.is_closed(seconds(1)));
    upstream_->peers[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    WireMessage answer = busy.answer();
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(busy.is_closed(seconds(1)));
    world().loop.run_for(seconds(1));
    EXPECT_EQ(world().core->pools.idle(), 0u) << "a pool was filled after it had been emptied";
}

TEST_F(ConnectionTest, DrainingInTheMiddleOfAnAnswerDestroysNoneOfItAndServesWhatIsThere) {
    start();
    respond = nullptr;
    Client client(world());
    client.request(get).request(get);
    ASSERT_TRUE(await_requests(1));
    upstream_->peers[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok");
    world().loop.run_for(seconds(1));
    world().core->drain();
    client.peer().stop_reading();  // what has not been read yet would be lost by a reset
    upstream_->peers[0]->send("ok");
    world().loop.run_for(seconds(1));
    client.peer().go_on();
    WireMessage answer = client.answer();
    EXPECT_TRUE(answer.is_complete);
    EXPECT_EQ(answer.body, "okok");
    EXPECT_EQ(answer.field("Connection"), "");
    ASSERT_TRUE(await_requests(2));
    upstream_->peers.back()->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    answer = client.answer();
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.is_closed(seconds(1)));
    EXPECT_EQ(client.peer().end, net::IoStatus::ended);
}

TEST_F(ConnectionTest, AnExchangeEndsWithTheSnapshotItBeganWith) {
    start();
    respond = nullptr;
    main_service().path = "/old";
    Client client(world());
    client.request(get);
    ASSERT_TRUE(await_requests(1));
    Document next;
    add_route(next, "/", add_service(next, "main", "10.0.0.1", "/new"));
    world().publish(std::move(next));
    world().snapshots.clear();
    EXPECT_FALSE(world().served[0].expired());
    upstream_->peers[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(client.answer().status(), 200);
    EXPECT_TRUE(world().served[0].expired()) << "the old snapshot is still held";
    client.request(get);
    ASSERT_TRUE(await_requests(2));
    EXPECT_EQ(requests[0].target(), "/old");
    EXPECT_EQ(requests[1].target(), "/new");
    upstream_->peers[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(client.answer().status(), 200);
}

TEST_F(ConnectionTest, ClosingAllInTheMiddleLeavesNothingBehind) {
    start();
    respond = nullptr;
    Client waiting(world());
    waiting.request(get);
    Client sending(world());
    sending.request(post(1000)).send("part");
    world().loop.run_for(seconds(1));
    ASSERT_EQ(upstream_->peers.size(), 2u);
    EXPECT_EQ(world().active_attempts(), 2u);
    world().core->close_all();
    EXPECT_EQ(world().active_attempts(), 0u);
    EXPECT_EQ(world().process.connections(), 0u);
}

// A piece that is kept must not keep a whole receive buffer: an attacker sends them one byte at a time.
TEST_F(ConnectionTest, CrumbsOfInputThatWaitDoNotHoldABlockEach) {
    start();
    respond = nullptr;
    Client client(world());
    client.request(get);
    ASSERT_TRUE(await_requests(1));
    for (int i = 0; i < 1'000; ++i) {
        client.send("G");
        client.peer().pause(milliseconds(3));
    }
    world().loop.run_for(seconds(10));
    EXPECT_LT(world().loop.buffers().in_use(), 40u);
}

}  // namespace
}  // namespace gateway
