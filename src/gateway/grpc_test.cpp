// Calls of gRPC through the gateway: streams in both directions, trailers, deadlines, and what a route for them
// refuses.
#include "gateway/http2_client_for_tests.h"
#include "gateway/http2_upstream_for_tests.h"

namespace gateway {
namespace {

using http2::frame;
using http2::FrameType;
using http2::TestStream;

class Grpc : public Http2UpstreamTest {
  protected:
    void SetUp() override {
        begin();
        document.routes[0].protocols.reset();
        document.routes[0].protocols.set(static_cast<std::size_t>(Protocol::grpc));
        document.routes[0].strip_path = false;
    }
    bool await_heads(std::size_t count) {
        return world().run_until([&] { return heads >= count; });
    }
    static std::string call(std::uint32_t stream, bool is_whole, const http2::Fields& more = {}) {
        http2::Fields fields = http2::get_fields("/pkg.Svc/Method", more);
        fields[0].second = "POST";
        fields.emplace_back("content-type", "application/grpc");
        fields.emplace_back("te", "trailers");
        std::uint8_t flags = http2::end_headers | (is_whole ? http2::end_stream : 0);
        return frame(FrameType::headers, flags, stream, http2::block(fields));
    }
};

TEST_F(Grpc, AnswersWithTrailersAndTrailersOnly) {
    std::string head;
    on_request = [&](Http2Upstream& connection, TestStream& stream) {
        head = stream.head;
        if (stream.number() == 1)
            return connection.answer(stream, std::string("\0\0\0\0\1x", 6), "grpc-status: 0\r\n",
                                     "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\r\n");
        connection.answer(stream, {}, {},
                          "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 12\r\n\r\n");
    };
    Http2Client client(world());
    client.send(call(1, false) + frame(FrameType::data, http2::end_stream, 1, std::string("\0\0\0\0\0", 5)));
    EXPECT_EQ(client.answer(1).body.size(), 6U);
    EXPECT_EQ(client.answer(1).heads.size(), 2U);
    EXPECT_NE(head.find("te: trailers"), head.npos) << head;
    EXPECT_TRUE(head.starts_with("POST /pkg.Svc/Method HTTP/1.1\r\n")) << head;
    client.send(call(3, true));
    EXPECT_TRUE(client.answer(3).has_ended);
    EXPECT_EQ(client.answers[3].heads.size(), 1U);
    EXPECT_EQ(client.answers[3].body, "");
}

TEST_F(Grpc, BothSidesTalkAtTheSameTime) {
    on_head = [](Http2Upstream& connection, TestStream& stream) {
        ASSERT_TRUE(connection.server.session.send_head(stream, "HTTP/1.1 200 OK\r\n\r\n", 0, true));
    };
    on_request = {};
    Http2Client client(world());
    client.send(call(1, false));
    ASSERT_TRUE(await_heads(1));
    Http2Upstream& connection = *connections[0];
    TestStream& stream = connection.server.stream(1);
    for (int i = 1; i <= 20; ++i) {
        client.send(frame(FrameType::data, 0, 1, "ping"));
        ASSERT_TRUE(
            world().run_until([&] { return stream.body.size() == static_cast<std::size_t>(4 * i); }, seconds(5)));
        stream.output += "pong";
        connection.server.session.resume(stream);
        connection.flush();
        ASSERT_TRUE(world().run_until([&] { return client.answers[1].body.size() == static_cast<std::size_t>(4 * i); },
                                      seconds(5)));
        world().loop.run_until([] { return false; }, seconds(7));
    }
    client.send(frame(FrameType::data, http2::end_stream, 1));
    ASSERT_TRUE(world().run_until([&] { return stream.has_ended; }, seconds(5)));
    connection.server.session.end_output(stream, "grpc-status: 0\r\n");
    connection.flush();
    EXPECT_TRUE(client.answer(1).has_ended);
}

TEST_F(Grpc, TheClientsDeadlineIsTheGatewaysToo) {
    on_request = {};
    Http2Client client(world());
    net::Instant began = now();
    client.send(call(1, true, {{"grpc-timeout", "300m"}}));
    EXPECT_TRUE(client.answer(1).has_ended);
    EXPECT_LE(now() - began, 1000);
    EXPECT_EQ(client.answers[1].reset, -1);
    EXPECT_EQ(client.answers[1].heads.size(), 1U);
    TestStream& stream = connections[0]->server.stream(1);
    EXPECT_TRUE(world().run_until([&] { return stream.was_closed; }, seconds(1)));
}

TEST_F(Grpc, ARouteForCallsTakesNothingElse) {
    Client client(world());
    EXPECT_EQ(client.request("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").answer().status(), 415);
    WireMessage answer =
        client.request("POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
            .answer();
    EXPECT_EQ(answer.status(), 426);
    EXPECT_EQ(answer.field("Upgrade"), "HTTP/2");
    EXPECT_EQ(heads, 0U);
}

}  // namespace
}  // namespace gateway
