#include "gateway/heads.h"

#include <charconv>

#include "http/connection_options.h"
#include "http/http1/write.h"
#include "http/path.h"

namespace gateway {

namespace {

using http::Known;

// Written by us, whatever the client said.
constexpr std::uint64_t replaced_in_requests =
    http::bit(Known::host) | http::bit(Known::via) | http::bit(Known::x_forwarded_for) |
    http::bit(Known::x_forwarded_proto) | http::bit(Known::x_forwarded_host) | http::bit(Known::x_forwarded_port) |
    http::bit(Known::x_forwarded_path) | http::bit(Known::x_forwarded_prefix) | http::bit(Known::x_real_ip) |
    http::bit(Known::x_kong_request_id) | http::bit(Known::expect);
// Ended by this hop, whoever nominates them (RFC 9110 7.6.1).
constexpr std::uint64_t always_hop_by_hop =
    http::bit(Known::connection) | http::bit(Known::keep_alive) | http::bit(Known::proxy_connection) |
    http::bit(Known::te) | http::bit(Known::trailer) | http::bit(Known::transfer_encoding) | http::bit(Known::upgrade) |
    http::bit(Known::http2_settings) | http::bit(Known::proxy) | http::bit(Known::content_length);

// Numbers as text, on the stack.
class Digits {
  public:
    explicit Digits(std::int64_t value)
        : size_(static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, value).ptr - text_)) {}
    operator std::string_view() const { return {text_, size_}; }  // NOLINT: reads as the number it is

  private:
    char text_[24];
    std::size_t size_;
};

std::string_view via_version(std::uint8_t minor_version) { return minor_version == 0 ? "1.0 " : "1.1 "; }

// Ours behind those of the hops before it, as one list (RFC 9110 7.6.3).
std::string_view with_own_via(Transaction& transaction, const http::ResponseHead& response) {
    base::Arena& arena = transaction.arena;
    std::string_view list;
    response.headers.all(Known::via,
                         [&](std::string_view value) { list = list.empty() ? value : arena.join(list, ", ", value); });
    std::string_view version = transaction.response_trailers ? "2.0 " : via_version(response.minor_version);
    std::string_view own = arena.join(version, transaction.core.settings.product_token);
    return list.empty() ? own : arena.join(list, ", ", own);
}

// kong.md 2.3: what a request with `Kong-Debug: 1` is told.
std::size_t debug_size(const Transaction& transaction) {
    std::size_t names =
        transaction.route->name.size() + (transaction.service != nullptr ? transaction.service->name.size() : 0);
    return names + 256;
}
void add_debug_fields(Transaction& transaction, http1::HeadWriter& writer) {
    writer.header("Kong-Route-Id", transaction.arena.copy(transaction.route->id.text()));
    writer.header("Kong-Route-Name", transaction.route->name);
    if (transaction.service == nullptr) return;
    writer.header("Kong-Service-Id", transaction.arena.copy(transaction.service->id.text()));
    writer.header("Kong-Service-Name", transaction.service->name);
}

std::int64_t span(net::Instant from, net::Instant to) { return from == net::never || to == net::never ? 0 : to - from; }

}  // namespace

bool is_disguised(std::string_view name) {
    constexpr std::size_t longest = 32;
    if (name.size() > longest || name.find('_') == name.npos) return false;
    char plain[longest];
    for (std::size_t i = 0; i < name.size(); ++i) plain[i] = name[i] == '_' ? '-' : name[i];
    return http::bit(http::recognise({plain, name.size()})) & replaced_in_requests;
}

base::Result<void> add_upstream_head(Transaction& transaction, std::string_view target, std::string_view host,
                                     http::BodyFraming framing, net::Assembler& out) {
    const http::RequestHead& request = transaction.request;
    const plugin::ClientSide& client = transaction.client;
    const Settings& settings = transaction.core.settings;
    std::string address = client.address.ip.text();
    Digits port(client.forwarded_port);
    std::string_view received_for = request.headers.first(Known::x_forwarded_for);
    std::string_view received_via = request.headers.first(Known::via);
    std::string_view path = client.is_trusted && request.headers.has(Known::x_forwarded_path)
                                ? request.headers.first(Known::x_forwarded_path)
                                : request.raw_path;
    std::string_view prefix;
    if (client.is_trusted && request.headers.has(Known::x_forwarded_prefix))
        prefix = request.headers.first(Known::x_forwarded_prefix);
    else if (transaction.served_route().strip_path && transaction.match.by_path &&
             transaction.match.matched_path != "/")
        // What a regex matched of a decoded path may hold ends of lines.
        prefix = http::escape_value(transaction.match.matched_path, transaction.arena);

    std::size_t size = http1::request_head_size(request.method_token, target, request.headers) + 512 + host.size() +
                       received_via.size() + settings.product_token.size() + client.forwarded_host.size() +
                       path.size() + prefix.size();
    std::span<char> room = out.room(size);
    http1::HeadWriter writer(room);
    writer.request_line(request.method_token, target);
    base::Arena& arena = transaction.arena;
    std::string_view version = request.major_version == 2 ? "2.0 " : via_version(request.minor_version);
    std::size_t via_fields = request.headers.count(Known::via);
    if (settings.headers.via) {
        if (via_fields > 1)  // several fields are one list (RFC 9110 5.3): they go first, as they came
            request.headers.all(Known::via, [&](std::string_view value) { writer.header({"Via", value, Known::via}); });
        std::string_view own = arena.join(version, settings.product_token);
        writer.header({"Via", via_fields == 1 ? arena.join(received_via, ", ", own) : own, Known::via});
    } else {
        request.headers.all(Known::via, [&](std::string_view value) { writer.header({"Via", value, Known::via}); });
    }
    writer.header({"Host", host, Known::host});
    if (request.upgrade) {
        writer.header({"Connection", "keep-alive, Upgrade", Known::connection});
        writer.header({"Upgrade", request.upgrade_protocol, Known::upgrade});
    } else {
        writer.header({"Connection", "keep-alive", Known::connection});
    }
    if (request.accepts_trailers) writer.header({"TE", "trailers", Known::te});
    // Appended even for peers that are not trusted, as Kong and nginx do: the chain shows what each hop claimed.
    if (request.headers.count(Known::x_forwarded_for) > 1)
        request.headers.all(Known::x_forwarded_for, [&](std::string_view value) {
            if (value.data() != received_for.data()) received_for = arena.join(received_for, ", ", value);
        });
    writer.header(
        {"X-Forwarded-For",
         received_for.empty() ? std::string_view(address) : arena.join(received_for, ", ", client.remote.ip.text()),
         Known::x_forwarded_for});
    writer.header({"X-Forwarded-Proto", client.scheme, Known::x_forwarded_proto});
    writer.header({"X-Forwarded-Host", client.forwarded_host, Known::x_forwarded_host});
    writer.header({"X-Forwarded-Port", port, Known::x_forwarded_port});
    writer.header({"X-Forwarded-Path", path, Known::x_forwarded_path});
    if (!prefix.empty()) writer.header({"X-Forwarded-Prefix", prefix, Known::x_forwarded_prefix});
    writer.header({"X-Real-IP", address, Known::x_real_ip});
    if (settings.request_id_upstream) writer.header({"X-Kong-Request-Id", transaction.id(), Known::x_kong_request_id});
    bool has_nominated = request.connection.nominated_count > 0;
    for (const http::Header& header : request.headers) {
        if (http::bit(header.known) & (replaced_in_requests | always_hop_by_hop)) continue;
        if (header.known == Known::none && is_disguised(header.name)) continue;
        if (has_nominated && http::is_hop_by_hop(header, request.connection)) continue;
        writer.header(header);
    }
    writer.framing(framing == http::BodyFraming::length ? http1::Framing::of_length(request.content_length)
                                                        : http1::Framing{framing, {}});
    std::size_t written = writer.finish();
    // Everything in it came out of our own parser: what does not fit or is unsafe now is a value that a setting or a
    // template put in.
    if (written == 0) return base::Error::us(base::Code::internal, "the request head cannot be written");
    out.grew(written);
    return {};
}

base::Result<void> add_client_head(Transaction& transaction, const ClientFraming& framing, net::Assembler& out) {
    const http::ResponseHead& response = transaction.response;
    const HeaderTokens& tokens = transaction.core.settings.headers;
    std::string_view product = transaction.core.settings.product_token;
    const plugin::Timings& timings = transaction.timings;
    // Also of attempts that failed: Kong's 502 has both latencies and Via.
    bool was_proxied = timings.upstream_began != net::never || transaction.is_from_cache;
    bool writes_via = was_proxied && tokens.via;
    bool is_debugged = transaction.core.settings.allow_debug_header && transaction.route != nullptr &&
                       transaction.request.headers.first("Kong-Debug") == "1";
    std::size_t size = http1::response_head_size(response.status, response.reason, response.headers) + 640 +
                       product.size() * 2 + transaction.pinning_cookie.size();
    if (is_debugged) size += debug_size(transaction);
    std::span<char> room = out.room(size);
    http1::HeadWriter writer(room);
    writer.status_line(response.status, response.reason);
    bool has_nominated = response.connection.nominated_count > 0;
    for (const http::Header& header : response.headers) {
        if (http::bit(header.known) & always_hop_by_hop) continue;
        if (has_nominated && http::is_hop_by_hop(header, response.connection)) continue;
        if (writes_via && header.known == Known::via) continue;
        writer.header(header);
    }
    // 101, and our own 426 that names what to upgrade to.
    if (response.status == 101 || (!transaction.is_from_upstream && !response.upgrade_protocol.empty())) {
        bool is_last = framing.close && response.status != 101;
        writer.header({"Connection", is_last ? "Upgrade, close" : "Upgrade", Known::connection});
        writer.header({"Upgrade", response.upgrade_protocol, Known::upgrade});
    } else if (framing.close) {
        writer.header({"Connection", "close", Known::connection});
    } else if (transaction.request.minor_version == 0) {
        writer.header({"Connection", "keep-alive", Known::connection});
    }
    if (!transaction.pinning_cookie.empty())
        writer.header({"Set-Cookie", transaction.pinning_cookie, Known::set_cookie});
    if (is_debugged) add_debug_fields(transaction, writer);
    if (was_proxied) {
        net::Instant head = timings.response_head != net::never ? timings.response_head : transaction.core.loop.now();
        if (tokens.upstream_latency)
            writer.header({"X-Kong-Upstream-Latency", Digits(span(timings.upstream_began, head)), Known::none});
        if (tokens.proxy_latency)
            writer.header({"X-Kong-Proxy-Latency", Digits(span(timings.started, timings.upstream_began)), Known::none});
        if (tokens.upstream_status && transaction.is_from_upstream)
            writer.header({"X-Kong-Upstream-Status", Digits(response.status), Known::none});
        if (writes_via) writer.header({"Via", with_own_via(transaction, response), Known::via});
    } else if (bool is_admin = transaction.entrance != Entrance::clients;
               is_admin ? tokens.admin_latency : tokens.response_latency) {
        std::string_view name = is_admin ? "X-Kong-Admin-Latency" : "X-Kong-Response-Latency";
        writer.header({name, Digits(span(timings.started, transaction.core.loop.now())), Known::none});
    }
    if (tokens.server && !response.headers.has(Known::server)) writer.header({"Server", product, Known::server});
    if (!response.headers.has(Known::date)) writer.header({"Date", transaction.core.date(), Known::date});
    if (tokens.request_id) writer.header({"X-Kong-Request-Id", transaction.id(), Known::x_kong_request_id});
    writer.framing({framing.framing, framing.length});
    std::size_t written = writer.finish();
    if (written == 0) return base::Error::us(base::Code::internal, "the response head cannot be written");
    out.grew(written);
    return {};
}

base::Result<void> add_interim_head(const http::ResponseHead& interim, net::Assembler& out) {
    http1::HeadWriter writer(out.room(http1::response_head_size(interim.status, interim.reason, interim.headers)));
    writer.status_line(interim.status, interim.reason);
    for (const http::Header& header : interim.headers)
        if (!http::is_hop_by_hop(header, interim.connection) && header.known != Known::content_length)
            writer.header(header);
    std::size_t written = writer.finish();
    if (written == 0) return base::Error::upstream(base::Code::malformed, base::Retry::never, "bad interim response");
    out.grew(written);
    return {};
}

}  // namespace gateway
