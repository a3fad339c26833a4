// An upstream of a simulated world that speaks HTTP/2: a ServerSession behind each connection, and the test in the
// place of the application. What no server would send goes out as frames by hand.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gateway/client_for_tests.h"
#include "http/http2/session_for_tests.h"

namespace gateway {

// One connection to it.
struct Http2Upstream {
    Http2Upstream(Peer& on, http2::Limits limits) : peer(on), server(limits) {}
    void flush() {
        server.sent += server.pulled();
        server.look();
        if (!server.sent.empty()) peer.send(std::exchange(server.sent, {}));
    }
    void answer(http2::TestStream& stream, std::string_view body, std::string trailers = {},
                std::string_view head = "HTTP/1.1 200 OK\r\n\r\n") {
        bool has_body = !body.empty() || !trailers.empty();
        ASSERT_TRUE(server.session.send_head(stream, head, 0, has_body));
        stream.output += body;
        if (has_body) server.session.end_output(stream, std::move(trailers));
    }
    void reset(http2::TestStream& stream, http2::ErrorCode code) { server.session.reset(stream, code); }
    Peer& peer;
    http2::SessionWorld server;
    std::set<std::int32_t> seen, done;
};

class Http2UpstreamTest : public GatewayTest {
  protected:
    void begin(Settings settings = {}) {
        start(std::move(settings));
        main_service().protocol = Protocol::grpc;  // behind a route for HTTP: any message goes through
        upstream_->on_peer = [this](Peer& peer) {
            connections.push_back(std::make_unique<Http2Upstream>(peer, limits));
            Http2Upstream& connection = *connections.back();
            peer.on_input = [this, &connection](std::string_view bytes) {
                connection.server.now = now();
                connection.server.receive(bytes);
                look(connection);
                connection.flush();
            };
            peer.on_end = [&peer] { peer.close(); };
        };
    }
    // Of every stream once: its head, and its end.
    std::function<void(Http2Upstream&, http2::TestStream&)> on_head, on_request;
    http2::Limits limits;
    std::vector<std::unique_ptr<Http2Upstream>> connections;
    std::size_t heads = 0;

    [[nodiscard]] std::size_t open_connections() const {
        std::size_t count = 0;
        for (const auto& each : connections) count += each->peer.is_over() ? 0 : 1;
        return count;
    }

  private:
    void look(Http2Upstream& connection) {
        for (auto& [number, stream] : connection.server.streams) {
            if (stream->was_closed && !stream->has_ended) continue;
            if (!stream->head.empty() && connection.seen.insert(number).second) {
                ++heads;
                if (on_head) on_head(connection, *stream);
            }
            if (stream->has_ended && !stream->was_closed && connection.done.insert(number).second && on_request)
                on_request(connection, *stream);
        }
    }
};

}  // namespace gateway
