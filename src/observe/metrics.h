// Counters, gauges and histograms. Each core owns its numbers and adds to them with plain relaxed loads and stores;
// anybody may read them at any time. Metrics sums over the cores and renders Prometheus text (0.0.4); `cardea status`
// reads the same sums. A new number is one line in metrics.cpp's table and one name here.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace observe {

enum class Counter : std::uint8_t {
    connections_accepted,
    connections_refused_limit,        // max_connections, max_connections_per_client
    connections_refused_descriptors,  // accept failed for want of descriptors or memory
    tls_handshakes,
    tls_resumptions,
    tls_handshake_failures,
    tls_handshakes_refused,  // too many under way
    tls_plain_http,          // requests that spoke HTTP to a TLS port
    requests,
    responses_1xx,
    responses_2xx,
    responses_3xx,
    responses_4xx,
    responses_5xx,
    client_bytes_received,
    client_bytes_sent,
    client_timeouts,  // header_timeout, body_timeout, body_min_rate, send_timeout
    client_aborts,    // the client went away before its answer was complete
    tunnels,          // upgraded connections
    upstream_connects,
    upstream_connect_failures,
    upstream_reuses,  // requests sent on a pooled connection
    upstream_retries,
    upstream_timeouts,
    upstream_malformed,  // responses that broke the protocol
    upstream_bytes_received,
    upstream_bytes_sent,
    no_route,
    no_endpoint,
    resolver_queries,
    resolver_failures,
    resolver_stale,  // answers served past their time while a refresh ran
    parse_errors_request_line,
    parse_errors_target,
    parse_errors_host,
    parse_errors_header,
    parse_errors_framing,  // Content-Length and Transfer-Encoding
    parse_errors_chunk,
    parse_errors_too_large,
    parse_errors_other,
    count
};

enum class Gauge : std::uint8_t {
    connections_active,  // client connections
    connections_idle,    // of those, waiting for a request
    requests_active,
    tunnels_active,
    upstream_connections_active,
    upstream_connections_idle,
    count
};

enum class Histogram : std::uint8_t {
    request_time,   // first byte of the request to last byte of the answer
    upstream_time,  // request sent to response head
    gateway_time,   // our own part of it
    connect_time,   // to an upstream
    count
};

// The counter of a response status; 1xx to 5xx, others count as 5xx.
constexpr Counter responses(unsigned status) {
    unsigned hundreds = status / 100;
    if (hundreds < 1 || hundreds > 5) hundreds = 5;
    return static_cast<Counter>(static_cast<unsigned>(Counter::responses_1xx) + hundreds - 1);
}

// Upper bounds of the buckets in microseconds; one more bucket is +Inf.
inline constexpr std::array<std::uint64_t, 17> bucket_bounds{
    250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,     50'000,    100'000,
    250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};

// The numbers of one core. Written by that core's thread only.
class alignas(64) CoreMetrics {
  public:
    void add(Counter counter, std::uint64_t amount = 1) { bump(counters_[static_cast<std::size_t>(counter)], amount); }
    void raise(Gauge gauge, std::int64_t by = 1) {
        bump(gauges_[static_cast<std::size_t>(gauge)], static_cast<std::uint64_t>(by));
    }
    void lower(Gauge gauge, std::int64_t by = 1) { raise(gauge, -by); }
    void record(Histogram histogram, std::chrono::nanoseconds time);

    [[nodiscard]] std::uint64_t value(Counter counter) const {
        return read(counters_[static_cast<std::size_t>(counter)]);
    }
    [[nodiscard]] std::int64_t value(Gauge gauge) const {
        return static_cast<std::int64_t>(read(gauges_[static_cast<std::size_t>(gauge)]));
    }

  private:
    friend class Metrics;
    using Cell = std::atomic<std::uint64_t>;
    struct Times {
        std::array<Cell, bucket_bounds.size() + 1> buckets{};
        Cell sum{0};  // microseconds
    };
    // One writer: a load and a store are enough, and cost an eighth of a locked add.
    static void bump(Cell& cell, std::uint64_t amount) {
        cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
    static std::uint64_t read(const Cell& cell) { return cell.load(std::memory_order_relaxed); }

    std::array<Cell, static_cast<std::size_t>(Counter::count)> counters_{};
    std::array<Cell, static_cast<std::size_t>(Gauge::count)> gauges_{};
    std::array<Times, static_cast<std::size_t>(Histogram::count)> times_{};
};

// A number that somebody else keeps (dropped log lines, the snapshot's version), shown beside ours.
struct Sample {
    std::string name;  // without `cardea_`
    std::string help;
    std::string type = "gauge";
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

class Metrics {
  public:
    explicit Metrics(std::size_t cores) : size_(cores), cores_(std::make_unique<CoreMetrics[]>(cores)) {}

    [[nodiscard]] CoreMetrics& core(std::size_t index) { return cores_[index]; }
    [[nodiscard]] const CoreMetrics& core(std::size_t index) const { return cores_[index]; }
    [[nodiscard]] std::size_t cores() const { return size_; }
    [[nodiscard]] std::uint64_t total(Counter counter) const;
    [[nodiscard]] std::int64_t total(Gauge gauge) const;
    // The Prometheus page. Samples of one name stand together.
    [[nodiscard]] std::string render(const std::vector<Sample>& samples = {}) const;

  private:
    void render_histogram(std::string& out, Histogram histogram) const;

    std::size_t size_;
    std::unique_ptr<CoreMetrics[]> cores_;
};

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace observe
