#include "gateway/obtain_link.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "gateway/connection_turn.h"
#include "net/proxy_header.h"
#include "upstream/connect.h"
#include "upstream/http2_pool.h"

namespace gateway {

using base::Code;
using base::Error;
using base::Result;
using base::Retry;
using base::Task;
using observe::Counter;

// kong.md 3.3.
std::string_view host_for(Transaction& transaction) {
    if (transaction.served_route().preserve_host && !transaction.request.authority.empty())
        return transaction.request.authority;
    const ServedUpstream& upstream = transaction.snapshot->shared().upstreams[transaction.served_service().upstream];
    if (!upstream.host_header.empty()) return upstream.host_header;
    const upstream::Endpoint& endpoint = transaction.endpoints->balancer->endpoint(transaction.endpoint);
    if (transaction.served_service().tls) {
        if (endpoint.port == 443) return endpoint.host;
        return transaction.arena.join(endpoint.host, ":", std::to_string(endpoint.port));
    }
    std::string& host = transaction.endpoints->host_headers[transaction.endpoint];
    if (host.empty()) {
        host = endpoint.host;
        if (endpoint.port != 80) host += ':' + std::to_string(endpoint.port);
    }
    return host;
}

namespace {

// The name that the upstream is asked for (SNI) and held to: that of Host (kong.md 3.3).
std::string_view server_name_for(Transaction& transaction) {
    std::string_view host = host_for(transaction);
    if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
    std::size_t colon = host.find(':');
    return host.find(':', colon + 1) == host.npos ? host.substr(0, colon) : host;  // several: an IPv6 address
}

LiveUpstream& live_of(Transaction& transaction) {
    return *transaction.snapshot->shared().upstreams[transaction.served_service().upstream].live;
}

upstream::Pool& pool_of(Transaction& transaction) {
    // Connections that are shared and counted are those of one upstream.
    LiveUpstream& live = live_of(transaction);
    std::string_view owner;
    if (transaction.served_service().wire != Wire::http1 && limits_connections(live))
        owner = transaction.arena.join("|of ", live.spec().id);
    const upstream::Endpoint& endpoint = transaction.endpoints->balancer->endpoint(transaction.endpoint);
    if (const auto& tls = transaction.served_service().tls) {
        // Who takes nothing but HTTP/2 does not share with those who may fall back.
        std::string_view wire = transaction.served_service().wire == Wire::http2 ? "|h2" : "";
        return transaction.core.pools.of(
            endpoint.address, transaction.arena.join(tls->trust, "|", server_name_for(transaction), wire, owner));
    }
    if (!owner.empty()) return transaction.core.pools.of(endpoint.address, owner);
    upstream::Pool*& pool = transaction.endpoints->pools[transaction.endpoint];
    if (pool == nullptr) pool = &transaction.core.pools.of(endpoint.address);
    return *pool;
}

// Without waiting, as far as the upstream's limit of connections goes.
bool has_turn(Transaction& transaction) {
    LiveUpstream& live = live_of(transaction);
    if (!limits_connections(live) || transaction.held_connection) return true;
    transaction.held_connection = live.load().take_connection(live.spec().limits, upstream::Load::Turn::fresh);
    return static_cast<bool>(transaction.held_connection);
}

// One that was introduced is nobody else's.
bool take_pooled(Transaction& transaction) {
    if (transaction.served_service().proxy_protocol != net::ProxyVersion::none) return false;
    transaction.link = pool_of(transaction).take();
    if (!transaction.link) return false;
    transaction.core.metrics.add(Counter::upstream_reuses);
    transaction.timings.connected = transaction.core.loop.now();
    return true;
}

// What a new connection is made with. An error: no server can have the name.
Result<upstream::ConnectOrder> order_for(Transaction& transaction, upstream::Pool& pool, Wire wire) {
    const ServedService& service = transaction.served_service();
    upstream::ConnectOrder out{service.connect_timeout, nullptr, {}};
    if (service.proxy_protocol != net::ProxyVersion::none) {
        const plugin::ClientSide& client = transaction.client;
        out.introduction =
            net::write_proxy_header(service.proxy_protocol, net::ProxiedAddresses{client.address, client.local});
    }
    if (const ServedTls* tls = transaction.served_service().tls.get()) {
        out.session = tls->context.session(std::string(server_name_for(transaction)), tls->verify, pool.resumption());
        if (!out.session) return Error::upstream(Code::refused, Retry::never, "TLS: no server can have that name");
        using Offer = net::tls::ClientContext::Offer;
        if (wire != Wire::http1)
            net::tls::ClientContext::offer(out.session, wire == Wire::http2 ? Offer::http2 : Offer::http2_or_http1);
    }
    return out;
}

Task<Result<void>> connect(Transaction& transaction) {
    Core& core = transaction.core;
    upstream::Pool& pool = pool_of(transaction);
    Result<upstream::ConnectOrder> order = order_for(transaction, pool, Wire::http1);
    if (!order) co_return std::move(order).error();
    auto made = co_await upstream::connect(core.loop, pool.address(), std::move(*order), core.metrics);
    if (!made) co_return std::move(made).error();
    transaction.link = pool.adopt(std::move(made->socket), made->tls);
    transaction.timings.connected = core.loop.now();
    co_return base::success();
}

bool take_http1(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    return log.was_reused = has_turn(transaction) && choice == LinkChoice::pooled && take_pooled(transaction);
}

Task<Result<void>> make_http1(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    if (!has_turn(transaction)) {
        Result<void> turn = co_await take_connection_turn(transaction, live_of(transaction));
        if (!turn) co_return turn;
        if (take_http1(transaction, log, choice)) co_return base::success();
    }
    co_return co_await connect(transaction);
}

// A tunnel needs a connection of its own, and so does whoever must not share one.
Wire wire_for(Transaction& transaction) {
    Wire wire = transaction.served_service().wire;
    if (wire != Wire::http2_or_http1) return wire;
    return transaction.request.upgrade || pool_of(transaction).is_of_many_trusts() ? Wire::http1 : wire;
}

void adopt(Transaction& transaction, AttemptLog& log, upstream::LinkPtr link) {
    transaction.timings.connected = transaction.core.loop.now();
    log.was_reused = link->is_reused();
    if (log.was_reused) transaction.core.metrics.add(Counter::upstream_reuses);
    if (link->stream != nullptr) {
        transaction.response_trailers = std::make_unique<upstream::Trailers>();
        link->stream->trailers_into(transaction.response_trailers.get());
    }
    transaction.link = std::move(link);
}

upstream::Http2Pool& shared_of(Transaction& transaction) {
    Core& core = transaction.core;
    return pool_of(transaction).http2(core.upstream_http2_limits, core.metrics);
}

// Has a stream at once, or what one must have to wait for one: the place of a new connection, where those are limited.
struct Ready {
    upstream::LinkPtr link;
    upstream::ConnectionPlace place;
};

Task<Result<void>> make_ready(Transaction& transaction, upstream::Http2Pool& shared, Ready& ready) {
    LiveUpstream& live = live_of(transaction);
    const upstream::LimitRules& rules = live.spec().limits;
    std::function<bool(upstream::Load::Turn)> take = [&](upstream::Load::Turn turn) {
        upstream::Claim claim{live.shared_load(), rules, turn};
        ready.link = shared.take(&claim);
        if (ready.link || !shared.wants_place()) return true;
        if (!shared.wants_connection()) return false;
        ready.place = {live.shared_load(), live.load().take_connection(rules, turn)};
        return static_cast<bool>(ready.place.slot);
    };
    co_return co_await take_turn(transaction, live, take);
}

// A stream of a shared connection, or a connection of HTTP/1.1 where the upstream may choose that.
Task<Result<void>> wait_for_stream(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    Core& core = transaction.core;
    if (pool_of(transaction).is_of_many_trusts())
        co_return Error::us(Code::exhausted, "too many servers that clients have named");
    upstream::Http2Pool& shared = shared_of(transaction);
    Wire wire = wire_for(transaction);
    net::Instant deadline =
        std::min(net::after(core.loop.now(), transaction.served_service().connect_timeout), transaction.deadline);
    LiveUpstream& live = live_of(transaction);
    bool is_limited = limits_connections(live);
    upstream::Claim claim{live.shared_load(), live.spec().limits};
    using Kind = upstream::Http2Pool::Outcome::Kind;
    while (true) {
        if (wire == Wire::http2_or_http1 && shared.speaks_http1()) {
            Task<Result<void>> making = make_http1(transaction, log, choice);
            co_return co_await std::move(making);
        }
        Ready ready;
        if (is_limited) {
            Result<void> turn = co_await make_ready(transaction, shared, ready);
            if (!turn) co_return turn;
        } else {
            ready.link = shared.take();
        }
        if (ready.link) {
            adopt(transaction, log, std::move(ready.link));
            co_return base::success();
        }
        if (shared.is_crowded()) co_return Error::us(Code::exhausted, "too many requests wait for a connection");
        if (shared.wants_connection()) {
            Result<upstream::ConnectOrder> order = order_for(transaction, pool_of(transaction), wire);
            if (!order) co_return std::move(order).error();
            using Fallback = upstream::Http2Pool::Fallback;
            shared.connect(std::move(*order), wire == Wire::http2 ? Fallback::none : Fallback::http1,
                           std::move(ready.place));
        }
        upstream::Http2Pool::Outcome outcome = co_await shared.wait(deadline, is_limited ? &claim : nullptr);
        if (outcome.kind == Kind::http1 && outcome.link && !has_turn(transaction)) {
            upstream::Pool& pool = *outcome.link->pool;
            pool.give_back(std::move(outcome.link));
        }
        if (outcome.link) {
            adopt(transaction, log, std::move(outcome.link));
            co_return base::success();
        }
        if (outcome.kind == Kind::failed) co_return std::move(*outcome.error);
        if (outcome.kind == Kind::timed_out && core.loop.now() >= transaction.deadline)
            co_return Error::client(Code::timed_out, "the client's deadline has passed", 504);
        if (outcome.kind == Kind::timed_out)
            co_return Error::upstream(Code::timed_out, Retry::always, "no room on any connection in time");
    }
}

}  // namespace

bool take_link(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    Wire wire = wire_for(transaction);
    if (wire == Wire::http1) return take_http1(transaction, log, choice);
    if (pool_of(transaction).is_of_many_trusts()) return false;
    upstream::Http2Pool& shared = shared_of(transaction);
    if (wire == Wire::http2_or_http1 && shared.speaks_http1()) return take_http1(transaction, log, choice);
    LiveUpstream& live = live_of(transaction);
    upstream::Claim claim{live.shared_load(), live.spec().limits};
    upstream::LinkPtr link = shared.take(limits_connections(live) ? &claim : nullptr);
    if (!link) return false;
    adopt(transaction, log, std::move(link));
    return true;
}

Task<Result<void>> make_link(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    if (wire_for(transaction) == Wire::http1) co_return co_await make_http1(transaction, log, choice);
    co_return co_await wait_for_stream(transaction, log, choice);
}

}  // namespace gateway
