// Probes of gRPC's health service on the simulated loop: what each answer says, and servers that break off, lie or are
// silent. Those of HTTP/1.1 are in health_checker_test.cpp.
#include "gateway/health_probe.h"

#include <gtest/gtest.h>

#include "gateway/http2_upstream_for_tests.h"
#include "gateway/world_for_tests.h"

namespace gateway {
namespace {

using http2::TestStream;
using std::chrono::milliseconds;
using std::chrono::seconds;
using upstream::Finding;
using upstream::FoundBy;

constexpr std::string_view at = "10.0.0.1:80";
constexpr std::string_view head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n\r\n";

std::string message(std::string_view bytes) {
    return std::string("\0\0\0\0", 4) + static_cast<char>(bytes.size()) + std::string(bytes);
}

class HealthProbeTest : public testing::Test {
  protected:
    HealthProbeTest() {
        rules.type = upstream::ProbeType::grpc;
        rules.request = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nTE: trailers\r\n";
        listener = &world.upstream(std::string(at));
        listener->on_peer = [this](Peer& peer) {
            connections.push_back(std::make_unique<Http2Upstream>(peer, http2::Limits{}));
            Http2Upstream& connection = *connections.back();
            peer.on_input = [this, &connection](std::string_view bytes) {
                connection.server.now = world.loop.now();
                connection.server.receive(bytes);
                for (auto& [number, stream] : connection.server.streams)
                    if (stream->has_ended && !stream->was_closed && connection.done.insert(number).second && on_call)
                        on_call(connection, *stream);
                connection.flush();
            };
            peer.on_end = [&peer] { peer.close(); };
        };
        UpstreamSpec spec;
        spec.id = spec.name = "u";
        spec.targets.push_back({"10.0.0.1", 80, 100});
        live = world.live.acquire(std::move(spec));
        endpoint = live->plan()->endpoints()[0];
        probe = std::make_unique<HealthProbe>(world.loop, metrics);
    }
    ~HealthProbeTest() override {
        asking = {};
        probe.reset();
        EXPECT_EQ(world.leftovers(), "");
    }
    base::Task<void> ask_once() {
        reason = co_await probe->ask(rules, endpoint);
        is_done = true;
    }
    upstream::HealthReason ask() {
        is_done = false;
        asking = ask_once();
        asking.start();
        EXPECT_TRUE(world.run_until([&] { return is_done; }, seconds(10)));
        return reason;
    }
    void answers(std::string body, std::string trailers, std::string_view with = head) {
        on_call = [=](Http2Upstream& connection, TestStream& stream) {
            last_head = stream.head;
            last_body = stream.body;
            connection.answer(stream, body, trailers, with);
        };
    }

    World world;
    observe::CoreMetrics metrics;
    PeerListener* listener = nullptr;
    std::vector<std::unique_ptr<Http2Upstream>> connections;
    std::function<void(Http2Upstream&, TestStream&)> on_call;
    std::string last_head, last_body;
    upstream::ActiveRules rules;
    std::shared_ptr<LiveUpstream> live;
    upstream::Endpoint endpoint;
    std::unique_ptr<HealthProbe> probe;
    upstream::HealthReason reason;
    bool is_done = false;
    base::Task<void> asking;
};

TEST_F(HealthProbeTest, AsksForTheWholeServerOnOneConnection) {
    answers(message("\x08\x01"), "grpc-status: 0\r\n");
    for (int i = 0; i < 3; ++i) {
        upstream::HealthReason said = ask();
        EXPECT_EQ(said.found_by, FoundBy::probe);
        EXPECT_EQ(said.finding, Finding::success);
    }
    EXPECT_EQ(connections.size(), 1U);
    EXPECT_TRUE(last_head.starts_with("POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: 10.0.0.1\r\n")) << last_head;
    EXPECT_EQ(last_body, message(""));
}

TEST_F(HealthProbeTest, OnlyServingIsInService) {
    struct Case {
        std::string body, trailers;
        Finding expected;
    };
    for (const Case& each : {
             Case{message("\x08\x02"), "grpc-status: 0\r\n", Finding::http_failure},  // NOT_SERVING
             Case{message("\x08\x03"), "grpc-status: 0\r\n", Finding::http_failure},  // SERVICE_UNKNOWN
             Case{message(""), "grpc-status: 0\r\n", Finding::http_failure},          // UNKNOWN
             Case{"", "grpc-status: 12\r\n", Finding::success},                       // there is no such service
             Case{"", "grpc-status: 14\r\n", Finding::http_failure},
             Case{message("\x08\x01"), "grpc-status: 13\r\n", Finding::http_failure},
             Case{message("\x08\x01"), "x: y\r\n", Finding::http_failure},
             Case{"garbage", "grpc-status: 0\r\n", Finding::http_failure},
             Case{message("\x08\x01") + "more", "grpc-status: 0\r\n", Finding::http_failure},
         }) {
        answers(each.body, each.trailers);
        EXPECT_EQ(ask().finding, each.expected) << each.body << each.trailers;
    }
    answers("", "", "HTTP/1.1 200 OK\r\ngrpc-status: 12\r\n\r\n");  // trailers only
    EXPECT_EQ(ask().finding, Finding::success);
    answers("", "", "HTTP/1.1 404 Not Found\r\n\r\n");
    upstream::HealthReason said = ask();
    EXPECT_EQ(said.finding, Finding::http_failure);
    EXPECT_EQ(said.status, 404);
    EXPECT_EQ(connections.size(), 1U);
}

TEST_F(HealthProbeTest, AnAnswerWithoutEndIsReadNoFurther) {
    answers(std::string(100'000, 'x'), "grpc-status: 0\r\n");
    EXPECT_EQ(ask().finding, Finding::http_failure);
    answers(message("\x08\x01"), "grpc-status: 0\r\n");
    EXPECT_EQ(ask().finding, Finding::success);
}

TEST_F(HealthProbeTest, SilenceIsATimeout) {
    on_call = {};
    net::Instant began = world.loop.now();
    EXPECT_EQ(ask().finding, Finding::timeout);
    EXPECT_NEAR(static_cast<double>(world.loop.now() - began), 1'000, 20);
    answers(message("\x08\x01"), "grpc-status: 0\r\n");
    EXPECT_EQ(ask().finding, Finding::success);
}

TEST_F(HealthProbeTest, AConnectionThatWentAwayWhileItSleptSaysNothing) {
    answers(message("\x08\x01"), "grpc-status: 0\r\n");
    EXPECT_EQ(ask().finding, Finding::success);
    connections[0]->peer.close();
    EXPECT_EQ(ask().finding, Finding::success);
    EXPECT_EQ(connections.size(), 2U);
}

TEST_F(HealthProbeTest, ARefusedStreamIsAskedOnceMore) {
    on_call = [](Http2Upstream& connection, TestStream& stream) {
        connection.reset(stream, http2::ErrorCode::refused_stream);
    };
    EXPECT_EQ(ask().finding, Finding::tcp_failure);
    EXPECT_EQ(connections[0]->done.size(), 2U);
}

TEST_F(HealthProbeTest, WhoSpeaksNoHttp2Fails) {
    listener->on_peer = [](Peer& peer) {
        peer.on_input = [&peer](std::string_view) {
            peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        };
        peer.on_end = [&peer] { peer.close(); };
    };
    EXPECT_EQ(ask().finding, Finding::http_failure);
}

TEST_F(HealthProbeTest, NobodyThereFails) {
    listener->stop();
    EXPECT_EQ(ask().finding, Finding::tcp_failure);
}

// The checker forgets an endpoint in the middle of its probe.
TEST_F(HealthProbeTest, ItMayBeDroppedAnyTime) {
    for (int steps : {0, 1, 2, 3, 5, 8, 13}) {
        asking = ask_once();
        asking.start();
        world.loop.run_for(milliseconds(steps));
        asking = {};
        probe = std::make_unique<HealthProbe>(world.loop, metrics);
    }
}

}  // namespace
}  // namespace gateway
