// Exchange: the data of one request and its answer, from the parsed head to the access log line. It keeps the snapshot
// it began with. Owned by the connection that serves it; one core only; reused memory, so everything is reset.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "base/uuid.h"
#include "http/message.h"
#include "net/address.h"
#include "net/time.h"
#include "observe/request_id.h"
#include "route/router.h"

namespace plugin {

// Who sent the request and where it came in.
struct ClientSide {
    net::SocketAddress remote;   // the other end of the TCP connection
    net::SocketAddress local;    // the listener's address
    net::SocketAddress address;  // the client itself: differs from `remote` behind trusted proxies (real_ip_header)
    bool is_trusted = false;     // `remote` is one of trusted_ips: its X-Forwarded-* fields count
    std::string_view scheme = "http";  // after X-Forwarded-Proto of a trusted proxy
    std::string_view forwarded_host;   // what the client called us
    std::uint16_t forwarded_port = 0;
};

// Steps of one request on the loop's clock; `never` where a step did not happen.
struct Timings {
    net::Instant started = net::never;         // first byte of the head
    net::Instant upstream_began = net::never;  // an endpoint was chosen and the request is on its way
    net::Instant connected = net::never;
    net::Instant response_head = net::never;  // of the upstream
    net::Instant finished = net::never;
};

struct Exchange {
    base::Arena arena;
    http::RequestHead request;
    std::string_view path;  // in normal form (http/path.h), without the query
    ClientSide client;
    route::Match match;
    std::array<char, observe::request_id_size> request_id{};

    http::ResponseHead response;
    std::string_view response_text;  // the body of an answer of ours; an upstream's body is streamed
    bool is_from_upstream = false;   // the response is the upstream's

    Timings timings;
    std::uint32_t tries = 0;
    net::SocketAddress upstream_address;  // of the last try
    std::uint64_t request_body_bytes = 0;
    std::uint64_t response_body_bytes = 0;

    [[nodiscard]] std::string_view id() const { return {request_id.data(), request_id.size()}; }
};

}  // namespace plugin
