// HTTP/2 towards upstreams: the same messages, shared connections, and upstreams that refuse, leave, break and lie.
#include <algorithm>

#include "gateway/http2_client_for_tests.h"
#include "gateway/http2_upstream_for_tests.h"
#include "http/http2/client_session.h"
#include "upstream/http2_pool.h"

namespace gateway {
namespace {

using http2::ErrorCode;
using http2::frame;
using http2::FrameType;
using http2::number;
using http2::TestStream;

constexpr std::string_view get_request = "GET /a?b HTTP/1.1\r\nHost: a.test\r\n\r\n";
constexpr std::string_view post_request = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

class UpstreamHttp2 : public Http2UpstreamTest {
  protected:
    void SetUp() override {
        begin();
        on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "ok"); };
    }
    bool await_heads(std::size_t count) {
        return world().run_until([&] { return heads >= count; });
    }
    static std::string goaway(std::uint32_t last, std::uint32_t code = 0) {
        return frame(FrameType::goaway, 0, 0, number(last, 4) + number(code, 4));
    }
};

TEST_F(UpstreamHttp2, TheUpstreamGetsTheSameMessage) {
    std::string head, body;
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        head = stream.head;
        body = stream.body;
        connection.answer(stream, "answer", {}, "HTTP/1.1 201 Made\r\nX-Name: Value\r\nContent-Length: 6\r\n\r\n");
    };
    Client client(world());
    WireMessage answer = client.request(post_request).answer();
    EXPECT_EQ(answer.first, "HTTP/1.1 201 Created");
    EXPECT_EQ(answer.body, "answer");
    EXPECT_EQ(answer.field("x-name"), "Value");
    EXPECT_EQ(answer.field("Content-Length"), "6");
    EXPECT_EQ(answer.field("Via").substr(0, 4), "2.0 ");
    EXPECT_TRUE(head.starts_with("POST /a HTTP/1.1\r\nhost: 10.0.0.1\r\n")) << head;
    EXPECT_NE(head.find("x-forwarded-host: a.test\r\n"), head.npos) << head;
    EXPECT_NE(head.find("content-length: 5\r\n"), head.npos) << head;
    EXPECT_EQ(head.find("keep-alive"), head.npos) << head;
    EXPECT_EQ(body, "hello");
    // And again: on the same connection.
    EXPECT_EQ(client.request(get_request).answer().status(), 201);
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(UpstreamHttp2, ManyExchangesShareAConnection) {
    limits.concurrent_streams = 100;
    on_request = {};
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    ASSERT_TRUE(await_heads(50));
    EXPECT_EQ(connections.size(), 1U);
    // Each gets its own, whatever the order.
    Http2Upstream& connection = *connections[0];
    for (auto each = connection.server.streams.rbegin(); each != connection.server.streams.rend(); ++each) {
        const std::string& head = each->second->head;
        connection.answer(*each->second, head.substr(0, head.find(" HTTP")));
    }
    connection.flush();
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(clients[static_cast<std::size_t>(i)]->answer().body, "GET /" + std::to_string(i));
}

TEST_F(UpstreamHttp2, WhatTheUpstreamDoesNotTakeAtOnceWaits) {
    limits.concurrent_streams = 1;
    on_request = {};
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 40; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request(post_request);
    }
    // One on each connection, and no more connections than we may have.
    ASSERT_TRUE(await_heads(upstream::Http2Pool::most_connections));
    world().loop.run_until([] { return false; }, seconds(1));
    EXPECT_EQ(heads, upstream::Http2Pool::most_connections);
    EXPECT_EQ(connections.size(), upstream::Http2Pool::most_connections);
    on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "late"); };
    for (auto& connection : connections) {
        connection->answer(*connection->server.streams.begin()->second, "first");
        connection->flush();
    }
    int late = 0;
    for (auto& client : clients) late += client->answer().body == "late" ? 1 : 0;
    EXPECT_EQ(late, 40 - static_cast<int>(upstream::Http2Pool::most_connections));
    EXPECT_EQ(heads, 40U);
}

TEST_F(UpstreamHttp2, WhoWaitsForRoomForTooLongIsToldSo) {
    limits.concurrent_streams = 1;
    main_service().connect_timeout = milliseconds(500);
    main_service().retries = 0;
    on_request = {};
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < upstream::Http2Pool::most_connections; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request(post_request);
    }
    ASSERT_TRUE(await_heads(clients.size()));
    Client late(world());
    net::Instant began = now();
    EXPECT_EQ(late.request(post_request).answer().status(), 504);
    EXPECT_LT(now() - began, 1000);
    EXPECT_EQ(heads, clients.size());
}

TEST_F(UpstreamHttp2, AConnectionThatCannotBeMadeFailsAllWhoWait) {
    main_service().retries = 0;
    world();
    upstream_->stop();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request(post_request);
    }
    for (auto& client : clients) EXPECT_EQ(client->answer().status(), 502);
}

TEST_F(UpstreamHttp2, WhoeverAskedFirstMayLeave) {
    auto first = std::make_unique<Client>(world());
    first->request(get_request);
    Client second(world());
    second.request(get_request);
    world().run_until([&] { return world().counter(observe::Counter::requests) == 2; });
    first.reset();
    EXPECT_EQ(second.answer().body, "ok");
}

// ---- refused, and gone

TEST_F(UpstreamHttp2, ARefusedStreamIsRetriedWhateverItsMethod) {
    on_request = [this](Http2Upstream& connection, TestStream& stream) {
        if (heads == 2) return connection.reset(stream, ErrorCode::refused_stream);
        connection.answer(stream, stream.body);
    };
    Client client(world());
    EXPECT_EQ(client.request(get_request).answer().status(), 200);
    EXPECT_EQ(client.request(post_request).answer().body, "hello");
    EXPECT_EQ(heads, 3U);
}

TEST_F(UpstreamHttp2, ARefusedStreamIsNotRetriedForEver) {
    main_service().retries = 2;
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        connection.reset(stream, ErrorCode::refused_stream);
    };
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
    EXPECT_LE(heads, 4U);
}

TEST_F(UpstreamHttp2, WhatGoawayLeavesOutGoesToAnotherConnection) {
    Client client(world());
    EXPECT_EQ(client.request(get_request).answer().status(), 200);
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        if (connections.size() == 1) {
            connection.peer.send(goaway(1));
            connection.peer.close();
            return;
        }
        connection.answer(stream, stream.body);
    };
    EXPECT_EQ(client.request(post_request).answer().body, "hello");
    EXPECT_EQ(connections.size(), 2U);
}

TEST_F(UpstreamHttp2, WhatGoawayIncludesIsServedToItsEnd) {
    on_request = {};
    Client first(world());
    first.request(post_request);
    ASSERT_TRUE(await_heads(1));
    connections[0]->peer.send(goaway(1));
    world().loop.run_until([] { return false; }, seconds(1));
    Client second(world());
    second.request(post_request);
    ASSERT_TRUE(await_heads(2));
    EXPECT_EQ(connections.size(), 2U);
    for (auto& connection : connections) {
        connection->answer(*connection->server.streams.begin()->second, "served");
        connection->flush();
    }
    EXPECT_EQ(first.answer().body, "served");
    EXPECT_EQ(second.answer().body, "served");
    EXPECT_TRUE(world().run_until([&] { return connections[0]->peer.is_over(); }, seconds(1)));
}

TEST_F(UpstreamHttp2, WhatMayHaveBeenProcessedIsNotSentTwice) {
    on_request = [](Http2Upstream& connection, TestStream&) { connection.peer.abort(); };
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
    EXPECT_EQ(heads, 1U);
}

TEST_F(UpstreamHttp2, AResetIsNoRefusal) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        connection.reset(stream, ErrorCode::internal_error);
    };
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
    EXPECT_EQ(heads, 1U);
    EXPECT_EQ(open_connections(), 1U);
}

TEST_F(UpstreamHttp2, AnIdempotentRequestIsRetriedOnANewConnection) {
    on_request = [this](Http2Upstream& connection, TestStream& stream) {
        if (heads == 1) return connection.peer.abort();
        connection.answer(stream, "second");
    };
    Client client(world());
    EXPECT_EQ(client.request(get_request).answer().body, "second");
}

TEST_F(UpstreamHttp2, AConnectionThatDiesEndsAllItsExchanges) {
    on_request = {};
    main_service().retries = 0;
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request(post_request);
    }
    ASSERT_TRUE(await_heads(20));
    int begun = 0;
    for (auto& [id, stream] : connections[0]->server.streams) {
        if (++begun > 10) break;
        ASSERT_TRUE(connections[0]->server.session.send_head(*stream, "HTTP/1.1 200 OK\r\n\r\n", 0, true));
        stream->output = "part";
        connections[0]->server.session.resume(*stream);
    }
    connections[0]->flush();
    connections[0]->peer.abort();
    for (auto& client : clients) {
        WireMessage answer = client->answer();
        EXPECT_TRUE(answer.status() == 502 || !answer.is_complete) << answer.first;
    }
    on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "again"); };
    Client after(world());
    EXPECT_EQ(after.request(get_request).answer().body, "again");
}

// ---- bodies

TEST_F(UpstreamHttp2, ABodyOfUnknownLengthAndItsTrailers) {
    std::string trailers;
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        trailers = stream.trailers;
        connection.answer(stream, "body", "x-sum: 9\r\n");
    };
    Client client(world());
    client.expect("POST").send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n").send("0\r\nx-check: 1\r\n\r\n");
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.body, "body");
    EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
    ASSERT_EQ(answer.trailers.size(), 1U);
    EXPECT_EQ(trailers, "x-check:1\n");
    EXPECT_EQ(connections[0]->server.stream(1).body, "hello");
}

TEST_F(UpstreamHttp2, HeadAnd204And304AndAnEmptyAnswer) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        std::string_view head = "HTTP/1.1 200 OK\r\n\r\n";
        if (stream.head.starts_with("HEAD")) head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        if (stream.head.find("/204") != std::string::npos) head = "HTTP/1.1 204 None\r\n\r\n";
        if (stream.head.find("/304") != std::string::npos) head = "HTTP/1.1 304 Same\r\n\r\n";
        connection.answer(stream, {}, {}, head);
    };
    Client client(world());
    WireMessage head = client.request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    EXPECT_EQ(head.field("Content-Length"), "9");
    EXPECT_EQ(client.request("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n").answer().status(), 204);
    EXPECT_EQ(client.request("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n").answer().status(), 304);
    WireMessage empty = client.request(get_request).answer();
    EXPECT_EQ(empty.status(), 200);
    EXPECT_EQ(empty.field("Content-Length"), "0");
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(UpstreamHttp2, LargeBodiesGoBothWaysAsFastAsTheSlowerSide) {
    std::string sent(3'000'000, 'q');
    for (std::size_t i = 0; i < sent.size(); i += 1000) sent[i] = static_cast<char>('a' + i / 1000 % 26);
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        EXPECT_EQ(stream.body, sent);
        connection.answer(stream, stream.body);
    };
    Client client(world());
    client.peer().reading_pause = [] { return milliseconds(1); };
    client.expect("PUT").send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(sent.size()) +
                              "\r\n\r\n");
    client.send(sent);
    EXPECT_EQ(client.answer().body, sent);
}

TEST_F(UpstreamHttp2, ASlowClientHoldsUpItsOwnStreamOnly) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        bool is_large = stream.head.starts_with("GET /large");
        connection.answer(stream, std::string(is_large ? 5'000'000 : 1000, 'x'));
    };
    std::vector<std::unique_ptr<Client>> slow;
    for (int i = 0; i < 60; ++i) {
        slow.push_back(std::make_unique<Client>(world()));
        slow.back()->request("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        slow.back()->peer().stop_reading();
    }
    ASSERT_TRUE(await_heads(60));
    world().loop.run_until([] { return false; }, seconds(5));
    for (auto& [id, stream] : connections[0]->server.streams) EXPECT_GT(stream->output.size(), 3'000'000U) << id;
    Client quick(world());
    EXPECT_EQ(quick.request(get_request).answer().body.size(), 1000U);
    EXPECT_EQ(connections.size(), 1U);
    slow[0]->peer().go_on();
    EXPECT_EQ(slow[0]->answer().body.size(), 5'000'000U);
}

TEST_F(UpstreamHttp2, AnAnswerThatBreaksOffIsSeenToBeIncomplete) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        ASSERT_TRUE(connection.server.session.send_head(stream, "HTTP/1.1 200 OK\r\n\r\n", 0, true));
        stream.output = "part";
        connection.server.session.resume(stream);
        connection.flush();
        connection.reset(stream, ErrorCode::internal_error);
    };
    Client client(world());
    WireMessage answer = client.request(get_request).answer();
    EXPECT_FALSE(answer.is_complete);
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(open_connections(), 1U);
}

TEST_F(UpstreamHttp2, ALengthThatIsNotTrueIsNotPassedOnAsIfItWere) {
    for (std::string_view body : {"shorter", "longer than what was said"}) {
        on_request = [&](Http2Upstream& connection, TestStream& stream) {
            connection.answer(stream, body, {}, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");
        };
        Client client(world());
        WireMessage answer = client.request(post_request).answer();
        EXPECT_TRUE(answer.status() == 502 || !answer.is_complete) << body;
    }
}

// ---- hostile upstreams

TEST_F(UpstreamHttp2, InterimAnswersWithoutEndAreRefused) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        for (int i = 0; i < 1000; ++i)
            ASSERT_TRUE(connection.server.session.send_interim(stream, "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"));
    };
    Client client(world());
    client.request(post_request);
    while (true) {
        WireMessage answer = client.answer();
        if (answer.status() == 103) continue;
        EXPECT_EQ(answer.status(), 502);
        break;
    }
    EXPECT_EQ(heads, 1U);
}

TEST_F(UpstreamHttp2, AHeadBeyondTheLimitsIsRefused) {
    std::string many;
    for (int i = 0; i < 1100; ++i) many += "x-" + std::to_string(i) + ": y\r\n";
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        connection.answer(stream, {}, {}, "HTTP/1.1 200 OK\r\n" + many + "\r\n");
    };
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
    EXPECT_EQ(heads, 1U);
}

TEST_F(UpstreamHttp2, FloodsEndTheConnection) {
    const std::string floods[] = {frame(FrameType::settings, 0, 0), frame(FrameType::ping, 0, 0, "12345678"),
                                  frame(FrameType::data, 0, 1), frame(FrameType::window_update, 0, 0, number(1, 4))};
    main_service().retries = 0;
    for (const std::string& flood : floods) {
        on_request = {};
        on_head = [&](Http2Upstream& connection, TestStream&) {
            std::string all;
            for (int i = 0; i < 6000; ++i) all += flood;
            connection.peer.send(all);
        };
        Client client(world());
        EXPECT_EQ(client.request(post_request).answer().status(), 502);
        EXPECT_TRUE(world().run_until([&] { return open_connections() == 0; }, seconds(30)));
    }
}

TEST_F(UpstreamHttp2, WhatIsNoHttp2IsRefused) {
    upstream_->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); };
        peer.on_end = [&peer] { peer.close(); };
    };
    main_service().retries = 0;
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
}

TEST_F(UpstreamHttp2, APushIsRefused) {
    on_head = [](Http2Upstream& connection, TestStream&) {
        connection.peer.send(
            frame(FrameType::push_promise, http2::end_headers, 1, number(2, 4) + http2::block(http2::get_fields())));
    };
    on_request = {};
    main_service().retries = 0;
    Client client(world());
    EXPECT_EQ(client.request(post_request).answer().status(), 502);
}

// ---- the end

TEST_F(UpstreamHttp2, AClientThatLeavesCancelsItsStreamOnly) {
    on_request = {};
    auto leaving = std::make_unique<Client>(world());
    leaving->request(post_request);
    Client staying(world());
    staying.request(post_request);
    ASSERT_TRUE(await_heads(2));
    leaving->peer().abort();
    TestStream& first = connections[0]->server.stream(1);
    EXPECT_TRUE(world().run_until([&] { return first.was_closed; }, seconds(5)));
    EXPECT_EQ(first.code, ErrorCode::cancel);
    connections[0]->answer(connections[0]->server.stream(3), "still there");
    connections[0]->flush();
    EXPECT_EQ(staying.answer().body, "still there");
}

TEST_F(UpstreamHttp2, AClientThatLeavesInTheMiddleOfABody) {
    on_request = [](Http2Upstream& connection, TestStream& stream) {
        connection.answer(stream, std::string(5'000'000, 'x'));
    };
    Http2Client client(world());
    client.gives_credit = false;
    client.send(http2::get(1));
    world().run_until([&] { return client.answers[1].body.size() > 50'000; });
    client.send(http2::rst_stream(1));
    TestStream& stream = connections[0]->server.stream(1);
    EXPECT_TRUE(world().run_until([&] { return stream.was_closed; }, seconds(5)));
    on_request = [](Http2Upstream& connection, TestStream& other) { connection.answer(other, "next"); };
    client.send(frame(FrameType::window_update, 0, 0, number(100'000, 4)) + http2::get(3));
    EXPECT_EQ(client.answer(3).body, "next");
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(UpstreamHttp2, AnIdleConnectionIsClosed) {
    Client client(world());
    EXPECT_EQ(client.request(get_request).answer().status(), 200);
    EXPECT_TRUE(world().run_until([&] { return open_connections() == 0; }, seconds(61)));
}

TEST_F(UpstreamHttp2, AnUpstreamThatSaysNothingIsAskedWhetherItIsThere) {
    on_request = {};
    main_service().read_timeout = seconds(20);
    main_service().retries = 0;
    Client client(world());
    client.request(post_request);
    ASSERT_TRUE(await_heads(1));
    connections[0]->peer.stop_reading();  // as if the machine had gone
    EXPECT_EQ(client.answer().status(), 504);
    EXPECT_TRUE(world().run_until([&] { return world().loop.open_sockets() > 0; }));
    // Whoever comes now does not bet on it.
    on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "alive"); };
    Client next(world());
    EXPECT_EQ(next.request(post_request).answer(seconds(5)).body, "alive");
    EXPECT_EQ(connections.size(), 2U);
}

TEST_F(UpstreamHttp2, AReloadLeavesWhatIsUnderWayAlone) {
    on_request = {};
    Client client(world());
    client.request(post_request);
    ASSERT_TRUE(await_heads(1));
    Document copy;
    copy.services = document.services;
    copy.routes = document.routes;
    world().publish(std::move(copy));
    connections[0]->answer(connections[0]->server.stream(1), "old");
    connections[0]->flush();
    EXPECT_EQ(client.answer().body, "old");
    on_request = [](Http2Upstream& connection, TestStream& stream) { connection.answer(stream, "new"); };
    EXPECT_EQ(client.request(post_request).answer().body, "new");
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(UpstreamHttp2, DrainingServesWhatIsUnderWayAndThenCloses) {
    on_request = {};
    Client client(world());
    client.request(post_request);
    ASSERT_TRUE(await_heads(1));
    world().core->drain(milliseconds(100));
    world().loop.run_until([] { return false; }, seconds(2));
    connections[0]->answer(connections[0]->server.stream(1), "last");
    connections[0]->flush();
    EXPECT_EQ(client.answer().body, "last");
    EXPECT_TRUE(world().run_until([&] { return open_connections() == 0; }, seconds(5)));
}

TEST_F(UpstreamHttp2, TheCoreMayEndInTheMiddleOfEverything) {
    on_request = {};
    limits.concurrent_streams = 3;
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(std::make_unique<Client>(world()));
        clients.back()->request(post_request);
    }
    ASSERT_TRUE(await_heads(20));
    world().core->close_all();
    for (auto& client : clients) EXPECT_TRUE(client->is_closed());
}

}  // namespace
}  // namespace gateway
