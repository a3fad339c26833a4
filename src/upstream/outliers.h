// Outliers: endpoints that do worse than their peers are ejected for a while, which grows with each time in a row.
// Judged by the requests alone: errors in a row at once, success rate and latency against the others once an interval
// (sweep, on the health checker's thread), and nginx's max_fails. Counts and ejections lie in EndpointState: exact over
// all cores, and kept over reloads. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/time.h"
#include "upstream/endpoint.h"
#include "upstream/load.h"

namespace upstream {

struct OutlierRules {
    std::uint32_t errors_in_a_row = 0;          // 5xx answers and failed attempts; 0 = never
    std::uint32_t gateway_errors_in_a_row = 0;  // 502, 503, 504 and failed attempts
    net::Milliseconds interval{10'000};
    net::Milliseconds base_ejection{30'000};  // times the number of ejections in a row
    net::Milliseconds longest_ejection{300'000};
    double most_ejected = 50;           // per cent of the endpoints, rounded down
    double success_rate_deviation = 0;  // out below mean - this * standard deviation; 0 = off
    double latency_factor = 0;          // out above this * the median of all; 0 = off
    std::uint32_t least_endpoints = 5;  // with enough requests in the interval, or nothing is compared
    std::uint32_t least_requests = 100;
    std::uint32_t failed_attempts = 0;  // nginx's max_fails: within failed_attempts_within, which is how long it is out
    net::Milliseconds failed_attempts_within{10'000};

    [[nodiscard]] bool compares() const { return success_rate_deviation > 0 || latency_factor > 0; }
    [[nodiscard]] bool is_on() const {
        return errors_in_a_row > 0 || gateway_errors_in_a_row > 0 || failed_attempts > 0 || compares();
    }
    // Equal for equal rules only.
    [[nodiscard]] std::string text() const;
};

// How an attempt ended, as far as ejections go.
enum class Ending : std::uint8_t { success, server_error, gateway_error, failed };
[[nodiscard]] Ending ending_of(int status);

// For people: "5 errors in a row, the last 503".
[[nodiscard]] std::string text(const Ejection& ejection);

class Outliers {
  public:
    // Differences below this many milliseconds are no reason, whatever the factor.
    static constexpr double least_latency_difference = 5;

    Outliers(std::string upstream_name, OutlierRules rules, std::shared_ptr<Load> load)
        : name_(std::move(upstream_name)), rules_(rules), load_(std::move(load)) {}

    // Counts one attempt. A cause: the endpoint is to be ejected.
    [[nodiscard]] std::optional<Ejection> count(const Endpoint& endpoint, Ending ending, std::uint16_t status,
                                                net::Milliseconds latency, net::Instant now);
    // Unless too many of `endpoints` are ejected, or it is the last in service. `wall_now`: milliseconds since 1970.
    bool eject(const Endpoint& endpoint, std::span<const Endpoint> endpoints, Ejection why, net::Instant now,
               std::int64_t wall_now);
    // Ends ejections whose time is over, and compares the endpoints when an interval has passed. Answers when to come
    // again at the latest. One thread.
    net::Instant sweep(std::span<const Endpoint> endpoints, net::Instant now, std::int64_t wall_now);

  private:
    void let_back(const Endpoint& endpoint, net::Instant now);
    void compare(std::span<const Endpoint> endpoints, net::Instant now, std::int64_t wall_now);

    std::string name_;
    OutlierRules rules_;
    std::shared_ptr<Load> load_;
    net::Instant compare_at_ = net::never;
};

}  // namespace upstream
