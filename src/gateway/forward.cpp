#include "gateway/forward.h"

#include <algorithm>
#include <utility>

#include "gateway/connection_turn.h"
#include "gateway/hash_input.h"
#include "gateway/head_reader.h"
#include "gateway/heads.h"
#include "gateway/obtain_link.h"
#include "gateway/relay.h"
#include "gateway/request_body.h"
#include "http/http1/parse.h"
#include "http/path.h"
#include "http/status.h"
#include "observe/log.h"

namespace gateway {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Retry;
using base::Task;
using observe::Counter;

constexpr net::Instant pending_check = 5;   // ms between two looks at endpoints whose names are still being resolved
constexpr int most_interim_responses = 16;  // before the final one; an upstream that sends more is broken

Error lost_error(net::IoStatus status, const char* doing) {
    Code code = status == net::IoStatus::timed_out ? Code::timed_out : Code::reset;
    return Error::upstream(code, Retry::idempotent, std::string(doing) + ": " + std::string(name(status)));
}

// A stream may have ended without having been looked at: then sending it again is sending it once (RFC 9113 8.7).
// TLS 1.3 tells only after the handshake what the server thinks of our certificate.
Error lost_error(const Transaction& transaction, net::IoStatus status, const char* doing) {
    if (status == net::IoStatus::timed_out && transaction.core.loop.now() >= transaction.deadline)
        return Error::client(Code::timed_out, std::string(doing) + ": the client's deadline has passed", 504);
    if (const upstream::Http2Stream* stream = transaction.link->stream;
        stream != nullptr && status != net::IoStatus::timed_out) {
        if (stream->fate() == http2::Fate::unprocessed)
            return Error::upstream(Code::reset, Retry::always,
                                   std::string(doing) + ": the upstream refused the stream");
        if (stream->fate() == http2::Fate::malformed) {
            transaction.core.metrics.add(Counter::upstream_malformed);
            return Error::upstream(Code::malformed, Retry::never, std::string(doing) + ": broken HTTP/2");
        }
    }
    const net::tls::Layer* tls = transaction.link->tls;
    if (tls == nullptr || tls->failure().empty()) return lost_error(status, doing);
    return Error::upstream(Code::reset, Retry::idempotent, "TLS: " + tls->failure());
}

// ---- where to

// Names may have moved since an attempt: the endpoints that it has tried have other numbers then.
void renumber(AttemptLog& log, const EndpointView& before, const EndpointView& now) {
    std::span<const upstream::Endpoint> endpoints = now.balancer->plan().endpoints();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < log.count; ++i) {
        auto same =
            std::ranges::find(endpoints, before.balancer->endpoint(log.tried[i]).state, &upstream::Endpoint::state);
        if (same != endpoints.end()) log.tried[kept++] = static_cast<std::uint32_t>(same - endpoints.begin());
    }
    log.count = kept;
}

// Nothing while names are still being resolved.
std::optional<Result<void>> try_pick(Transaction& transaction, AttemptLog& log) {
    const ServedUpstream& upstream = transaction.snapshot->shared().upstreams[transaction.served_service().upstream];
    upstream::PickInput input;
    if (upstream.hash.on != upstream::HashSource::none) input.hash = hash_input(transaction, upstream.hash);
    input.now = transaction.core.loop.now();
    std::shared_ptr<EndpointView> before = std::move(transaction.endpoints);
    transaction.endpoints = transaction.snapshot->view(transaction.served_service().upstream);
    if (log.count > 0 && before != transaction.endpoints) renumber(log, *before, *transaction.endpoints);
    input.tried = std::span(log.tried.data(), log.count);
    upstream::Balancer& balancer = *transaction.endpoints->balancer;
    if (auto index = upstream.live->is_open() ? balancer.pick(input) : std::nullopt) {
        transaction.endpoint = *index;
        return base::success();
    }
    const upstream::EndpointSet& set = balancer.plan().set();
    if (set.is_pending()) return {};
    transaction.core.metrics.add(Counter::no_endpoint);
    return set.nothing_to_pick();
}

Task<Result<void>> pick_when_resolved(Transaction& transaction, AttemptLog& log) {
    Core& core = transaction.core;
    net::Instant deadline = net::after(core.loop.now(), transaction.served_service().connect_timeout);
    while (core.loop.now() < deadline) {
        co_await net::sleep_until(core.loop, core.loop.now() + pending_check);
        if (auto picked = try_pick(transaction, log)) co_return std::move(*picked);
    }
    core.metrics.add(Counter::no_endpoint);
    co_return Error::us(Code::resolver_failed, "no answer from the resolver within connect_timeout");
}

std::string_view target_for(Transaction& transaction) {
    base::Arena& arena = transaction.arena;
    const ServedRoute& route = transaction.served_route();
    std::string_view path = transaction.upstream_path;
    if (path.empty())
        path = route::upstream_path(transaction.served_service().path, transaction.path, transaction.match.matched_path,
                                    route.strip_path ? route::StripPath::yes : route::StripPath::no,
                                    route.path_handling, arena);
    path = http::escape_path(path, arena);
    if (transaction.request.has_query)
        path = arena.join(path, "?", http::escape_query(transaction.request.query, arena));
    transaction.upstream_target = path;
    return path;
}

// ---- the request

// Everything that is in hand of the body, kept for another attempt while that is small.
bool add_body_in_hand(Transaction& transaction, net::Assembler& out) {
    net::Socket& client = transaction.client_socket;
    std::size_t held = 0;
    while (!transaction.request_body.is_done() && client.has_input() && !out.is_full() &&
           held < Transaction::most_replayed) {
        net::Slice input = client.take_input().slice;
        net::Slice whole = input;
        bool is_sound = transaction.request_body.feed(input, out);
        std::size_t used = whole.size() - input.size();
        held += used;
        if (used > 0) transaction.replay.push_back(whole.part(0, used));
        client.unread(std::move(input));
        if (!is_sound) return false;
    }
    // The end of a stream is there as well: then the request goes out whole, and can be sent again.
    if (transaction.arriving_framing() == http::BodyFraming::until_close && !client.has_input() &&
        client.input_end() == net::IoStatus::ended)
        return transaction.request_body.end_of_input(out);
    return true;
}

// Sends what of the body came later; runs beside the wait for the response, and wakes it at its end.
Companion pump_request_body(Transaction& transaction) {
    const Limits& limits = transaction.core.settings.limits;
    RelayLimits relay_limits{limits.body_timeout, transaction.served_service().write_timeout,
                             most_body_bytes(transaction), limits.body_min_rate, limits.body_min_rate_after};
    Task<RelayEnd> relaying =
        relay(transaction.client_socket, transaction.request_body, *transaction.link->socket, relay_limits);
    transaction.pump_end = co_await std::move(relaying);
    transaction.is_request_through = transaction.pump_end->kind == RelayEnd::Kind::done;
}

// The same on a stream, which may take even what is in hand only as fast as the upstream reads.
Companion pump_to_stream(Transaction& transaction) {
    net::Socket& socket = *transaction.link->socket;
    const Limits& limits = transaction.core.settings.limits;
    net::Milliseconds write_timeout = transaction.served_service().write_timeout;
    RelayLimits relay_limits{limits.body_timeout, write_timeout, most_body_bytes(transaction), limits.body_min_rate,
                             limits.body_min_rate_after};
    if (transaction.is_grpc) {
        // Either side of a call may be silent for long; read_timeout bounds what the other one bears.
        relay_limits.read_timeout = std::max(limits.body_timeout, transaction.served_service().read_timeout);
        relay_limits.least_rate = 0;
    }
    net::IoStatus sent = co_await socket.sent();
    RelayEnd end;
    if (sent != net::IoStatus::ok) {
        end = {RelayEnd::Kind::sink_lost, sent};
    } else if (!transaction.request_body.is_done() && !transaction.own_request_body && transaction.has_request_body()) {
        Task<RelayEnd> relaying = relay(transaction.client_socket, transaction.request_body, socket, relay_limits);
        end = co_await std::move(relaying);
        if (end.kind == RelayEnd::Kind::done)
            transaction.link->stream->end_output(transaction.request_body.trailer_lines());
    }
    transaction.pump_end = end;
    transaction.is_request_through = end.kind == RelayEnd::Kind::done;
}

// `body`: what of it is in hand.
Task<Result<void>> send_on_stream(Transaction& transaction, net::Slice head, net::Assembler& body, bool has_more) {
    Core& core = transaction.core;
    net::Socket& socket = *transaction.link->socket;
    upstream::Http2Stream& stream = *transaction.link->stream;
    bool has_body = has_more || !body.empty();
    std::string trailers = has_more || transaction.own_request_body ? "" : transaction.request_body.trailer_lines();
    bool is_begun =
        stream.begin(head.text(), transaction.served_service().tls ? "https" : "http", has_body || !trailers.empty());
    head.reset();
    if (!is_begun) co_return lost_error(transaction, net::IoStatus::reset, "send");
    if (!body.empty())
        socket.start_send(body.finish(), net::after(core.loop.now(), transaction.served_service().write_timeout));
    if (!has_more && (has_body || !trailers.empty())) stream.end_output(std::move(trailers));
    if (has_more) {
        transaction.is_replayable = false;
        transaction.replay.clear();
        if (transaction.request.expect_continue && !transaction.asked_to_continue) {
            Result<void> asked = co_await ask_for_body(transaction);
            if (!asked) co_return std::move(asked);
        }
    } else if (socket.is_send_settled()) {
        transaction.is_request_through = true;
        co_return base::success();
    }
    transaction.pump_end.reset();
    transaction.request_pump = pump_to_stream(transaction);
    transaction.request_pump.start(socket);
    co_return base::success();
}

Task<Result<void>> send_request(Transaction& transaction, AttemptLog& log) {
    Core& core = transaction.core;
    const http::RequestHead& request = transaction.request;
    net::Socket& socket = *transaction.link->socket;
    transaction.is_request_through = false;
    net::Assembler out(core.loop.buffers());
    if (auto added =
            add_upstream_head(transaction, target_for(transaction), host_for(transaction), request.framing, out);
        !added)
        co_return std::move(added).error();
    net::Slice head;  // takes its own way to a stream
    if (transaction.link->stream != nullptr) {
        core.metrics.add(Counter::upstream_bytes_sent, out.bytes());
        head = std::move(out.finish().front());
        out.finish().clear();
    }
    bool has_more = false;
    if (transaction.own_request_body) {
        out.copy(*transaction.own_request_body);
    } else if (transaction.has_request_body()) {
        put_body_back(transaction);
        // A stream's end is the end of its body.
        bool ends_with_stream = transaction.link->stream != nullptr && request.framing == http::BodyFraming::chunked;
        transaction.request_body.start(transaction.arriving_framing(), request.content_length, core.client_limits,
                                       ends_with_stream ? http::BodyFraming::until_close : request.framing,
                                       TrailerChoice::pass);
        if (!add_body_in_hand(transaction, out)) co_return http1::client_error(transaction.request_body.fault());
        std::uint64_t most = most_body_bytes(transaction);
        if (most != 0 && transaction.request_body.received() > most) co_return body_too_large();
        has_more = !transaction.request_body.is_done();
    }
    core.metrics.add(Counter::upstream_bytes_sent, out.bytes());
    log.progress.request_sent = true;
    if (transaction.link->stream != nullptr)
        co_return co_await send_on_stream(transaction, std::move(head), out, has_more);
    net::IoStatus status =
        co_await socket.send(out.finish(), net::after(core.loop.now(), transaction.served_service().write_timeout));
    // A server may answer and close before it has read everything: what it said counts more than the failed send.
    if (status != net::IoStatus::ok && !socket.has_input()) co_return lost_error(transaction, status, "send");
    transaction.is_request_through = status == net::IoStatus::ok && !has_more;
    if (status != net::IoStatus::ok || !has_more) co_return base::success();
    transaction.is_replayable = false;
    transaction.replay.clear();
    if (request.expect_continue && !transaction.asked_to_continue) {
        Result<void> asked = co_await ask_for_body(transaction);
        if (!asked) co_return std::move(asked);
    }
    transaction.pump_end.reset();
    transaction.request_pump = pump_request_body(transaction);
    transaction.request_pump.start(socket);
    co_return base::success();
}

// ---- the response

// While an upstream thinks, notices that the client has broken its connection: the upstream need not go on for nobody.
// A client that has only closed its sending half still waits for the answer.
class ClientWatch {
  public:
    explicit ClientWatch(Transaction& transaction) : transaction_(transaction) {
        if (!transaction.has_client) return;
        net::Socket& client = transaction.client_socket;
        if (transaction.request_pump.is_running() || client.has_input() || client.input_ended()) return;
        is_watching_ = true;
        client.on_input({&ClientWatch::woken, this}, net::never);
    }
    ClientWatch(const ClientWatch&) = delete;
    ~ClientWatch() {
        if (is_watching_) transaction_.client_socket.forget_input_waiter();
    }
    [[nodiscard]] bool is_gone() const {
        if (!transaction_.has_client) return false;
        net::IoStatus end = transaction_.client_socket.input_end();
        return end == net::IoStatus::reset || end == net::IoStatus::failed;
    }

  private:
    static void woken(void* self) {
        auto& watch = *static_cast<ClientWatch*>(self);
        watch.is_watching_ = false;
        if (watch.is_gone()) watch.transaction_.link->socket->interrupt();
    }
    Transaction& transaction_;
    bool is_watching_ = false;
};

// What ended the request's body before its end, if that was the client's doing.
std::optional<Error> broken_request(const Transaction& transaction) {
    using Kind = RelayEnd::Kind;
    if (!transaction.pump_end || transaction.pump_end->kind == Kind::done) return {};
    // The upstream stopped reading: it may still say why.
    if (transaction.pump_end->kind == Kind::sink_lost) return {};
    return body_error(*transaction.pump_end, transaction.request_body.fault());
}

// A stream ends by itself: an answer that ends with its head has no body, whatever its length would be in HTTP/1.1.
void frame_stream(Transaction& transaction) {
    http::ResponseHead& response = transaction.response;
    transaction.response_body.trailers_from(transaction.response_trailers ? &transaction.response_trailers->fields
                                                                          : nullptr);
    if (transaction.link->stream == nullptr) return;
    response.reason = http::reason_phrase(response.status);  // HTTP/2 has none
    if (!transaction.link->stream->is_answer_whole()) return;
    if (response.framing != http::BodyFraming::until_close) return;
    response.framing = transaction.stream != nullptr ? http::BodyFraming::none : http::BodyFraming::length;
    response.content_length = 0;
}

Task<Result<void>> read_response_head(Transaction& transaction, AttemptLog& log) {
    Core& core = transaction.core;
    net::Socket& socket = *transaction.link->socket;
    for (int interim = 0;; ++interim) {
        HeadReader reader(http1::MessageKind::response);
        HeadReader::State state = HeadReader::State::more;
        net::Instant deadline = transaction.deadline;
        while (state == HeadReader::State::more) {
            // The upstream's time to answer begins when it has the whole request.
            bool is_pumping = transaction.request_pump.is_running();
            if (is_pumping)
                deadline = transaction.deadline;
            else if (deadline == transaction.deadline || reader.has_begun())
                deadline = std::min(net::after(core.loop.now(), transaction.served_service().read_timeout),
                                    transaction.deadline);
            if (std::optional<Error> broken = broken_request(transaction)) co_return std::move(*broken);
            ClientWatch watch(transaction);
            net::Received received = co_await socket.receive(deadline);
            if (received.status == net::IoStatus::timed_out) {
                if (is_pumping && transaction.pump_end) continue;
                if (watch.is_gone()) co_return Error::client(Code::reset, "client went away", 400);
            }
            if (received.status != net::IoStatus::ok) {
                if (received.status == net::IoStatus::timed_out) {
                    core.metrics.add(Counter::upstream_timeouts);
                    bool was_patient = core.loop.now() < transaction.deadline;
                    if (was_patient && transaction.link->stream != nullptr) transaction.link->stream->cast_doubt();
                }
                co_return lost_error(transaction, received.status, "response head");
            }
            log.was_heard = true;
            core.metrics.add(Counter::upstream_bytes_received, received.slice.size());
            state = reader.take(std::move(received.slice), core.loop.buffers(), core.upstream_limits);
        }
        http1::Fault fault = reader.fault();
        // A part of a head has told the client nothing yet: lost, it is as good as none.
        log.progress.response_started = true;
        if (state == HeadReader::State::complete) {
            transaction.response_head_bytes = reader.bytes();
            fault = http1::parse_response_head(reader.head(), core.upstream_limits, transaction.request.method,
                                               transaction.response);
        }
        if (fault != http1::Fault::none) {
            core.metrics.add(Counter::upstream_malformed);
            co_return http1::upstream_error(fault);
        }
        socket.unread(reader.rest());
        int status = transaction.response.status;
        if (status >= 200) {
            frame_stream(transaction);
            co_return base::success();
        }
        if (status == 101) {
            // RFC 9110 7.8: only what the client asked for, and once its request is over. Anything else would turn the
            // rest of a connection into bytes that nobody has parsed.
            if (transaction.request.upgrade && transaction.response.upgrade && transaction.is_request_through)
                co_return base::success();
            core.metrics.add(Counter::upstream_malformed);
            co_return Error::upstream(Code::malformed, Retry::never, "101 that was not asked for");
        }
        if (interim == most_interim_responses) {
            core.metrics.add(Counter::upstream_malformed);
            co_return Error::upstream(Code::malformed, Retry::never, "too many interim responses");
        }
        // RFC 9110 15.2: 100 answers our own expectation; the others are the client's, if it can read them.
        if (status == 100 || transaction.request.minor_version == 0 || !transaction.has_client) continue;
        net::Assembler out(core.loop.buffers());
        if (auto added = add_interim_head(transaction.response, out); !added) co_return std::move(added).error();
        net::IoStatus sent = co_await send_interim(transaction, std::move(out.finish().front()));
        if (sent != net::IoStatus::ok) co_return Error::client(Code::reset, "client went away");
    }
}

// ---- health

// What an attempt says of its endpoint: passive checks (kong.md 7.5) and outlier detection. Nothing if it says more
// about us or the client.
void report(Transaction& transaction, const Result<void>& result) {
    LiveUpstream& live = *transaction.snapshot->shared().upstreams[transaction.served_service().upstream].live;
    if (!live.judges_requests()) return;
    const upstream::Endpoint& endpoint = transaction.endpoints->balancer->endpoint(transaction.endpoint);
    net::Loop& loop = transaction.core.loop;
    upstream::HealthReason reason{upstream::FoundBy::request, upstream::Finding::tcp_failure, 0};
    auto ending = upstream::Ending::failed;
    if (result) {
        reason.status = static_cast<std::uint16_t>(transaction.response.status);
        ending = upstream::ending_of(reason.status);
    } else {
        const Error& error = result.error();
        if (error.source != base::Source::upstream) return;
        // It may have had enough of a client that is slow to send its body: that is no fault of its.
        if (error.code == Code::reset && transaction.has_request_body() && !transaction.is_request_through) return;
        // The name that its certificate did not have may be one that the client made up.
        if (transaction.served_service().tls != nullptr && transaction.served_route().preserve_host) return;
        if (error.code == Code::timed_out) reason.finding = upstream::Finding::timeout;
    }
    if (live.has_outlier_detection())
        live.ended(endpoint, ending, reason.status, net::Milliseconds(loop.now() - transaction.timings.upstream_began),
                   loop.now(), loop.wall_now());
    if (!live.has_health_checks()) return;
    if (result) {
        auto finding = live.spec().health.passive_statuses.finding(reason.status);
        if (!finding) return;
        reason.finding = *finding;
    }
    live.found(endpoint, reason, loop.wall_now());
}

}  // namespace

Error over_limit(Transaction& transaction, upstream::Limit limit) {
    transaction.refused_by = limit;
    return Error::us(Code::exhausted, "the upstream is at its limit: " + std::string(name(limit)));
}

Task<Result<void>> forward(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    Core& core = transaction.core;
    log.progress = {.request_sent = false, .response_started = false, .body_replayable = true};
    log.was_reused = log.was_heard = log.was_unprocessed = false;
    transaction.response_body.trailers_from(nullptr);
    transaction.response_trailers.reset();
    LiveUpstream& live = *transaction.snapshot->shared().upstreams[transaction.served_service().upstream].live;
    // Before anything is picked, so that the choice is as fresh as the connection. Whether a shared connection will do
    // is known only afterwards.
    if (limits_connections(live) && transaction.served_service().wire == Wire::http1) {
        Result<void> turn = co_await take_connection_turn(transaction, live);
        if (!turn) co_return turn;
    }
    bool is_chosen = choice == LinkChoice::fresh;
    while (!is_chosen) {
        std::optional<Result<void>> picked = try_pick(transaction, log);
        if (!picked) picked = co_await pick_when_resolved(transaction, log);
        if (!*picked) co_return std::move(*picked).error();
        transaction.upstream_address = transaction.endpoints->balancer->endpoint(transaction.endpoint).address;
        is_chosen = transaction.chain->on_upstream_request(transaction) == plugin::Attempt::go;
        bool was_tried = false;  // the balancer gives one again when there is no other
        for (std::size_t i = 0; i < log.count; ++i) was_tried = was_tried || log.tried[i] == transaction.endpoint;
        if (!is_chosen && (was_tried || log.count == log.tried.size()))
            co_return Error::us(Code::no_endpoint, "a plugin lets no endpoint be tried");
        if (!was_tried && log.count < log.tried.size()) log.tried[log.count++] = transaction.endpoint;
    }
    ++transaction.tries;
    transaction.endpoints->balancer->started(transaction.endpoint);
    transaction.is_attempt_open = true;
    transaction.timings.upstream_began = core.loop.now();
    transaction.timings.response_head = net::never;
    Result<void> result;
    if (!take_link(transaction, log, choice)) result = co_await make_link(transaction, log, choice);
    if (result) result = co_await send_request(transaction, log);
    if (result) result = co_await read_response_head(transaction, log);
    // A pooled connection that had died unseen says nothing yet: see ask_upstream.
    if (!(log.was_reused && !result && !log.was_heard && result.error().code == Code::reset))
        report(transaction, result);
    if (result) {
        transaction.timings.response_head = core.loop.now();
        transaction.is_from_upstream = true;
        transaction.upstream_status = static_cast<std::uint16_t>(transaction.response.status);
        bool has_body = transaction.response.framing != http::BodyFraming::none;
        bool keeps_alive = transaction.response.keep_alive;
        transaction.chain->on_upstream_response(transaction);
        if (!transaction.is_from_upstream) {
            // Replaced by a plugin: a connection with nothing more to read goes on to others.
            if (!has_body)
                transaction.response_body.start(http::BodyFraming::none, 0, core.upstream_limits,
                                                http::BodyFraming::none, TrailerChoice::drop);
            transaction.response.keep_alive = keeps_alive && !has_body;
            finish_attempt(transaction, upstream::Outcome::answered);
        }
        co_return base::success();
    }
    log.was_unprocessed = transaction.link && transaction.link->stream != nullptr &&
                          transaction.link->stream->fate() == http2::Fate::unprocessed;
    transaction.chain->on_upstream_failure(transaction, result.error());
    transaction.failed_tries.push_back({transaction.upstream_address, transaction.timings.upstream_began});
    log.progress.body_replayable = transaction.is_replayable;
    finish_attempt(transaction, result.error().source == base::Source::client ? upstream::Outcome::cancelled
                                                                              : upstream::Outcome::failed);
    co_return result;
}

void finish_attempt(Transaction& transaction, upstream::Outcome outcome) {
    if (!std::exchange(transaction.is_attempt_open, false)) return;
    Core& core = transaction.core;
    net::Instant head =
        transaction.timings.response_head != net::never ? transaction.timings.response_head : core.loop.now();
    auto latency = std::chrono::milliseconds(head - transaction.timings.upstream_began);
    transaction.endpoints->balancer->finished(transaction.endpoint, latency, outcome, core.loop.now());
    // Goes after the link, which is back in its pool or closed by then.
    upstream::ConnectionSlot slot = std::move(transaction.held_connection);
    transaction.held_retry.release();
    upstream::LinkPtr link = std::move(transaction.link);
    if (!link) return;
    transaction.request_pump.drop();  // a request that is still being sent ends here: its answer is complete
    bool is_clean = outcome == upstream::Outcome::answered && transaction.is_request_through &&
                    transaction.response.keep_alive && !transaction.is_tunnel && transaction.response_body.is_done() &&
                    !core.is_draining() && transaction.served_service().proxy_protocol == net::ProxyVersion::none;
    if (is_clean && link->stream == nullptr) link->pool->give_back(std::move(link));
}

Transaction::Transaction(Core& on, net::Socket& from, Entrance by)
    : Exchange(on.worker), core(on), client_socket(from), entrance(by) {
    style = &core.settings.answers;
    if (entrance == Entrance::clients) core.metrics.raise(observe::Gauge::requests_active);
}

Transaction::~Transaction() {
    finish_attempt(*this, upstream::Outcome::cancelled);
    drop_notes();
    if (entrance == Entrance::clients) core.metrics.lower(observe::Gauge::requests_active);
}

}  // namespace gateway
