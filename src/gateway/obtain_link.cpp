#include "gateway/obtain_link.h"

#include <algorithm>
#include <string>
#include <utility>

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

upstream::Pool& pool_of(Transaction& transaction) {
    if (const auto& tls = transaction.served_service().tls) {
        const upstream::Endpoint& endpoint = transaction.endpoints->balancer->endpoint(transaction.endpoint);
        return transaction.core.pools.of(endpoint.address,
                                         transaction.arena.join(tls->trust, "|", server_name_for(transaction)));
    }
    upstream::Pool*& pool = transaction.endpoints->pools[transaction.endpoint];
    if (pool == nullptr)
        pool = &transaction.core.pools.of(transaction.endpoints->balancer->endpoint(transaction.endpoint).address);
    return *pool;
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

// A stream of a shared connection, or a connection of HTTP/1.1 where the upstream may choose that.
Task<Result<void>> wait_for_stream(Transaction& transaction, AttemptLog& log) {
    Core& core = transaction.core;
    if (pool_of(transaction).is_of_many_trusts())
        co_return Error::us(Code::exhausted, "too many servers that clients have named");
    upstream::Http2Pool& shared = shared_of(transaction);
    Wire wire = wire_for(transaction);
    net::Instant deadline =
        std::min(net::after(core.loop.now(), transaction.served_service().connect_timeout), transaction.deadline);
    using Kind = upstream::Http2Pool::Outcome::Kind;
    while (true) {
        if (wire == Wire::http2_or_http1 && shared.speaks_http1()) co_return co_await connect(transaction);
        if (upstream::LinkPtr link = shared.take()) {
            adopt(transaction, log, std::move(link));
            co_return base::success();
        }
        if (shared.is_crowded()) co_return Error::us(Code::exhausted, "too many requests wait for a connection");
        if (shared.wants_connection()) {
            Result<upstream::ConnectOrder> order = order_for(transaction, pool_of(transaction), wire);
            if (!order) co_return std::move(order).error();
            using Fallback = upstream::Http2Pool::Fallback;
            shared.connect(std::move(*order), wire == Wire::http2 ? Fallback::none : Fallback::http1);
        }
        upstream::Http2Pool::Outcome outcome = co_await shared.wait(deadline);
        if (outcome.link) {
            adopt(transaction, log, std::move(outcome.link));
            co_return base::success();
        }
        if (outcome.kind == Kind::failed) co_return std::move(*outcome.error);
        if (outcome.kind == Kind::timed_out)
            co_return Error::upstream(Code::timed_out, Retry::always, "no room on any connection in time");
    }
}

}  // namespace

bool take_link(Transaction& transaction, AttemptLog& log, LinkChoice choice) {
    Wire wire = wire_for(transaction);
    if (wire == Wire::http1) return log.was_reused = choice == LinkChoice::pooled && take_pooled(transaction);
    if (pool_of(transaction).is_of_many_trusts()) return false;
    upstream::Http2Pool& shared = shared_of(transaction);
    if (wire == Wire::http2_or_http1 && shared.speaks_http1())
        return log.was_reused = choice == LinkChoice::pooled && take_pooled(transaction);
    upstream::LinkPtr link = shared.take();
    if (!link) return false;
    adopt(transaction, log, std::move(link));
    return true;
}

Task<Result<void>> make_link(Transaction& transaction, AttemptLog& log) {
    if (wire_for(transaction) == Wire::http1) co_return co_await connect(transaction);
    co_return co_await wait_for_stream(transaction, log);
}

}  // namespace gateway
