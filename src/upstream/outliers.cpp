#include "upstream/outliers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "observe/log.h"

namespace upstream {

namespace {

// Ejections are rare, and the share that is out must be exact: also between an upstream before a reload and after it,
// which share their endpoints' states.
std::mutex& ejecting() {
    static std::mutex lock;
    return lock;
}

std::uint16_t small(double value) {
    return static_cast<std::uint16_t>(std::clamp(value, 0.0, double{std::numeric_limits<std::uint16_t>::max()}));
}

// An interval in service makes one ejection good.
void forgive_one(OutlierCounts& counts) {
    std::lock_guard guard(ejecting());
    Ejection ejection = counts.ejection.load(std::memory_order_relaxed);
    if (ejection.times == 0) return;
    --ejection.times;
    counts.ejection.store(ejection, std::memory_order_relaxed);
}

void clear(std::atomic<std::uint32_t>& count) {
    if (count.load(std::memory_order_relaxed) != 0) count.store(0, std::memory_order_relaxed);  // nearly always 0
}

constexpr double rounding = 1e-9;

// What one endpoint did in an interval.
struct Performance {
    const Endpoint* endpoint;
    double success_rate;
    double latency;  // ms; negative: no success
};

double median(std::vector<double> values) {
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

Ending ending_of(int status) {
    if (status >= 502 && status <= 504) return Ending::gateway_error;
    return status >= 500 ? Ending::server_error : Ending::success;
}

std::string text(const Ejection& ejection) {
    switch (ejection.cause) {
        case EjectionCause::nothing:
            return {};
        case EjectionCause::errors_in_a_row:
        case EjectionCause::gateway_errors_in_a_row: {
            std::string_view kind = ejection.cause == EjectionCause::errors_in_a_row ? "errors" : "gateway errors";
            std::string last = ejection.measure == 0 ? "a failed attempt" : std::to_string(ejection.measure);
            return fmt::format("{} in a row, the last {}", kind, last);
        }
        case EjectionCause::success_rate:
            return fmt::format("success rate of {} %, far below the others", ejection.measure);
        case EjectionCause::latency:
            return fmt::format("answers take {} ms, far above the others", ejection.measure);
        case EjectionCause::failed_attempts:
            return fmt::format("{} failed attempts within fail_timeout", ejection.measure);
    }
    return {};
}

std::string OutlierRules::text() const {
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", errors_in_a_row, gateway_errors_in_a_row,
                       interval.count(), base_ejection.count(), longest_ejection.count(), most_ejected,
                       success_rate_deviation, latency_factor, least_endpoints, least_requests, failed_attempts,
                       failed_attempts_within.count());
}

std::optional<Ejection> Outliers::count(const Endpoint& endpoint, Ending ending, std::uint16_t status,
                                        net::Milliseconds latency, net::Instant now) {
    constexpr auto relaxed = std::memory_order_relaxed;
    OutlierCounts& counts = endpoint.state->outlier;
    if (rules_.compares()) {
        counts.answers.fetch_add(1, relaxed);
        if (ending == Ending::success) {
            counts.successes.fetch_add(1, relaxed);
            counts.milliseconds.fetch_add(static_cast<std::uint64_t>(std::max<long>(0, latency.count())), relaxed);
        }
    }
    if (ending == Ending::success) {
        clear(counts.errors);
        clear(counts.gateway_errors);
        clear(counts.failures);
        return {};
    }
    std::optional<Ejection> out;
    // A row that ends in an ejection, or in the refusal of one, begins anew.
    auto one_more = [&](std::atomic<std::uint32_t>& row, std::uint32_t limit, EjectionCause cause,
                        std::uint16_t measure) {
        if (limit == 0 || row.fetch_add(1, relaxed) + 1 < limit) return;
        row.store(0, relaxed);
        if (!out) out = Ejection{cause, 0, measure};
    };
    if (ending == Ending::server_error)
        clear(counts.gateway_errors);
    else
        one_more(counts.gateway_errors, rules_.gateway_errors_in_a_row, EjectionCause::gateway_errors_in_a_row, status);
    one_more(counts.errors, rules_.errors_in_a_row, EjectionCause::errors_in_a_row, status);
    if (ending == Ending::failed && rules_.failed_attempts > 0) {
        net::Instant from = counts.failures_from.load(relaxed);
        if (counts.failures.load(relaxed) == 0 || now - from > rules_.failed_attempts_within.count()) {
            counts.failures_from.store(now, relaxed);
            counts.failures.store(0, relaxed);
        }
        one_more(counts.failures, rules_.failed_attempts, EjectionCause::failed_attempts,
                 small(rules_.failed_attempts));
    }
    return out;
}

bool Outliers::eject(const Endpoint& endpoint, std::span<const Endpoint> endpoints, Ejection why, net::Instant now,
                     std::int64_t wall_now) {
    EndpointState& state = *endpoint.state;
    std::lock_guard guard(ejecting());
    if (state.has(Bar::ejected)) return false;
    std::size_t all = 0;
    std::size_t ejected = 0;  // with this one
    std::size_t left = 0;
    for (const Endpoint& each : endpoints) {
        if (each.weight == 0) continue;
        bool is_it = each.state == endpoint.state;
        ++all;
        ejected += is_it || each.state->has(Bar::ejected) ? 1 : 0;
        left += !is_it && each.state->is_in_service() ? 1 : 0;
    }
    if (left == 0 || static_cast<double>(ejected) * 100 > rules_.most_ejected * static_cast<double>(all)) {
        load_->ejections_refused.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    OutlierCounts& counts = state.outlier;
    std::uint8_t before = counts.ejection.load(std::memory_order_relaxed).times;
    why.times = before < std::numeric_limits<std::uint8_t>::max() ? before + 1 : before;
    net::Milliseconds span = std::min(rules_.base_ejection * why.times, rules_.longest_ejection);
    if (why.cause == EjectionCause::failed_attempts) span = rules_.failed_attempts_within;
    counts.ejection.store(why, std::memory_order_release);
    counts.ejected_at.store(wall_now, std::memory_order_release);
    counts.ejected_until.store(net::after(now, span), std::memory_order_release);
    state.set(Bar::ejected, true);
    load_->ejections.fetch_add(1, std::memory_order_relaxed);
    observe::log(observe::Level::warn, "health", "target is ejected and takes no requests for a while",
                 {{"upstream", name_},
                  {"target", endpoint.host},
                  {"address", endpoint.address.text()},
                  {"reason", text(why)},
                  {"milliseconds", span.count()},
                  {"times", static_cast<int>(why.times)}});
    return true;
}

net::Instant Outliers::sweep(std::span<const Endpoint> endpoints, net::Instant now, std::int64_t wall_now) {
    if (compare_at_ == net::never) compare_at_ = net::after(now, rules_.interval);
    net::Instant next = net::never;
    for (const Endpoint& endpoint : endpoints) {
        if (!endpoint.state->has(Bar::ejected)) continue;
        net::Instant until = endpoint.state->outlier.ejected_until.load(std::memory_order_acquire);
        if (until <= now)
            let_back(endpoint, now);
        else
            next = std::min(next, until);
    }
    if (compare_at_ <= now) {
        compare(endpoints, now, wall_now);
        compare_at_ = net::after(now, rules_.interval);
    }
    return std::min(next, compare_at_);
}

void Outliers::let_back(const Endpoint& endpoint, net::Instant now) {
    EndpointState& state = *endpoint.state;
    OutlierCounts& counts = state.outlier;
    std::lock_guard guard(ejecting());
    if (!state.has(Bar::ejected) || counts.ejected_until.load(std::memory_order_acquire) > now) return;
    clear(counts.errors);
    clear(counts.gateway_errors);
    // As in nginx: on trial, and the next failed attempt takes it out again.
    bool is_on_trial = counts.ejection.load().cause == EjectionCause::failed_attempts && rules_.failed_attempts > 0;
    counts.failures.store(is_on_trial ? rules_.failed_attempts - 1 : 0, std::memory_order_relaxed);
    counts.failures_from.store(now, std::memory_order_relaxed);
    counts.answers.store(0, std::memory_order_relaxed);
    counts.successes.store(0, std::memory_order_relaxed);
    counts.milliseconds.store(0, std::memory_order_relaxed);
    state.set(Bar::ejected, false);
    observe::log(observe::Level::notice, "health", "target is back from its ejection",
                 {{"upstream", name_}, {"target", endpoint.host}, {"address", endpoint.address.text()}});
}

void Outliers::compare(std::span<const Endpoint> endpoints, net::Instant now, std::int64_t wall_now) {
    std::vector<const Endpoint*> each;  // two targets may have one address
    for (const Endpoint& endpoint : endpoints) each.push_back(&endpoint);
    std::ranges::sort(each, {}, [](const Endpoint* one) { return one->state.get(); });
    auto same = std::ranges::unique(each, {}, [](const Endpoint* one) { return one->state.get(); });
    each.erase(same.begin(), same.end());
    std::vector<Performance> seen;
    for (const Endpoint* endpoint : each) {
        OutlierCounts& counts = endpoint->state->outlier;
        std::uint32_t answers = counts.answers.exchange(0, std::memory_order_relaxed);
        std::uint32_t successes = counts.successes.exchange(0, std::memory_order_relaxed);
        std::uint64_t milliseconds = counts.milliseconds.exchange(0, std::memory_order_relaxed);
        if (!endpoint->state->is_in_service()) continue;
        forgive_one(counts);
        if (answers < rules_.least_requests || answers == 0) continue;
        seen.push_back({endpoint, static_cast<double>(successes) / answers,
                        successes == 0 ? -1 : static_cast<double>(milliseconds) / successes});
    }
    if (!rules_.compares() || seen.size() < std::max(2U, rules_.least_endpoints)) return;
    if (rules_.success_rate_deviation > 0) {
        double mean = 0;
        for (const Performance& one : seen) mean += one.success_rate / static_cast<double>(seen.size());
        double variance = 0;
        for (const Performance& one : seen)
            variance += (one.success_rate - mean) * (one.success_rate - mean) / static_cast<double>(seen.size());
        double least = mean - rules_.success_rate_deviation * std::sqrt(variance);
        std::vector<Performance> worst = seen;
        std::ranges::sort(worst, {}, &Performance::success_rate);  // the worst first: not all may go
        for (const Performance& one : worst)
            if (one.success_rate < least - rounding)
                eject(*one.endpoint, endpoints, {EjectionCause::success_rate, 0, small(one.success_rate * 100)}, now,
                      wall_now);
    }
    if (rules_.latency_factor <= 0) return;
    std::erase_if(seen, [](const Performance& one) { return one.latency < 0; });
    if (seen.size() < std::max(2U, rules_.least_endpoints)) return;
    std::vector<double> latencies;
    for (const Performance& one : seen) latencies.push_back(one.latency);
    double middle = median(std::move(latencies));
    std::ranges::sort(seen, std::ranges::greater(), &Performance::latency);
    for (const Performance& one : seen)
        if (one.latency > rules_.latency_factor * middle && one.latency - middle > least_latency_difference)
            eject(*one.endpoint, endpoints, {EjectionCause::latency, 0, small(one.latency)}, now, wall_now);
}

}  // namespace upstream
