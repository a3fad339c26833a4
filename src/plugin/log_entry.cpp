#include "plugin/log_entry.h"

#include <vector>

#include "http/query.h"
#include "observe/log_record.h"
#include "plugin/latencies.h"

namespace plugin {

namespace {
using observe::LogRecord;
using Fields = std::vector<LogRecord::Named>;

void collect(const http::Headers& headers, Fields& out) {
    out.clear();
    for (const http::Header& header : headers) out.push_back({header.name, header.value});
}

void collect_arguments(Exchange& exchange, Fields& out) {
    out.clear();
    http::QueryArguments arguments(exchange.request.query);
    http::QueryArgument argument;
    while (arguments.next(argument))
        out.push_back({http::decode_argument(argument.name, exchange.arena),
                       http::decode_argument(argument.value, exchange.arena), !argument.has_value});
}

// All tries, with the texts of their addresses in `arena`.
void collect_tries(Exchange& exchange, std::vector<LogRecord::Try>& out) {
    out.clear();
    net::Loop& loop = exchange.worker.loop;
    auto add = [&](const net::SocketAddress& address, net::Instant began, bool has_failed) {
        std::int64_t ago = began == net::never ? 0 : loop.now() - began;
        out.push_back({exchange.arena.copy(address.ip.text()), address.port, loop.wall_now() - ago, 0,
                       has_failed ? std::string_view("failed") : std::string_view(), 0});
    };
    for (const FailedTry& failed : exchange.failed_tries) add(failed.address, failed.began, true);
    if (exchange.tries > exchange.failed_tries.size())
        add(exchange.upstream_address, exchange.timings.upstream_began, false);
}

std::string_view id_text(const base::Uuid& id, base::Arena& arena) {
    return id.is_nil() ? std::string_view() : arena.copy(id.text());
}
}  // namespace

std::string_view log_entry(Exchange& exchange) {
    static thread_local std::string out;
    static thread_local Fields request_headers;
    static thread_local Fields response_headers;
    static thread_local Fields arguments;
    static thread_local std::vector<LogRecord::Try> tries;
    collect(exchange.request.headers, request_headers);
    collect(exchange.response.headers, response_headers);
    collect_arguments(exchange, arguments);
    collect_tries(exchange, tries);
    base::Arena& arena = exchange.arena;
    const http::RequestHead& request = exchange.request;

    LogRecord record;
    record.id = exchange.id();
    record.scheme = exchange.client.scheme;
    record.host = request.host;
    record.port = exchange.client.local.port;
    record.target = request.form == http::TargetForm::absolute
                        ? arena.join(request.raw_path, request.has_query ? "?" : "", request.query)
                        : request.target;
    record.method = request.method_token;
    record.arguments = arguments;
    record.request_headers = request_headers;
    record.request_size = exchange.request_head_bytes + exchange.request_body_bytes;
    record.upstream_uri = exchange.upstream_target;
    record.upstream_status = exchange.upstream_status;
    record.status = exchange.response.status;
    record.response_headers = response_headers;
    record.response_size = exchange.sent_head_bytes + exchange.response_body_bytes;
    Latencies latencies = latencies_of(exchange);
    record.kong_time = latencies.kong;
    record.proxy_time = latencies.proxy;
    record.request_time = latencies.request;
    record.receive_time = latencies.receive;
    record.tries = tries;
    record.is_authenticated = exchange.identity.is_authenticated;
    record.credential = exchange.identity.credential;
    if (exchange.route != nullptr) record.route = {id_text(exchange.route->id, arena), exchange.route->name, {}, {}};
    if (exchange.service != nullptr)
        record.service = {id_text(exchange.service->id, arena), exchange.service->name, exchange.service->host, {}};
    if (const Consumer* consumer = exchange.identity.consumer)
        record.consumer = {id_text(consumer->id, arena), consumer->username, {}, consumer->custom_id};
    record.client_ip = arena.copy(exchange.client.address.ip.text());
    record.started_at =
        exchange.worker.loop.wall_now() -
        (exchange.timings.started == net::never ? 0 : exchange.worker.loop.now() - exchange.timings.started);
    record.is_from_upstream = exchange.is_from_upstream;

    out.clear();
    observe::put_json(out, record);
    return out;
}

}  // namespace plugin
