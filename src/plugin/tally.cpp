#include "plugin/tally.h"

#include <array>
#include <charconv>
#include <string>

#include "plugin/latencies.h"

namespace plugin {

namespace {

using observe::Family;
using observe::SeriesId;

// kong.md 4.14: names, labels, buckets and help texts.
constexpr std::string_view workspace = "default";

const Family requests{"kong_http_requests_total",
                      "HTTP status codes per consumer/service/route in Kong",
                      {{"service", true}, {"route", true}, {"code"}, {"source"}, {"workspace"}, {"consumer", true}},
                      {}};
const Family bytes{"kong_bandwidth_bytes",
                   "Total bandwidth (ingress/egress) throughput in bytes",
                   {{"service", true}, {"route", true}, {"direction"}, {"workspace"}, {"consumer", true}},
                   {}};
const std::vector<std::uint64_t> upstream_bounds{25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000};
const Family kong_latency{"kong_kong_latency_ms",
                          "Latency added by Kong and enabled plugins for each service/route in Kong",
                          {{"service", true}, {"route", true}, {"workspace"}},
                          {1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000}};
const Family upstream_latency{"kong_upstream_latency_ms",
                              "Latency added by upstream response for each service/route in Kong",
                              {{"service", true}, {"route", true}, {"workspace"}},
                              upstream_bounds};
const Family request_latency{"kong_request_latency_ms",
                             "Total latency incurred during requests for each service/route in Kong",
                             {{"service", true}, {"route", true}, {"workspace"}},
                             upstream_bounds};

// One place in a core's table of series: route 26 bits, consumer 26 bits (never 0), and what is counted 12 bits.
constexpr unsigned ingress = 0;
constexpr unsigned egress = 1;
constexpr unsigned is_status = 1U << 11;

std::uint64_t key_of(const Exchange& exchange, const Consumer* consumer, unsigned what) {
    std::uint64_t who = consumer == nullptr ? 1 : std::uint64_t{consumer->index} + 2;
    return std::uint64_t{exchange.match.route} << 38 | who << 12 | what;
}

// Status and source of an answer.
std::uint16_t outcome_of(const Exchange& exchange) {
    unsigned status = static_cast<unsigned>(exchange.response.status) & 1023;
    return static_cast<std::uint16_t>(status << 1 | (exchange.is_from_upstream ? 1U : 0U));
}

std::string_view service_label(const Exchange& exchange) {
    if (exchange.service == nullptr) return {};
    return exchange.service->name.empty() ? std::string_view(exchange.service->host) : exchange.service->name;
}

std::string route_label(const Exchange& exchange) {
    return exchange.route->name.empty() ? exchange.route->id.text() : exchange.route->name;
}

std::string_view consumer_label(const Consumer* consumer) {
    return consumer == nullptr ? std::string_view() : consumer->username;
}

std::string key_of(const Consumers& consumers) {
    // No two configurations that live at the same time have the same.
    return "tally " + std::to_string(reinterpret_cast<std::uintptr_t>(&consumers));
}

std::uint64_t not_negative(std::int64_t value) { return value < 0 ? 0 : static_cast<std::uint64_t>(value); }

}  // namespace

Tally::Tally(observe::Series& series, unsigned cores)
    : series_(series),
      families_{series.family(requests), series.family(bytes), series.family(kong_latency),
                series.family(upstream_latency), series.family(request_latency)},
      cores_(cores) {}

std::shared_ptr<Tally> Tally::of(const Setup& setup) {
    return setup.shared.state<Tally>(key_of(setup.consumers),
                                     [&] { return std::make_shared<Tally>(setup.shared.series, setup.cores); });
}

std::shared_ptr<Tally> Tally::find(Shared& shared, const Consumers& consumers) {
    return shared.find<Tally>(key_of(consumers));
}

Tally::Route& Tally::route_of(OfCore& core, const Exchange& exchange) {
    std::size_t index = exchange.match.route;
    if (index >= core.routes.size()) [[unlikely]]
        core.routes.resize(index + 1);
    return core.routes[index];
}

void Tally::count_status(const Exchange& exchange, const Consumer* consumer) {
    OfCore& core = cores_[exchange.worker.index];
    std::uint16_t outcome = outcome_of(exchange);
    Route& route = route_of(core, exchange);
    if (consumer == nullptr && route.status && route.outcome == outcome) return series_.add(route.status);
    SeriesId series = core.others.get(key_of(exchange, consumer, is_status | outcome),
                                      [&] { return open_status(exchange, consumer); });
    series_.add(series);
    if (consumer != nullptr) return;
    route.status = series;
    route.outcome = outcome;
}

void Tally::count_bytes(const Exchange& exchange, const Consumer* consumer) {
    OfCore& core = cores_[exchange.worker.index];
    std::uint64_t in = exchange.request_head_bytes + exchange.request_body_bytes;
    std::uint64_t out = exchange.sent_head_bytes + exchange.response_body_bytes;
    if (consumer == nullptr) {
        Route& route = route_of(core, exchange);
        if (!route.ingress) [[unlikely]] {
            route.ingress = open_bytes(exchange, "ingress", nullptr);
            route.egress = open_bytes(exchange, "egress", nullptr);
        }
        series_.add(route.ingress, in);
        series_.add(route.egress, out);
        return;
    }
    auto series_for = [&](unsigned what, std::string_view direction) {
        return core.others.get(key_of(exchange, consumer, what),
                               [&] { return open_bytes(exchange, direction, consumer); });
    };
    series_.add(series_for(ingress, "ingress"), in);
    series_.add(series_for(egress, "egress"), out);
}

void Tally::record_latencies(const Exchange& exchange) {
    Route& route = route_of(cores_[exchange.worker.index], exchange);
    if (!route.kong) [[unlikely]] {
        route.kong = open(families_.kong, exchange);
        route.upstream = open(families_.upstream, exchange);
        route.request = open(families_.request, exchange);
    }
    Latencies latencies = latencies_of(exchange);
    series_.record(route.kong, not_negative(latencies.kong));
    series_.record(route.request, not_negative(latencies.request));
    if (latencies.proxy >= 0) series_.record(route.upstream, not_negative(latencies.proxy));
}

SeriesId Tally::open(observe::FamilyId family, const Exchange& exchange) const {
    std::string route = route_label(exchange);
    return series_.open(family, std::array<std::string_view, 3>{service_label(exchange), route, workspace});
}

SeriesId Tally::open_status(const Exchange& exchange, const Consumer* consumer) const {
    std::string route = route_label(exchange);
    char digits[8];
    char* end = std::to_chars(digits, digits + sizeof digits, outcome_of(exchange) >> 1).ptr;
    std::array<std::string_view, 6> values{service_label(exchange),
                                           route,
                                           std::string_view(digits, end),
                                           exchange.is_from_upstream ? "service" : "kong",
                                           workspace,
                                           consumer_label(consumer)};
    return series_.open(families_.requests, values);
}

SeriesId Tally::open_bytes(const Exchange& exchange, std::string_view direction, const Consumer* consumer) const {
    std::string route = route_label(exchange);
    std::array<std::string_view, 5> values{service_label(exchange), route, direction, workspace,
                                           consumer_label(consumer)};
    return series_.open(families_.bytes, values);
}

}  // namespace plugin
