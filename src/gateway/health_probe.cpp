#include "gateway/health_probe.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "gateway/body_relay.h"
#include "gateway/head_reader.h"
#include "http/http1/parse.h"
#include "upstream/http2_pool.h"
#include "upstream/http2_stream.h"

namespace gateway {

using base::Code;
using base::Error;
using base::Result;
using base::Task;
using upstream::ActiveRules;
using upstream::Endpoint;
using upstream::Finding;
using upstream::FoundBy;
using upstream::HealthReason;
using upstream::ProbeType;

namespace {

constexpr std::uint64_t most_body = 64 * 1024;  // of an answer, read so that the connection can be used again
constexpr std::size_t most_message = 1024;      // of a gRPC health service, which says one small number

HealthReason found(Finding finding, int status = 0) {
    return {FoundBy::probe, finding, static_cast<std::uint16_t>(status)};
}

HealthReason reason_of(net::IoStatus status) {
    return found(status == net::IoStatus::timed_out ? Finding::timeout : Finding::tcp_failure);
}

HealthReason reason_of(const Error& error) {
    if (error.source == base::Source::us) return {};  // out of descriptors: says nothing of the endpoint
    if (error.code == Code::malformed) return found(Finding::http_failure);
    return found(error.code == Code::timed_out ? Finding::timeout : Finding::tcp_failure);
}

std::string request_for(const ActiveRules& rules, const Endpoint& endpoint) {
    std::string host = rules.host_header;
    if (host.empty()) {
        host = endpoint.host;
        if (endpoint.port != (rules.tls ? 443 : 80)) host += ':' + std::to_string(endpoint.port);
    }
    return rules.request + "Host: " + host + "\r\n\r\n";
}

// The name that is asked for and held to: https_sni, else that of Host (kong.md 7.5).
std::string server_name_for(const ActiveRules& rules, const Endpoint& endpoint) {
    if (!rules.tls->server_name.empty()) return rules.tls->server_name;
    std::string_view host = rules.host_header;
    if (host.empty()) return endpoint.host;
    if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
    std::size_t colon = host.find(':');
    return std::string(host.find(':', colon + 1) == host.npos ? host.substr(0, colon) : host);
}

// A HealthCheckResponse says in its field 1 whether it serves (1). Nothing: it is no such message.
std::optional<bool> says_serving(std::string_view body) {
    constexpr std::size_t prefix = 5;  // not compressed, and the length in four bytes
    if (body.size() < prefix || body[0] != 0) return {};
    std::size_t size = 0;
    for (char c : body.substr(1, 4)) size = size << 8 | static_cast<unsigned char>(c);
    body.remove_prefix(prefix);
    if (body.size() != size) return {};
    // Protocol Buffers: a varint field 1, if it is there; the status is UNKNOWN (0) without it.
    if (body.empty()) return false;
    if (body[0] != 0x08 || body.size() < 2) return {};
    return body[1] == 0x01;
}

struct Answer {
    HeadReader reader{http1::MessageKind::response};
    http::ResponseHead head;
    bool is_sound = true;
};

Task<net::IoStatus> read_head(net::Socket& socket, net::Instant deadline, Answer& answer) {
    const http1::Limits limits;
    HeadReader::State state = HeadReader::State::more;
    while (state == HeadReader::State::more) {
        net::Received received = co_await socket.receive(deadline);
        if (received.status != net::IoStatus::ok) co_return received.status;
        state = answer.reader.take(std::move(received.slice), socket.loop().buffers(), limits);
    }
    answer.is_sound = state == HeadReader::State::complete &&
                      http1::parse_response_head(answer.reader.head(), limits, http::Method::get, answer.head) ==
                          http1::Fault::none &&
                      answer.head.status >= 200;
    co_return net::IoStatus::ok;
}

// In service: who serves, and who has no such service but answers calls. Kong asks for no more than a connection.
HealthReason judge(const http::ResponseHead& head, const upstream::Trailers& trailers, std::string_view body) {
    constexpr std::string_view ok = "0", unimplemented = "12";
    if (head.status != 200) return found(Finding::http_failure, head.status);
    std::string_view status = trailers.fields.first("grpc-status");
    if (status.empty()) status = head.headers.first("grpc-status");  // an answer without a message
    if (status == unimplemented) return found(Finding::success, head.status);
    bool is_serving = status == ok && says_serving(body).value_or(false);
    return found(is_serving ? Finding::success : Finding::http_failure, head.status);
}

}  // namespace

HealthProbe::~HealthProbe() = default;

Task<HealthReason> HealthProbe::ask(const ActiveRules& rules, const Endpoint& endpoint) {
    // Another trust or address would not have made what is kept.
    std::string key = endpoint.address.text() + '|' + std::to_string(static_cast<int>(rules.type));
    if (rules.tls) key += '|' + rules.tls->trust + '|' + server_name_for(rules, endpoint);
    if (key != kept_for_) {
        socket_.reset();
        pool_.reset();
        kept_for_ = std::move(key);
    }
    net::Instant deadline = net::after(loop_.now(), rules.timeout);
    if (rules.type == ProbeType::grpc) co_return co_await ask_grpc(rules, endpoint, deadline);
    co_return co_await ask_http1(rules, endpoint, deadline);
}

namespace {

Result<upstream::ConnectOrder> order_for(const ActiveRules& rules, const Endpoint& endpoint, net::Milliseconds time) {
    upstream::ConnectOrder out{time, nullptr, {}};
    if (!rules.tls) return out;
    out.session = rules.tls->context.session(server_name_for(rules, endpoint), rules.tls->verify);
    if (!out.session) return Error::upstream(Code::refused, base::Retry::never, "TLS: no server can have that name");
    if (rules.type == ProbeType::grpc)
        net::tls::ClientContext::offer(out.session, net::tls::ClientContext::Offer::http2);
    return out;
}

}  // namespace

// ---- HTTP/1.1, and connections alone

Task<Result<void>> HealthProbe::connect(const ActiveRules& rules, const Endpoint& endpoint, net::Instant deadline) {
    socket_.reset();
    Result<upstream::ConnectOrder> order = order_for(rules, endpoint, net::Milliseconds(deadline - loop_.now()));
    if (!order) co_return std::move(order).error();
    auto made = co_await upstream::connect(loop_, endpoint.address, std::move(*order), metrics_);
    if (!made) co_return std::move(made).error();
    socket_ = std::move(made->socket);
    co_return base::success();
}

Task<HealthReason> HealthProbe::ask_http1(const ActiveRules& rules, const Endpoint& endpoint, net::Instant deadline) {
    bool is_reused = socket_ && !socket_->has_input() && !socket_->input_ended();
    std::string request = request_for(rules, endpoint);
    while (true) {
        if (!is_reused) {
            Result<void> connected = co_await connect(rules, endpoint, deadline);
            if (!connected) co_return reason_of(connected.error());
        }
        if (rules.type == ProbeType::tcp) {
            socket_.reset();
            co_return found(Finding::success);
        }
        net::SocketPtr socket = std::move(socket_);  // goes back only after an answer that ended well
        net::Draft draft(loop_.buffers().at_least(request.size()));
        draft.append(request);
        net::IoStatus status = co_await socket->send(std::move(draft).finish(), deadline);
        Answer answer;
        if (status == net::IoStatus::ok) status = co_await read_head(*socket, deadline, answer);
        if (status != net::IoStatus::ok) {
            // A server may close a connection that has slept long enough, just now: that is no failure.
            if (std::exchange(is_reused, false) && status != net::IoStatus::timed_out) continue;
            co_return reason_of(status);
        }
        const http::ResponseHead& head = answer.head;
        if (!answer.is_sound) co_return found(Finding::http_failure);
        HealthReason reason{FoundBy::nobody, Finding::success, static_cast<std::uint16_t>(head.status)};
        if (auto finding = rules.statuses.finding(head.status)) reason = found(*finding, head.status);
        bool has_end = head.framing != http::BodyFraming::until_close;
        bool keeps_alive = head.keep_alive && has_end;
        socket->unread(answer.reader.rest());
        BodyRelay body;
        body.start(head.framing, head.content_length, limits_, http::BodyFraming::none, TrailerChoice::drop);
        net::Assembler dropped(loop_.buffers());
        while (keeps_alive && !body.is_done() && head.framing != http::BodyFraming::none) {
            net::Received received = co_await socket->receive(deadline);
            keeps_alive = received.status == net::IoStatus::ok && body.feed(received.slice, dropped) &&
                          body.received() <= most_body && (received.slice.empty() || body.is_done());
            if (keeps_alive) socket->unread(std::move(received.slice));
            dropped.finish().clear();
        }
        if (keeps_alive && !socket->has_input()) socket_ = std::move(socket);
        co_return reason;
    }
}

// ---- gRPC

Task<Result<upstream::LinkPtr>> HealthProbe::obtain_stream(const ActiveRules& rules, const Endpoint& endpoint,
                                                           net::Instant deadline) {
    if (!pool_) pool_ = std::make_unique<upstream::Pool>(loop_, endpoint.address, pool_limits_);
    upstream::Http2Pool& shared = pool_->http2(http2_limits_, metrics_);
    using Kind = upstream::Http2Pool::Outcome::Kind;
    while (true) {
        if (upstream::LinkPtr link = shared.take()) co_return link;
        if (shared.wants_connection()) {
            auto order = order_for(rules, endpoint, net::Milliseconds(deadline - loop_.now()));
            if (!order) co_return std::move(order).error();
            shared.connect(std::move(*order), upstream::Http2Pool::Fallback::none);
        }
        upstream::Http2Pool::Outcome outcome = co_await shared.wait(deadline);
        if (outcome.link) co_return std::move(outcome.link);
        if (outcome.kind == Kind::failed) co_return std::move(*outcome.error);
        if (outcome.kind == Kind::timed_out)
            co_return Error::upstream(Code::timed_out, base::Retry::never, "no HTTP/2 connection in time");
    }
}

Task<HealthReason> HealthProbe::ask_grpc(const ActiveRules& rules, const Endpoint& endpoint, net::Instant deadline) {
    constexpr std::string_view empty_message("\0\0\0\0\0", 5);  // a HealthCheckRequest for the whole server
    std::string request = request_for(rules, endpoint);
    for (bool is_first = true;; is_first = false) {
        Result<upstream::LinkPtr> obtained = co_await obtain_stream(rules, endpoint, deadline);
        if (!obtained) co_return reason_of(obtained.error());
        upstream::Trailers trailers;  // the link, which writes into them, dies first
        upstream::LinkPtr link = std::move(*obtained);
        link->stream->trailers_into(&trailers);
        Answer answer;
        std::string body;
        net::IoStatus status = net::IoStatus::reset;
        if (link->stream->begin(request, rules.tls ? "https" : "http", true)) {
            net::Draft draft(loop_.buffers().at_least(empty_message.size()));
            draft.append(empty_message);
            net::Pieces pieces;
            pieces.push(std::move(draft).finish());
            link->socket->start_send(pieces, deadline);
            link->stream->end_output({});
            status = co_await read_head(*link->socket, deadline, answer);
        }
        if (status == net::IoStatus::ok && answer.is_sound) {
            link->socket->unread(answer.reader.rest());
            while (status == net::IoStatus::ok && body.size() <= most_message) {
                net::Received received = co_await link->socket->receive(deadline);
                status = received.status;
                if (status == net::IoStatus::ok) body += received.slice.text();
            }
            if (status == net::IoStatus::ended) status = net::IoStatus::ok;
        }
        if (status == net::IoStatus::timed_out) link->stream->cast_doubt();
        // The connection may have gone away while it slept: that says nothing.
        bool is_stale =
            status != net::IoStatus::ok && status != net::IoStatus::timed_out && is_first && link->is_reused();
        if (is_stale || (is_first && link->stream->fate() == http2::Fate::unprocessed)) continue;
        if (link->stream->fate() == http2::Fate::malformed || !answer.is_sound || body.size() > most_message)
            co_return found(Finding::http_failure);
        if (status != net::IoStatus::ok) co_return reason_of(status);
        co_return judge(answer.head, trailers, body);
    }
}

}  // namespace gateway
