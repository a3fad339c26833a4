#include "gateway/access.h"

#include <string>

namespace gateway {

namespace {

using std::chrono::milliseconds;

milliseconds span(net::Instant from, net::Instant to) {
    if (from == net::never || to == net::never) return milliseconds(-1);
    return milliseconds(to - from);
}

std::string_view header_of(const void* headers, std::string_view name) {
    return static_cast<const http::Headers*>(headers)->first(name);
}

void write_line(const Transaction& transaction, observe::AccessLog& log) {
    const http::RequestHead& request = transaction.request;
    const plugin::Timings& timings = transaction.timings;
    std::string client = transaction.client.address.ip.text();
    std::string server = transaction.client.local.ip.text();
    std::string upstream = transaction.tries > 0 ? transaction.upstream_address.text() : std::string();
    observe::AccessRecord record;
    record.time = observe::WallTime(milliseconds(transaction.core.loop.wall_now()));
    record.client_ip = client;
    record.client_port = transaction.client.address.port;
    record.method = request.method_token;
    record.target = request.target;
    record.path = transaction.path;
    record.version = request.major_version == 2 ? "HTTP/2.0" : request.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
    record.scheme = transaction.client.scheme;
    record.host = request.host;
    record.server_ip = server;
    record.server_port = transaction.client.local.port;
    record.status = static_cast<std::uint16_t>(transaction.response.status);
    record.request_bytes = transaction.request_head_bytes + transaction.request_body_bytes;
    record.response_bytes = transaction.sent_head_bytes + transaction.response_body_bytes;
    record.body_bytes = transaction.response_body_bytes;
    record.request_time = span(timings.started, timings.finished);
    record.gateway_time = span(timings.started, timings.upstream_began);
    record.connect_time = span(timings.upstream_began, timings.connected);
    record.header_time = span(timings.upstream_began, timings.response_head);
    record.upstream_time = transaction.tries > 0 ? span(timings.upstream_began, timings.finished) : milliseconds(-1);
    record.upstream_address = upstream;
    record.upstream_status = transaction.upstream_status;
    record.tries = transaction.tries;
    if (transaction.route != nullptr) record.route = transaction.route->name;
    if (transaction.service != nullptr) record.service = transaction.service->name;
    record.request_id = transaction.id();
    record.connection = transaction.client.connection;
    record.connection_requests = transaction.client.connection_requests;
    record.request = &request.headers;
    record.response = &transaction.response.headers;
    record.find_header = header_of;
    log.write(record);
}

}  // namespace

void record(const Transaction& transaction) {
    if (transaction.entrance != Entrance::clients) {
        if (transaction.core.admin_log.is_on()) write_line(transaction, transaction.core.admin_log);
        return;
    }
    observe::CoreMetrics& metrics = transaction.core.metrics;
    const plugin::Timings& timings = transaction.timings;
    metrics.add(observe::responses(static_cast<unsigned>(transaction.response.status)));
    metrics.add(observe::Counter::client_bytes_received,
                transaction.request_head_bytes + transaction.request_body_bytes);
    metrics.add(observe::Counter::client_bytes_sent, transaction.response_body_bytes);
    metrics.record(observe::Histogram::request_time, span(timings.started, timings.finished));
    if (timings.response_head != net::never)
        metrics.record(observe::Histogram::upstream_time, span(timings.upstream_began, timings.response_head));
    if (transaction.core.access_log.is_on()) write_line(transaction, transaction.core.access_log);
}

}  // namespace gateway
