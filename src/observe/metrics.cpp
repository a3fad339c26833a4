#include "observe/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "observe/label.h"

namespace observe {

namespace {
struct Description {
    std::string_view name;
    std::string_view label;  // `key="value"`, or empty
    std::string_view help;   // empty: the same number with another label
};

constexpr auto counter_count = static_cast<std::size_t>(Counter::count);
constexpr auto gauge_count = static_cast<std::size_t>(Gauge::count);
constexpr auto histogram_count = static_cast<std::size_t>(Histogram::count);

// In the order of the enumerations.
constexpr std::array<Description, counter_count> counters{{
    {"connections_accepted_total", "", "Client connections accepted."},
    {"connections_refused_total", "reason=\"limit\"", "Client connections refused."},
    {"connections_refused_total", "reason=\"descriptors\"", ""},
    {"tls_handshakes_total", "", "TLS handshakes of clients that succeeded."},
    {"tls_resumptions_total", "", "Of those, by a session ticket."},
    {"tls_handshake_failures_total", "reason=\"failed\"", "TLS handshakes of clients that did not succeed."},
    {"tls_handshake_failures_total", "reason=\"too_many\"", ""},
    {"tls_handshake_failures_total", "reason=\"plain_http\"", ""},
    {"requests_total", "", "Requests whose header fields were read."},
    {"responses_total", "class=\"1xx\"", "Responses sent to clients."},
    {"responses_total", "class=\"2xx\"", ""},
    {"responses_total", "class=\"3xx\"", ""},
    {"responses_total", "class=\"4xx\"", ""},
    {"responses_total", "class=\"5xx\"", ""},
    {"client_bytes_total", "direction=\"received\"", "Bytes exchanged with clients."},
    {"client_bytes_total", "direction=\"sent\"", ""},
    {"client_timeouts_total", "", "Client connections closed because a time limit passed."},
    {"client_aborts_total", "", "Clients that went away before their answer was complete."},
    {"tunnels_total", "", "Upgraded connections, such as WebSocket."},
    {"upstream_connects_total", "", "Connections opened to upstream targets."},
    {"upstream_connect_failures_total", "", "Connections to upstream targets that failed."},
    {"upstream_reuses_total", "", "Requests sent on a kept connection."},
    {"upstream_retries_total", "", "Further attempts after a failed one."},
    {"upstream_timeouts_total", "", "Upstream attempts that ran out of time."},
    {"upstream_malformed_total", "", "Upstream responses that broke the protocol."},
    {"upstream_bytes_total", "direction=\"received\"", "Bytes exchanged with upstream targets."},
    {"upstream_bytes_total", "direction=\"sent\"", ""},
    {"no_route_total", "", "Requests that no route matched."},
    {"no_endpoint_total", "", "Requests for which no target could take traffic."},
    {"resolver_queries_total", "", "DNS queries sent."},
    {"resolver_failures_total", "", "DNS queries that failed."},
    {"resolver_stale_total", "", "Look-ups answered from an expired record while a refresh ran."},
    {"parse_errors_total", "kind=\"request_line\"", "Requests refused as malformed."},
    {"parse_errors_total", "kind=\"target\"", ""},
    {"parse_errors_total", "kind=\"host\"", ""},
    {"parse_errors_total", "kind=\"header\"", ""},
    {"parse_errors_total", "kind=\"framing\"", ""},
    {"parse_errors_total", "kind=\"chunk\"", ""},
    {"parse_errors_total", "kind=\"too_large\"", ""},
    {"parse_errors_total", "kind=\"other\"", ""},
}};

constexpr std::array<Description, gauge_count> gauges{{
    {"connections", "state=\"active\"", "Open client connections."},
    {"connections", "state=\"idle\"", ""},
    {"requests_active", "", "Requests under way."},
    {"tunnels_active", "", "Upgraded connections that are open."},
    {"upstream_connections", "state=\"active\"", "Open connections to upstream targets."},
    {"upstream_connections", "state=\"idle\"", ""},
}};

constexpr std::array<Description, histogram_count> histograms{{
    {"request_seconds", "", "From the first byte of a request to the last byte of its answer."},
    {"upstream_seconds", "", "From a request sent to the head of its response."},
    {"gateway_seconds", "", "The gateway's own part of a request's time."},
    {"upstream_connect_seconds", "", "Time to open a connection to an upstream target."},
}};

constexpr bool is_complete(const auto& table) {
    return std::all_of(table.begin(), table.end(), [](const Description& entry) { return !entry.name.empty(); });
}
static_assert(is_complete(counters) && is_complete(gauges) && is_complete(histograms), "a number without its line");

void head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    fmt::format_to(std::back_inserter(out), "# HELP cardea_{0} {1}\n# TYPE cardea_{0} {2}\n", name, help, type);
}

template <typename Number>
void line(std::string& out, const Description& entry, std::string_view type, Number value) {
    if (!entry.help.empty()) head(out, entry.name, entry.help, type);
    if (entry.label.empty())
        fmt::format_to(std::back_inserter(out), "cardea_{} {}\n", entry.name, value);
    else
        fmt::format_to(std::back_inserter(out), "cardea_{}{{{}}} {}\n", entry.name, entry.label, value);
}

double seconds(std::uint64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }
}  // namespace

void CoreMetrics::record(Histogram histogram, std::chrono::nanoseconds time) {
    auto microseconds = time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count()) / 1000;
    Times& times = times_[static_cast<std::size_t>(histogram)];
    auto bucket = std::lower_bound(bucket_bounds.begin(), bucket_bounds.end(), microseconds) - bucket_bounds.begin();
    bump(times.buckets[static_cast<std::size_t>(bucket)], 1);
    bump(times.sum, microseconds);
}

std::uint64_t Metrics::total(Counter counter) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < size_; ++i) sum += cores_[i].value(counter);
    return sum;
}

std::int64_t Metrics::total(Gauge gauge) const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < size_; ++i) sum += cores_[i].value(gauge);
    return sum;
}

void Metrics::render_histogram(std::string& out, Histogram histogram) const {
    auto index = static_cast<std::size_t>(histogram);
    const Description& entry = histograms[index];
    head(out, entry.name, entry.help, "histogram");
    std::uint64_t sum = 0;
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket <= bucket_bounds.size(); ++bucket) {
        for (std::size_t i = 0; i < size_; ++i) below += CoreMetrics::read(cores_[i].times_[index].buckets[bucket]);
        std::string bound = bucket == bucket_bounds.size() ? "+Inf" : fmt::format("{}", seconds(bucket_bounds[bucket]));
        fmt::format_to(std::back_inserter(out), "cardea_{}_bucket{{le=\"{}\"}} {}\n", entry.name, bound, below);
    }
    for (std::size_t i = 0; i < size_; ++i) sum += CoreMetrics::read(cores_[i].times_[index].sum);
    // The count is the last bucket, not read again: the two must agree.
    fmt::format_to(std::back_inserter(out), "cardea_{0}_sum {1}\ncardea_{0}_count {2}\n", entry.name, seconds(sum),
                   below);
}

std::string Metrics::render(const std::vector<Sample>& samples) const {
    std::string out;
    for (std::size_t i = 0; i < counter_count; ++i) line(out, counters[i], "counter", total(static_cast<Counter>(i)));
    for (std::size_t i = 0; i < gauge_count; ++i) line(out, gauges[i], "gauge", total(static_cast<Gauge>(i)));
    for (std::size_t i = 0; i < histogram_count; ++i) render_histogram(out, static_cast<Histogram>(i));
    std::string_view last;
    for (const Sample& sample : samples) {
        if (sample.name != last) head(out, sample.name, sample.help, sample.type);
        last = sample.name;
        std::string labels;
        for (const auto& [key, value] : sample.labels) put_label(labels, key, value);
        if (!labels.empty()) labels = "{" + labels + "}";
        fmt::format_to(std::back_inserter(out), "cardea_{}{} {}\n", sample.name, labels, sample.value);
    }
    return out;
}

}  // namespace observe
