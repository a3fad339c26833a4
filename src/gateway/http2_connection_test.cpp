#include "gateway/http2_connection.h"

#include <random>

#include "gateway/http2_client_for_tests.h"

namespace gateway {
namespace {

using http2::block;
using http2::end_headers;
using http2::end_stream;
using http2::Fields;
using http2::frame;
using http2::FrameType;
using http2::get;

std::string post(std::uint32_t stream, std::string_view path, const Fields& more = {}) {
    Fields fields = http2::get_fields(path, more);
    fields[0].second = "POST";
    return frame(FrameType::headers, end_headers, stream, block(fields));
}
std::string data(std::uint32_t stream, std::string_view bytes, bool is_last) {
    return frame(FrameType::data, is_last ? end_stream : 0, stream, bytes);
}

class Http2ConnectionTest : public GatewayTest {};

TEST_F(Http2ConnectionTest, TheUpstreamGetsTheSameMessageAsFromHttp1) {
    Http2Client client(world());
    client.send(get(1, "/a?b", {{"cookie", "x=1"}, {"cookie", "y=2"}, {"accept", "*/*"}}));
    EXPECT_EQ(client.answer(1).status(), 200);
    EXPECT_EQ(client.answer(1).body, "ok");
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].first, "GET /a?b HTTP/1.1");
    EXPECT_EQ(requests[0].field("Cookie"), "x=1; y=2");
    EXPECT_EQ(requests[0].field("X-Forwarded-Host"), "a.test");
    EXPECT_EQ(requests[0].field("Accept"), "*/*");
    EXPECT_EQ(requests[0].field("Via").substr(0, 4), "2.0 ");
    // And again on the same connection.
    client.send(get(3));
    EXPECT_EQ(client.answer(3).body, "ok");
}

TEST_F(Http2ConnectionTest, BodiesWithAndWithoutALength) {
    Http2Client client(world());
    client.send(post(1, "/", {{"content-length", "5"}}) + data(1, "he", false) + data(1, "llo", true));
    EXPECT_EQ(client.answer(1).status(), 200);
    client.send(post(3, "/") + data(3, "chunks", false));
    client.send(data(3, " of it", false) +
                frame(FrameType::headers, end_headers | end_stream, 3, block({{"x-sum", "9"}})));
    EXPECT_EQ(client.answer(3).status(), 200);
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].field("Content-Length"), "5");
    EXPECT_EQ(requests[0].body, "hello");
    EXPECT_EQ(requests[1].field("Transfer-Encoding"), "chunked");
    EXPECT_EQ(requests[1].body, "chunks of it");
    ASSERT_EQ(requests[1].trailers.size(), 1U);
}

TEST_F(Http2ConnectionTest, WhatWasTakenInOneGoIsCreditedInFull) {
    respond = {};
    Http2Client client(world());
    std::string all = post(1, "/");  // there before the upstream's connection is
    for (int i = 0; i < 6; ++i) all += data(1, std::string(10'000, 'x'), false);
    client.send(all);
    world().run_until([&] { return client.credit[1] >= 40'000; }, seconds(5));
    EXPECT_GE(client.credit[1], 40'000U);  // the rest is less than half a window
}

TEST_F(Http2ConnectionTest, HeadAnd204And304HaveNoBody) {
    respond = [](Peer& peer, const WireMessage& request) {
        if (request.method() == "HEAD") return peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        peer.send(request.first.find("204") != std::string::npos ? "HTTP/1.1 204 No Content\r\n\r\n"
                                                                 : "HTTP/1.1 304 Not Modified\r\n\r\n");
    };
    Http2Client client(world());
    Fields head = http2::get_fields("/");
    head[0].second = "HEAD";
    client.send(frame(FrameType::headers, end_headers | end_stream, 1, block(head)) + get(3, "/204") + get(5, "/304"));
    EXPECT_EQ(client.answer(1).status(), 200);
    EXPECT_EQ(client.answer(3).status(), 204);
    EXPECT_EQ(client.answer(5).status(), 304);
    for (std::uint32_t stream : {1U, 3U, 5U}) EXPECT_EQ(client.answers[stream].body, "");
}

TEST_F(Http2ConnectionTest, AnUpstreamThatBreaksOffResetsTheStreamOnly) {
    respond = [](Peer& peer, const WireMessage& request) {
        if (request.first.find("/broken") == std::string::npos)
            return peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        peer.close();
    };
    Http2Client client(world());
    client.send(get(1, "/broken") + get(3));
    EXPECT_EQ(client.answer(1).reset, 2);
    EXPECT_EQ(client.answer(3).body, "ok");
}

TEST_F(Http2ConnectionTest, MalformedRequestsAreAnsweredAndTheConnectionGoesOn) {
    Http2Client client(world());
    client.send(get(1, "/", {{"host", "other.test"}}) + get(3));
    EXPECT_EQ(client.answer(1).status(), 400);
    EXPECT_EQ(client.answer(3).status(), 200);
}

TEST_F(Http2ConnectionTest, AResetEndsWhatTheUpstreamIsDoing) {
    respond = [](Peer&, const WireMessage&) {};
    Http2Client client(world());
    client.send(get(1));
    ASSERT_TRUE(await_requests(1));
    EXPECT_EQ(world().active_attempts(), 1U);
    client.send(http2::rst_stream(1));
    EXPECT_TRUE(world().run_until([&] { return world().active_attempts() == 0; }, seconds(1)));
    EXPECT_TRUE(world().run_until([&] { return upstream_peer(0).is_over(); }, seconds(1)));
    EXPECT_EQ(world().counter(observe::Counter::client_aborts), 1U);
}

TEST_F(Http2ConnectionTest, AClientThatIsGoneEndsAllItsStreams) {
    respond = [](Peer&, const WireMessage&) {};
    {
        Http2Client client(world());
        client.send(get(1) + get(3) + post(5, "/"));
        ASSERT_TRUE(await_requests(2));
    }
    EXPECT_TRUE(world().run_until([&] { return world().active_attempts() == 0; }, seconds(1)));
}

// A body that comes faster than the upstream takes it stays within the window.
TEST_F(Http2ConnectionTest, AnUploadWaitsForTheUpstream) {
    Http2Client client(world());
    std::string piece(16'000, 'x');
    std::string all = post(1, "/");
    for (int i = 0; i < 4; ++i) all += data(1, piece, false);
    client.send(all);
    ASSERT_TRUE(
        world().run_until([&] { return !upstream_->peers.empty() && upstream_->peers[0]->received.size() > 64'000; }));
    // The window has been given back as the bytes went on.
    std::string rest;
    for (int i = 0; i < 3; ++i) rest += data(1, piece, false);
    client.send(rest + data(1, "end", true));
    EXPECT_EQ(client.answer(1).status(), 200);
    EXPECT_EQ(requests.at(0).body.size(), 7 * 16'000U + 3);
}

TEST_F(Http2ConnectionTest, AStalledWindowEndsTheStreamAndHoldsUpNobody) {
    respond = [](Peer& peer, const WireMessage& request) {
        std::size_t size = request.first.find("/large") != std::string::npos ? 1'000'000 : 2;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'));
    };
    Http2Client client(world());
    client.gives_credit = false;
    // Streams start without any window.
    client.send(frame(FrameType::settings, 0, 0, http2::number(4, 2) + http2::number(0, 4)) + get(1, "/large") +
                get(3, "/large"));
    world().run_until([&] { return client.answers[1].status() == 200; });
    Http2Client other(world(), "192.0.2.8");
    other.send(get(1));
    EXPECT_EQ(other.answer(1).body, "xx");
    EXPECT_EQ(client.answer(1).reset, 2);
    EXPECT_EQ(client.answers[1].body, "");
    EXPECT_EQ(client.answer(3).reset, 2);
}

// nghttp2 keeps a DATA frame that did not fit into a send; by the time it fits, its stream may have been given up.
TEST_F(Http2ConnectionTest, AFrameThatWasPutOffMayOutliveItsStream) {
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + std::string(20'000'000, 'x'));
    };
    for (bool ends_at_once : {true, false}) {
        Http2Client client(world());
        client.gives_credit = false;
        client.send(frame(FrameType::settings, 0, 0, http2::number(4, 2) + http2::number(0x7fffffff, 4)) +
                    frame(FrameType::window_update, 0, 0, http2::number(0x7fff0000 - 65'535, 4)) + get(1, "/large"));
        ASSERT_TRUE(world().run_until([&] { return client.answers[1].body.size() > 300'000; }));
        client.peer().stop_reading();
        world().loop.run_for(seconds(1));
        ASSERT_LT(client.answers[1].body.size(), 20'000'000u);
        std::string last;
        for (int i = 0; ends_at_once && i < 1'100; ++i) last += frame(FrameType::ping, 0, 0, "12345678");
        if (!ends_at_once) last = http2::rst_stream(1);
        client.send(std::move(last));
        world().loop.run_for(seconds(1));
        client.peer().go_on();
        world().loop.run_for(seconds(5));
        client.peer().close_now();
    }
    EXPECT_TRUE(world().run_until([&] { return world().active_attempts() == 0; }, seconds(5)));
}

TEST_F(Http2ConnectionTest, AnIdleConnectionIsToldAndClosed) {
    Http2Client client(world());
    client.send(get(1));
    EXPECT_EQ(client.answer(1).status(), 200);
    EXPECT_TRUE(client.is_closed(seconds(90)));
    ASSERT_EQ(client.goaways.size(), 1U);
    EXPECT_EQ(client.goaways[0], std::pair(1U, 0));
}

TEST_F(Http2ConnectionTest, DrainingTakesTwoSteps) {
    respond = [](Peer&, const WireMessage&) {};
    Http2Client client(world());
    client.send(get(1));
    ASSERT_TRUE(await_requests(1));
    world().core->drain(seconds(5));
    ASSERT_TRUE(world().run_until([&] { return client.goaways.size() == 2; }, seconds(5)));
    EXPECT_EQ(client.goaways[0], std::pair(0x7fffffffU, 0));
    EXPECT_EQ(client.goaways[1], std::pair(1U, 0));
    upstream_peer(0).send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(client.answer(1).body, "ok");
    EXPECT_TRUE(client.is_closed(seconds(10)));
}

TEST_F(Http2ConnectionTest, AWebSocketOverAStream) {
    respond = [](Peer& peer, const WireMessage& request) {
        EXPECT_EQ(request.field("Upgrade"), "websocket");
        EXPECT_EQ(request.field("Sec-WebSocket-Key").size(), 24U);
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Accept: x\r\n\r\nfrom upstream");
    };
    Http2Client client(world());
    Fields fields{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"},
                  {":path", "/chat"},     {":authority", "a.test"},   {"sec-websocket-version", "13"}};
    client.send(frame(FrameType::headers, end_headers, 1, block(fields)));
    ASSERT_TRUE(world().run_until([&] { return client.answers[1].body == "from upstream"; }, seconds(5)));
    EXPECT_EQ(client.answers[1].status(), 200);
    client.send(data(1, "from client", false));
    ASSERT_TRUE(
        world().run_until([&] { return upstream_peer(0).received.ends_with("\r\n\r\nfrom client"); }, seconds(5)));
    client.send(data(1, "", true));
    upstream_peer(0).close();
    EXPECT_TRUE(client.answer(1).has_ended);
}

TEST_F(Http2ConnectionTest, AFloodEndsTheConnectionAndOthersAreServed) {
    Http2Client flood(world());
    std::string all;
    for (std::uint32_t stream = 1; stream < 2000; stream += 2) all += get(stream) + http2::rst_stream(stream);
    flood.send(all);
    EXPECT_TRUE(flood.is_closed(seconds(30)));
    ASSERT_FALSE(flood.goaways.empty());
    EXPECT_EQ(flood.goaways.back().second, 11);
    Http2Client client(world(), "192.0.2.8");
    client.send(get(1));
    EXPECT_EQ(client.answer(1).status(), 200);
}

// Any weather, any order: every answer is that of its request, and nothing is left behind.
TEST(Http2Scenario, ManyStreamsInRoughWeather) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        std::mt19937_64 random(seed);
        // Crumbs and tiny buffers, but nothing that would excuse a failure.
        auto weather = net::simulated::Weather::stormy();
        weather.refused = weather.vanished = weather.no_descriptors = weather.reset = 0;
        Settings patient;
        patient.limits.send_timeout = patient.limits.body_timeout = patient.limits.idle_timeout = std::chrono::hours(9);
        patient.limits.body_min_rate = 0;
        World world(patient, seed, weather);
        PeerListener& upstream = world.upstream("10.0.0.1:80");
        std::vector<std::unique_ptr<WireReader>> readers;
        upstream.on_peer = [&](Peer& peer) {
            readers.push_back(std::make_unique<WireReader>(WireReader::Kind::requests));
            auto answered = std::make_shared<std::size_t>(0);
            peer.on_input = [&peer, answered, reader = readers.back().get()](std::string_view bytes) {
                reader->feed(bytes);
                for (; *answered < reader->messages.size() && reader->messages[*answered].is_complete; ++*answered) {
                    const WireMessage& request = reader->messages[*answered];
                    std::string body = request.first + "|" + request.body;
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body, 1000));
                }
            };
            peer.on_end = [&peer] { peer.close(); };
        };
        Document document;
        add_route(document, "/", add_service(document, "main", "10.0.0.1"));
        Service& service = document.services[0];
        service.connect_timeout = service.read_timeout = service.write_timeout = std::chrono::hours(9);
        world.publish(std::move(document));
        {
            Http2Client client(world);
            std::map<std::uint32_t, std::string> expected;
            for (std::uint32_t stream = 1; stream < 60; stream += 2) {
                std::string path = "/" + std::to_string(stream);
                std::string body(random() % 3 == 0 ? random() % 40'000 : 0, static_cast<char>('a' + stream % 26));
                bool is_reset = random() % 8 == 0;
                if (body.empty()) {
                    client.send(get(stream, path));
                } else {
                    client.send(post(stream, path));
                    for (std::size_t at = 0; at < body.size(); at += 9'000)
                        client.send(data(stream, std::string_view(body).substr(at, 9'000), at + 9'000 >= body.size()));
                }
                if (is_reset)
                    client.send(http2::rst_stream(stream));
                else
                    expected[stream] = (body.empty() ? "GET " : "POST ") + path + " HTTP/1.1|" + body;
            }
            for (const auto& [stream, text] : expected) {
                const Http2Answer& answer = client.answer(stream, std::chrono::hours(9));
                EXPECT_EQ(answer.status(), 200) << seed << " " << stream;
                EXPECT_TRUE(answer.body == text) << seed << " " << stream;
            }
        }
        EXPECT_EQ(world.leftovers(), "") << seed;
    }
}

}  // namespace
}  // namespace gateway
