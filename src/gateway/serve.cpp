#include "gateway/serve.h"

#include "gateway/forward.h"
#include "gateway/reply.h"
#include "gateway/response_body.h"
#include "http/characters.h"
#include "http/path.h"
#include "net/tls/layer.h"
#include "observe/log.h"
#include "plugin/identity.h"
#include "upstream/retry.h"

namespace gateway {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Task;
using observe::Counter;

// What no route can change: requests that this kind of server does not take. False: answered.
bool is_acceptable(Transaction& transaction) {
    const http::RequestHead& request = transaction.request;
    int refused = 0;
    if (request.method == http::Method::connect || request.form == http::TargetForm::asterisk ||
        !http::is_upper_case(request.method_token))
        refused = 400;
    else if (request.method == http::Method::trace)
        refused = 405;
    else if (request.expect_unknown)
        refused = 417;
    if (refused == 0) {
        http::NormalPath normal = http::normalise(request.raw_path, transaction.arena);
        transaction.path = normal.path;
        bool is_refused = transaction.core.settings.refuses_ambiguous_paths && http::is_ambiguous(normal.path);
        if (normal.ok() && !is_refused) return true;
        // Kong: a path that its router cannot read as UTF-8 has no route.
        refused = normal.fault == http::PathFault::not_utf8 ? 404 : 400;
        if (refused == 404) {
            plugin::reply_error(transaction, 404, "no Route matched with those values", ErrorKind::gateway);
            return false;
        }
    }
    plugin::reply_error(transaction, refused, {}, ErrorKind::server);
    transaction.is_last = refused != 417;  // Kong closes too; behind a CONNECT may come what is no HTTP
    return false;
}

const ServedRoute* find_route(Transaction& transaction, std::string_view method) {
    const http::RequestHead& request = transaction.request;
    route::Query query;
    query.method = method;
    query.host = request.host;
    query.port = request.port != 0 ? request.port : transaction.client.local.port;
    query.path = transaction.path;
    query.headers = {&request.headers, request.headers.size(),
                     [](const void* fields, std::size_t index, std::string_view& name, std::string_view& value) {
                         const http::Header& header = (*static_cast<const http::Headers*>(fields))[index];
                         name = header.name;
                         value = header.value;
                     }};
    query.tls = transaction.client.tls != nullptr;
    if (query.tls) query.sni = transaction.client.tls->server_name();
    query.source = transaction.client.remote;
    query.destination = transaction.client.local;
    return transaction.snapshot->shared().match(query, transaction.match);
}

// RFC 9110 15.5.20: the request is for a name whose clients are asked for other certificates than those of the name
// that the connection was made for. Browsers share connections among names, and then make one of its own.
bool is_misdirected(const Transaction& transaction) {
    const net::tls::Layer* tls = transaction.client.tls;
    if (tls == nullptr || transaction.snapshot->shared().certificates == nullptr) return false;
    const net::tls::ClientRules& clients = transaction.snapshot->shared().certificates->clients();
    if (clients.is_same_for_all()) return false;
    std::string_view host = transaction.request.host;
    return !http::equals_ignore_case(host, tls->server_name()) &&
           clients.covering(host) != clients.covering(tls->server_name());
}

void reply_no_route(Transaction& transaction) {
    transaction.core.metrics.add(Counter::no_route);
    plugin::reply_error(transaction, 404, "no Route matched with those values", ErrorKind::gateway);
}

// A preflight that no route takes asks on behalf of the request to come: the route of that one answers, if it can. It
// goes no further than its plugins.
const ServedRoute* find_route_of_preflight(Transaction& transaction) {
    std::string_view method = transaction.request.headers.first(http::Known::access_control_request_method);
    const ServedRoute* route = find_route(transaction, method);
    return route != nullptr && route->chain->answers_preflights(transaction) ? route : nullptr;
}

// grpc-timeout: up to eight digits and a unit. Anything else is left to the upstream.
std::optional<net::Milliseconds> call_timeout(std::string_view text) {
    if (text.size() < 2 || text.size() > 9) return {};
    std::int64_t value = 0;
    for (char c : text.substr(0, text.size() - 1)) {
        if (c < '0' || c > '9') return {};
        value = value * 10 + (c - '0');
    }
    switch (text.back()) {
        case 'H':
            return std::chrono::hours(value);
        case 'M':
            return std::chrono::minutes(value);
        case 'S':
            return std::chrono::seconds(value);
        case 'm':
            return net::Milliseconds(value);
        case 'u':
            return std::chrono::ceil<net::Milliseconds>(std::chrono::microseconds(value));
        case 'n':
            return std::chrono::ceil<net::Milliseconds>(std::chrono::nanoseconds(value));
        default:
            return {};
    }
}

// kong.md 2.3: what a route for gRPC takes. False: answered.
bool is_right_call(Transaction& transaction) {
    const ServedRoute& route = transaction.served_route();
    if (!transaction.request.has_grpc_type()) {
        plugin::reply_error(transaction, 415, "Non-gRPC request matched gRPC route", ErrorKind::gateway);
        return false;
    }
    if (transaction.request.major_version != 2) {
        plugin::reply_error(transaction, 426, "Please use HTTP2 protocol", ErrorKind::gateway);
        transaction.response.upgrade_protocol = "HTTP/2";
        return false;
    }
    if (!contains(route.protocols, Protocol::grpc) && transaction.client.scheme != "https") {
        plugin::reply_text(transaction, 200, {}, {});
        transaction.response.headers.add("grpc-status", "1");
        transaction.response.headers.add("grpc-message", "gRPC request matched gRPCs route");
        return false;
    }
    transaction.is_grpc = true;
    if (auto timeout = call_timeout(transaction.request.headers.first("grpc-timeout")))
        transaction.deadline = net::after(transaction.timings.started, *timeout);
    return true;
}

// kong.md 2.3: a route for https only, reached over http. False: answered.
bool has_right_protocol(Transaction& transaction) {
    const ServedRoute& route = transaction.served_route();
    if (contains(route.protocols, Protocol::grpc) || contains(route.protocols, Protocol::grpcs))
        return is_right_call(transaction);
    if (contains(route.protocols, Protocol::http) || !contains(route.protocols, Protocol::https) ||
        transaction.client.scheme == "https")
        return true;
    int status = route.https_redirect_status_code;
    if (status == 426) {
        plugin::reply_error(transaction, 426, "Please use HTTPS protocol", ErrorKind::gateway);
        transaction.response.upgrade_protocol = "TLS/1.2, HTTP/1.1";
        return false;
    }
    plugin::reply_text(transaction, status, {}, {});
    std::string_view location =
        transaction.arena.join("https://", transaction.client.forwarded_host, transaction.request.raw_path,
                               transaction.request.has_query ? "?" : "", transaction.request.query);
    transaction.response.headers.add(http::Known::location, location);
    return false;
}

// RFC 9110 7.6.1: what the client nominates ends here. Before plugins run: the fields that they set are not its to end.
void end_nominated(http::RequestHead& request) {
    if (request.connection.nominated_count == 0) return;
    request.headers.remove_if([&](const http::Header& header) {
        return request.connection.nominates(header.name) && http::is_hop_by_hop(header, request.connection);
    });
    request.connection.nominated_count = 0;
}

// The body was broken, too slow or too large: where the next request begins is not known.
void fail(Transaction& transaction, const base::Error& error) {
    transaction.is_last = transaction.is_last || error.source == base::Source::client;
    reply_failure(transaction, error);
}

// The response phases, on whatever answer there is.
Task<void> finish(Transaction& transaction) {
    const plugin::Chain& chain = *transaction.chain;
    chain.on_response(transaction);
    // A plugin has put an answer of its own in the place of the upstream's.
    if (!transaction.is_from_upstream) finish_attempt(transaction, upstream::Outcome::answered);
    if (transaction.buffered_most == 0) co_return;
    if (!transaction.is_body_in_hand()) {
        Result<void> read = co_await read_response_body(transaction);
        if (!read) {
            finish_attempt(transaction, upstream::Outcome::failed);
            log_failure(transaction, read.error());
            co_return fail(transaction, read.error());
        }
    }
    const http::ResponseHead& response = transaction.response;
    bool is_without = response.framing == http::BodyFraming::none || response.status == 101;
    if (!transaction.is_body_in_hand() && is_without) co_return;
    bool is_whole = transaction.is_body_in_hand() && transaction.response_text.size() <= transaction.buffered_most;
    if (!is_whole) transaction.buffered_most = 0;  // longer: who must change it can only refuse it
    chain.on_response_body(transaction);
    if (transaction.answer_filter && transaction.is_from_upstream && transaction.is_body_in_hand()) {
        std::string& whole = transaction.filtered_response;
        transaction.answer_filter->take(transaction.response_text, whole);
        transaction.response_body.filter_to_end(*transaction.answer_filter, whole);
        transaction.response_text = whole;
    }
    if (!is_whole && !transaction.is_from_upstream) finish_attempt(transaction, upstream::Outcome::answered);
}

}  // namespace

void log_failure(const Transaction& transaction, const base::Error& error) {
    if (error.source == base::Source::client) return;
    static thread_local observe::Throttle throttle;  // of what every request would say
    if (error.code == base::Code::exhausted && !throttle.pass(std::chrono::milliseconds(transaction.core.loop.now())))
        return;
    observe::log(observe::Level::error, "upstream", error.detail,
                 {{"service", transaction.service->name},
                  {"address", transaction.tries > 0 ? transaction.upstream_address.text() : std::string("-")},
                  {"tries", transaction.tries},
                  {"method", transaction.request.method_token},
                  {"path", transaction.request.raw_path},
                  {"request_id", transaction.id()}});
}

Task<Result<void>> ask_upstream(Transaction& transaction) {
    LiveUpstream& live = *transaction.snapshot->shared().upstreams[transaction.served_service().upstream].live;
    if (live.has_limits() && !transaction.held_request) {
        transaction.held_request = live.load().take_request(live.spec().limits);
        if (!transaction.held_request) co_return over_limit(transaction, upstream::Limit::requests);
    }
    AttemptLog log;
    upstream::Attempts attempts(transaction.served_service().retries);
    bool is_idempotent = upstream::is_idempotent(transaction.request.method_token);
    Result<void> result;
    LinkChoice choice = LinkChoice::pooled;
    bool was_stale = false;
    while (choice == LinkChoice::fresh || attempts.next()) {
        bool is_retry = choice == LinkChoice::pooled && attempts.made() > 1;
        if (is_retry && live.has_limits()) {
            transaction.held_retry = live.load().take_retry(live.spec().limits);
            if (!transaction.held_retry) co_return result;  // what failed is the answer
        }
        result = co_await forward(transaction, log, choice);
        if (result) co_return result;
        // A pooled connection that had died unseen is nobody's failure: once more on a new one, to the same endpoint
        // and outside the budget. Only where sending twice is harmless, and once: a second one counts as a failure.
        bool is_stale = !was_stale && log.was_reused && !log.was_heard && result.error().code == base::Code::reset &&
                        (is_idempotent || log.was_unprocessed) && log.progress.body_replayable;
        was_stale = was_stale || is_stale;
        choice = is_stale ? LinkChoice::fresh : LinkChoice::pooled;
        if (!is_stale && !upstream::Attempts::worth_retrying(result.error(), is_idempotent, log.progress))
            co_return result;
        transaction.core.metrics.add(Counter::upstream_retries);
    }
    co_return result;
}

Task<void> serve(Transaction& transaction) {
    // kong.md 3.1: every other protocol ends at this hop, and the request is an ordinary one.
    transaction.request.upgrade =
        transaction.request.upgrade && http::equals_ignore_case(transaction.request.upgrade_protocol, "websocket");
    if (!is_acceptable(transaction)) co_return;
    if (is_misdirected(transaction)) {
        plugin::reply_error(transaction, 421, {}, ErrorKind::server);
        co_return;
    }
    const Snapshot& snapshot = transaction.snapshot->shared();
    const ServedRoute* route = find_route(transaction, transaction.request.method_token);
    bool is_for_plugins = route == nullptr && transaction.request.is_preflight();
    if (is_for_plugins) route = find_route_of_preflight(transaction);
    transaction.route = route;
    if (route == nullptr) {
        transaction.chain = snapshot.unmatched;
        reply_no_route(transaction);
        co_return co_await finish(transaction);
    }
    if (!has_right_protocol(transaction)) co_return;
    transaction.service = snapshot.service_of(*route);
    transaction.chain = route->chain;
    plugin::remove_claimed_identity(transaction.request.headers);
    if (!snapshot.owned_headers.empty()) {
        plugin::remove_owned(transaction.request.headers, snapshot.owned_headers);
        transaction.request_body.keep_from_trailers(snapshot.owned_headers);
    }
    end_nominated(transaction.request);
    std::uint64_t most = transaction.core.settings.limits.body_bytes;
    if (most != 0 && transaction.request.framing == http::BodyFraming::length &&
        transaction.request.content_length > most) {
        plugin::reply_error(transaction, 413, {}, ErrorKind::server);
        co_return;
    }
    plugin::Verdict verdict = transaction.chain->on_request(transaction);
    while (verdict == plugin::Verdict::wait) {
        verdict = co_await transaction.chain->wait_request(transaction);
        if (verdict == plugin::Verdict::go_on) verdict = transaction.chain->on_request(transaction);
    }
    if (verdict == plugin::Verdict::go_on) {
        if (is_for_plugins) {
            reply_no_route(transaction);
        } else if (transaction.service == nullptr) {
            plugin::reply_error(transaction, 503, "no Service found with those values", ErrorKind::gateway);
        } else if (Result<void> result = co_await ask_upstream(transaction); !result) {
            log_failure(transaction, result.error());
            bool is_replaced = result.error().source != base::Source::client &&
                               transaction.chain->on_no_answer(transaction, result.error());
            if (!is_replaced) fail(transaction, result.error());
        }
    } else if (transaction.response.status == 503 && !transaction.is_from_cache) {
        // A plugin sees no use in asking the upstream (circuit-breaker).
        (void)transaction.chain->on_no_answer(transaction, Error::us(Code::no_endpoint, "refused by a plugin"));
    }
    if (!transaction.chain->empty()) co_await finish(transaction);
}

}  // namespace gateway
