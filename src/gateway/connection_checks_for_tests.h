// check_connection: a client that sends anything, in any pieces, to a whole gateway with one upstream that echoes
// bodies. The upstream must see well-formed requests only, and nothing may be left behind. The first byte chooses how
// the rest is cut and whether the client closes behind it. For the fuzz target and the test that replays its seeds.
#pragma once

#include <cstdint>

#include "gateway/world_for_tests.h"

namespace gateway {

struct Echo {
    Peer* peer;
    WireReader reader{WireReader::Kind::requests};
    std::size_t at = 0;
};

inline void answer(Echo& echo, std::string_view bytes) {
    echo.reader.feed(bytes);
    ensure(echo.reader.fault.empty(), echo.reader.fault);
    while (echo.at < echo.reader.messages.size() && echo.reader.messages[echo.at].is_complete) {
        const WireMessage& request = echo.reader.messages[echo.at++];
        bool is_head = request.method() == "HEAD";
        bool is_chunked = request.framing == WireMessage::Framing::chunked;
        std::string head = "HTTP/1.1 200 OK\r\n";
        head += is_chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                           : "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n";
        std::string body = is_chunked ? chunked(request.body, 100) : request.body;
        echo.peer->send(head + (is_head ? "" : body));
    }
}

inline void check_connection(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.size() > 64 * 1024) return;
    auto manner = static_cast<std::uint8_t>(bytes[0]);
    std::string_view input = bytes.substr(1);

    Settings settings;
    settings.limits.body_bytes = 32 * 1024;
    World world(settings, manner);
    std::vector<std::unique_ptr<Echo>> echoes;
    world.upstream("10.0.0.1:80").on_peer = [&](Peer& peer) {
        echoes.push_back(std::make_unique<Echo>(Echo{&peer}));
        peer.on_input = [&echo = *echoes.back()](std::string_view bytes) { answer(echo, bytes); };
        peer.closes_at_end = true;
    };
    Document document;
    add_route(document, "/", add_service(document, "echo", "10.0.0.1"));
    world.publish(std::move(document));

    Peer& client = world.client();
    client.closes_at_end = true;
    std::size_t piece = manner % 8 == 0 ? input.size() : manner % 8 * std::size_t{7};
    for (std::size_t at = 0; at < input.size(); at += piece) {
        client.send(std::string(input.substr(at, piece)));
        if (piece < input.size() && input.size() < 2'000) client.pause(net::Milliseconds(manner % 3));
    }
    if (manner & 0x40) client.finish();
    if (manner & 0x80) client.close();
    world.run_until([&] { return client.is_over() && world.process.connections() == 0; }, std::chrono::hours(2));
    ensure(world.process.connections() == 0);
    // Answers are status lines and what belongs to them; which method each is for, only the gateway knows.
    std::string_view begins = std::string_view(client.received).substr(0, 9);
    ensure(std::string_view("HTTP/1.1 ").starts_with(begins), begins);
    std::string left = world.leftovers();
    ensure(left.empty(), left);
}

}  // namespace gateway
