#include "upstream/health.h"

#include <fmt/format.h>

#include "observe/log.h"

namespace upstream {

namespace {

// One byte a kind, so that "a success clears the failures" is one exchange.
constexpr unsigned shift_of(Finding finding) { return 8 * static_cast<unsigned>(finding); }
constexpr std::uint32_t success_mask = 0xff;

}  // namespace

std::string_view name(Finding finding) {
    switch (finding) {
        case Finding::success:
            return "success";
        case Finding::http_failure:
            return "http_failure";
        case Finding::tcp_failure:
            return "tcp_failure";
        case Finding::timeout:
            return "timeout";
    }
    return "unknown";
}

std::string_view name(FoundBy found_by) {
    switch (found_by) {
        case FoundBy::nobody:
            return "nobody";
        case FoundBy::request:
            return "request";
        case FoundBy::probe:
            return "probe";
        case FoundBy::person:
            return "person";
    }
    return "unknown";
}

std::string text(const HealthReason& reason) {
    if (reason.found_by == FoundBy::nobody) return {};
    if (reason.found_by == FoundBy::person) return "set by a person";
    std::string out(name(reason.finding));
    if (reason.status != 0) out += ' ' + std::to_string(reason.status);
    return out + ", found by a " + std::string(name(reason.found_by));
}

std::uint8_t FindingLimits::of(Finding finding) const {
    switch (finding) {
        case Finding::success:
            return successes;
        case Finding::http_failure:
            return http_failures;
        case Finding::tcp_failure:
            return tcp_failures;
        case Finding::timeout:
            return timeouts;
    }
    return 0;
}

std::optional<Finding> StatusRules::finding(int status) const {
    if (status < 0 || status >= 1000) return Finding::http_failure;
    auto at = static_cast<std::size_t>(status);
    if (healthy[at]) return Finding::success;
    if (unhealthy[at]) return Finding::http_failure;
    return {};
}

std::string HealthRules::text() const {
    auto limits_text = [](const FindingLimits& limits) {
        return fmt::format("{}-{}-{}-{}", limits.successes, limits.http_failures, limits.tcp_failures, limits.timeouts);
    };
    auto statuses_text = [](const StatusRules& statuses) {
        return statuses.healthy.to_string() + statuses.unhealthy.to_string();
    };
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", static_cast<int>(active.type), active.request,
                       active.host_header, active.timeout.count(), active.interval_healthy.count(),
                       active.interval_unhealthy.count(), active.concurrency, limits_text(active.limits),
                       statuses_text(active.statuses), limits_text(passive), statuses_text(passive_statuses), threshold,
                       active.tls ? active.tls->trust + '|' + active.tls->server_name : "");
}

bool Health::found(const Endpoint& endpoint, const HealthReason& what, std::int64_t now) {
    const FindingLimits& limits = what.found_by == FoundBy::probe ? rules_.active.limits : rules_.passive;
    std::uint8_t limit = limits.of(what.finding);
    EndpointState& state = *endpoint.state;
    bool is_success = what.finding == Finding::success;
    unsigned shift = shift_of(what.finding);
    std::uint32_t before = state.findings.load(std::memory_order_relaxed);
    while (true) {
        // What agrees with the state is not counted; it only ends the row of what does not.
        bool agrees = state.has(Bar::unhealthy) != is_success;
        std::uint32_t row = is_success ? before & success_mask : before & ~success_mask;
        std::uint32_t seen = (row >> shift & 0xff) + 1;
        bool turns = !agrees && limit > 0 && seen >= limit;
        std::uint32_t after = agrees || turns ? 0 : limit == 0 ? row : (row & ~(0xffU << shift)) | seen << shift;
        if (after == before && !turns) return false;  // of nearly all requests: nothing is written
        if (!state.findings.compare_exchange_weak(before, after, std::memory_order_acq_rel)) continue;
        // Two cores may bring the last of a row at once: the state turns once, and that is said once.
        if (!turns || !state.set(Bar::unhealthy, !is_success)) return false;
        turned(endpoint, is_success, what, now);
        return true;
    }
}

bool Health::set(const Endpoint& endpoint, bool is_healthy, std::int64_t now) {
    EndpointState& state = *endpoint.state;
    state.findings.store(0, std::memory_order_release);
    if (!state.set(Bar::unhealthy, !is_healthy)) return false;
    turned(endpoint, is_healthy, {FoundBy::person, {}, 0}, now);
    return true;
}

void Health::turned(const Endpoint& endpoint, bool is_healthy, const HealthReason& why, std::int64_t now) {
    endpoint.state->reason.store(why, std::memory_order_release);
    endpoint.state->turned_at.store(now, std::memory_order_release);
    observe::log(
        is_healthy ? observe::Level::notice : observe::Level::warn, "health",
        is_healthy ? "target is healthy again" : "target is unhealthy and takes no more requests",
        {{"upstream", name_}, {"target", endpoint.host}, {"address", endpoint.address.text()}, {"reason", text(why)}});
}

void Health::reconsider(std::span<const Endpoint> endpoints) {
    std::uint64_t all = 0;
    std::uint64_t available = 0;
    for (const Endpoint& endpoint : endpoints) {
        all += endpoint.weight;
        if (endpoint.state->is_in_service()) available += endpoint.weight;
    }
    // Kong: at the threshold it is closed; with 0, only if there is nothing at all, which the pick finds by itself.
    bool is_open =
        rules_.threshold <= 0 || static_cast<double>(available) * 100 > rules_.threshold * static_cast<double>(all);
    if (is_open_.exchange(is_open, std::memory_order_acq_rel) == is_open) return;
    observe::log(is_open ? observe::Level::notice : observe::Level::error, "health",
                 is_open ? "upstream takes requests again" : "upstream takes no requests: too little is in service",
                 {{"upstream", name_}, {"weight", all}, {"in_service", available}});
}

}  // namespace upstream
