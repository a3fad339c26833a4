// Endpoint: one address that requests may be sent to, and the shared numbers about it. The numbers (active requests,
// latency, availability) are exact over all cores by atomics and survive reloads, since EndpointStates keeps them by
// key.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/address.h"
#include "net/time.h"

namespace upstream {

// Moving average of an endpoint's latency that jumps up to a peak at once and forgets it over `decay` (peak EWMA).
// One atomic word, so that cores may record and read at the same time.
class PeakLatency {
  public:
    static constexpr net::Milliseconds decay{10'000};

    void record(std::chrono::nanoseconds latency, net::Instant now);
    // Microseconds, decayed to `now`; negative if nothing was ever recorded.
    [[nodiscard]] float microseconds(net::Instant now) const;

  private:
    std::atomic<std::uint64_t> packed_{
        0};  // float microseconds | milliseconds of the clock, modulo 2^32; 0: nothing yet
};

enum class Finding : std::uint8_t { success, http_failure, tcp_failure, timeout };
enum class FoundBy : std::uint8_t { nobody, request, probe, person };

// Why an endpoint's state turned last.
struct HealthReason {
    FoundBy found_by = FoundBy::nobody;
    Finding finding = Finding::success;
    std::uint16_t status = 0;  // of the answer, if that was the finding
};

// What keeps requests from an endpoint; each is set and lifted by its own judge.
enum class Bar : std::uint8_t { unhealthy = 1, ejected = 2 };

enum class EjectionCause : std::uint8_t {
    nothing,
    errors_in_a_row,
    gateway_errors_in_a_row,
    success_rate,
    latency,
    failed_attempts
};

// Why and how often an endpoint was ejected. `measure`: a status, a number, per cent or milliseconds, by the cause.
struct Ejection {
    EjectionCause cause = EjectionCause::nothing;
    std::uint8_t times = 0;  // in a row: how many times the base the ejection lasts
    std::uint16_t measure = 0;
};

// What Outliers counts about an endpoint (outliers.h).
struct OutlierCounts {
    std::atomic<std::uint32_t> errors{0};          // in a row
    std::atomic<std::uint32_t> gateway_errors{0};  // in a row
    std::atomic<std::uint32_t> failures{0};        // since failures_from, without a success
    std::atomic<net::Instant> failures_from{0};
    // Of this interval.
    std::atomic<std::uint32_t> answers{0};
    std::atomic<std::uint32_t> successes{0};
    std::atomic<std::uint64_t> milliseconds{0};  // of the successes, to their heads

    std::atomic<net::Instant> ejected_until{0};
    std::atomic<std::int64_t> ejected_at{0};  // milliseconds since 1970; 0: never
    std::atomic<Ejection> ejection{Ejection{}};
};

struct alignas(64) EndpointState {
    static constexpr net::Instant warms_from_next_pick = -1;

    [[nodiscard]] bool is_in_service() const { return bars.load(std::memory_order_relaxed) == 0; }
    [[nodiscard]] bool has(Bar bar) const {
        return (bars.load(std::memory_order_acquire) & static_cast<std::uint8_t>(bar)) != 0;
    }
    // False: it was so already. Without its last bar the endpoint begins to warm up.
    bool set(Bar bar, bool is_barred);
    // Changes whenever the bars of any endpoint of the process do.
    [[nodiscard]] static std::uint64_t turns() { return turns_.load(std::memory_order_acquire); }

    std::atomic<std::uint32_t> active{0};     // requests sent and not yet finished
    std::atomic<std::uint8_t> bars{0};        // of Bar; none: in service
    std::atomic<bool> is_known{false};        // an upstream has had it among its endpoints
    std::atomic<std::uint32_t> findings{0};   // in a row, a byte for each Finding; Health's
    std::atomic<net::Instant> warms_from{0};  // slow start: since when it is back; 0: it is warm
    PeakLatency latency;
    std::atomic<HealthReason> reason{HealthReason{}};
    std::atomic<std::int64_t> turned_at{0};  // milliseconds since 1970; 0: never
    OutlierCounts outlier;

  private:
    inline static std::atomic<std::uint64_t> turns_{1};
};

inline constexpr std::uint32_t most_weight = 65'535;  // Kong's target.weight, and an SRV record's

struct Endpoint {
    net::SocketAddress address;
    std::string host;        // the target's name, for Host and SNI (kong.md 3.3); the address itself if it was numeric
    std::uint16_t port = 0;  // the target's port, as Host shows it; address.port differs only by an override
    std::uint32_t weight = 0;  // up to most_weight; 0: no traffic
    std::uint32_t target = 0;  // which target it came from
    std::shared_ptr<EndpointState> state;
};

// The states of all endpoints of the process. Used off the request path; any thread.
class EndpointStates {
  public:
    // The state of this address within this upstream: the one in use if anybody still holds it, else a new one.
    std::shared_ptr<EndpointState> acquire(std::string_view upstream_id, const net::SocketAddress& address);
    [[nodiscard]] std::size_t size() const;

  private:
    void sweep();
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::weak_ptr<EndpointState>> states_;
    std::size_t sweep_at_ = 1024;
};

}  // namespace upstream
