// Health: what checks and requests find out about the endpoints of one upstream, counted against limits; an endpoint
// over a limit takes no more requests until enough successes bring it back (kong.md 7.5). The counts and the verdict
// lie in EndpointState: exact over all cores by atomics, and kept over reloads. Any thread.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/time.h"
#include "net/tls/context.h"
#include "upstream/endpoint.h"

namespace upstream {

[[nodiscard]] std::string_view name(Finding finding);
[[nodiscard]] std::string_view name(FoundBy found_by);
// For people: "http_failure 503, found by a probe".
[[nodiscard]] std::string text(const HealthReason& reason);

// How many findings of a kind turn an endpoint's state; 0 = this kind never does (Kong: 0 to 255).
struct FindingLimits {
    std::uint8_t successes = 0;
    std::uint8_t http_failures = 0;
    std::uint8_t tcp_failures = 0;
    std::uint8_t timeouts = 0;
    [[nodiscard]] std::uint8_t of(Finding finding) const;
    [[nodiscard]] bool can_fail() const { return http_failures + tcp_failures + timeouts > 0; }
};

struct StatusRules {
    std::bitset<1000> healthy;
    std::bitset<1000> unhealthy;
    // Nothing for a status that says neither.
    [[nodiscard]] std::optional<Finding> finding(int status) const;
};

enum class ProbeType : std::uint8_t { http, tcp, grpc };

// What probes over TLS hold the endpoint to.
struct ProbeTls {
    net::tls::ClientContext context;
    net::tls::Verify verify = net::tls::Verify::chain_and_name;
    std::string server_name;  // empty: that of Host
    std::string trust;        // equal for equal settings only
};

struct ActiveRules {
    ProbeType type = ProbeType::http;
    std::shared_ptr<const ProbeTls> tls;      // null: plain
    std::string request;                      // without Host: "GET /path HTTP/1.1\r\n" and fields; none of tcp
    std::string host_header;                  // empty: the endpoint's name
    net::Milliseconds timeout{1'000};         // of one probe
    net::Milliseconds interval_healthy{0};    // between probes of an endpoint in service; 0 = none
    net::Milliseconds interval_unhealthy{0};  // and of one that is not
    std::uint32_t concurrency = 10;           // probes of the upstream at a time
    FindingLimits limits;
    StatusRules statuses;
    [[nodiscard]] bool is_on() const { return interval_healthy.count() > 0 || interval_unhealthy.count() > 0; }
};

struct HealthRules {
    ActiveRules active;
    FindingLimits passive;
    StatusRules passive_statuses;
    double threshold = 0;  // the upstream takes nothing unless more than this percentage of its weight is in service
    [[nodiscard]] bool is_on() const { return active.is_on() || passive.can_fail(); }
    // Equal for equal rules only.
    [[nodiscard]] std::string text() const;
};

class Health {
  public:
    Health(std::string upstream_name, HealthRules rules) : name_(std::move(upstream_name)), rules_(std::move(rules)) {}

    // What a request found (passive), a probe (active), or a person decided. `now` is milliseconds since 1970. True:
    // the endpoint's state has turned, which has been logged.
    bool found(const Endpoint& endpoint, const HealthReason& what, std::int64_t now);
    bool set(const Endpoint& endpoint, bool is_healthy, std::int64_t now);

    // False while too little weight is in service: nothing is picked then (threshold). As of the last reconsider().
    [[nodiscard]] bool is_open() const { return is_open_.load(std::memory_order_relaxed); }
    void reconsider(std::span<const Endpoint> endpoints);

  private:
    void turned(const Endpoint& endpoint, bool is_healthy, const HealthReason& why, std::int64_t now);

    std::string name_;
    HealthRules rules_;
    std::atomic<bool> is_open_{true};
};

}  // namespace upstream
