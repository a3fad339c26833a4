#include "gateway/health_checker.h"

#include <algorithm>
#include <utility>

namespace gateway {

using base::Task;
using upstream::FoundBy;
using upstream::HealthReason;

namespace {

constexpr net::Milliseconds look_interval{500};    // between two looks at whether endpoints have come or gone
constexpr net::Instant least_look_wait = 10;       // ms, however soon an ejection ends
constexpr net::Milliseconds longest_sleep{1'000};  // a state that turns may ask for another interval
constexpr std::uint32_t crowded_wait = 200;        // ms at most between two looks at whether one more probe is allowed
constexpr double jitter = 0.1;                     // of an interval

}  // namespace

HealthChecker::HealthChecker(net::Loop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {
    look_timer_.set([](void* self) { static_cast<HealthChecker*>(self)->look(); }, this);
    arm_look(net::never);
}

HealthChecker::~HealthChecker() = default;

void HealthChecker::use(const std::vector<std::shared_ptr<LiveUpstream>>& upstreams) {
    std::unordered_map<std::string, std::unique_ptr<Watched>> before = std::exchange(watched_, {});
    for (const std::shared_ptr<LiveUpstream>& live : upstreams) {
        if (!live->needs_checker()) continue;
        std::unique_ptr<Watched>& place = watched_[live->spec().id];
        if (auto known = before.find(live->spec().id); known != before.end() && known->second)
            place = std::move(known->second);
        else
            place = std::make_unique<Watched>();
        if (place->live != live) place->version = 0;
        place->live = live;
        follow(*place);
    }
}

std::size_t HealthChecker::endpoints() const {
    std::size_t out = 0;
    for (const auto& [id, watched] : watched_) out += watched->probed.size();
    return out;
}

void HealthChecker::look() {
    net::Instant next = net::never;
    for (const auto& [id, watched] : watched_) {
        follow(*watched);
        if (watched->live->has_outlier_detection())
            next = std::min(next, watched->live->sweep(loop_.now(), loop_.wall_now()));
    }
    arm_look(next);
}

void HealthChecker::arm_look(net::Instant at) {
    net::Instant latest = net::after(loop_.now(), look_interval);
    look_timer_.arm(loop_.timers(), std::clamp(at, loop_.now() + least_look_wait, latest));
}

// Begins to probe endpoints that have come, and forgets those that have gone.
void HealthChecker::follow(Watched& watched) {
    std::uint64_t version = watched.live->version();
    if (watched.version == version) return;
    if (!watched.live->spec().health.active.is_on()) return watched.probed.clear();
    watched.version = version;
    std::shared_ptr<const upstream::Plan> plan = watched.live->plan();
    std::unordered_map<std::string, std::unique_ptr<Probed>> before = std::exchange(watched.probed, {});
    std::vector<Probed*> fresh;
    for (const upstream::Endpoint& endpoint : plan->endpoints()) {
        if (endpoint.weight == 0) continue;  // takes no requests anyway
        std::unique_ptr<Probed>& place = watched.probed[endpoint.address.text()];
        if (place) continue;  // two targets with one address
        if (auto known = before.find(endpoint.address.text()); known != before.end()) {
            place = std::move(known->second);
            place->endpoint = endpoint;
            continue;
        }
        place = std::make_unique<Probed>(watched, endpoint, loop_, metrics_);
        fresh.push_back(place.get());
    }
    for (Probed* probed : fresh) {
        probed->probing = keep_probing(*probed);
        probed->probing.start();
    }
}

Task<void> HealthChecker::keep_probing(Probed& probed) {
    // The first probes of all are spread over their interval: they do not come in one burst, now or later.
    const upstream::ActiveRules& first = probed.of.live->spec().health.active;
    net::Milliseconds spread = first.interval_healthy.count() > 0 ? first.interval_healthy : first.interval_unhealthy;
    spread = std::min(spread, longest_sleep);
    probed.began = loop_.now() - spread.count();
    co_await net::sleep_until(
        loop_, loop_.now() + random_.below(static_cast<std::uint32_t>(std::max<long>(1, spread.count()))));
    while (true) {
        std::shared_ptr<LiveUpstream> live = probed.of.live;
        const upstream::ActiveRules& rules = live->spec().health.active;
        bool is_healthy = !probed.endpoint.state->has(upstream::Bar::unhealthy);
        net::Milliseconds interval = is_healthy ? rules.interval_healthy : rules.interval_unhealthy;
        double factor = 1 + jitter * (random_.fraction() - 0.5);
        net::Instant due = probed.began + static_cast<net::Instant>(static_cast<double>(interval.count()) * factor);
        if (interval.count() == 0) due = net::after(loop_.now(), longest_sleep);
        if (due > loop_.now()) {
            co_await net::sleep_until(loop_, std::min(due, net::after(loop_.now(), longest_sleep)));
            if (interval.count() == 0 || due > loop_.now()) continue;
        }
        if (probed.of.under_way >= rules.concurrency) {
            co_await net::sleep_until(loop_, loop_.now() + 1 + random_.below(crowded_wait));
            continue;
        }
        co_await probe(probed);
    }
}

Task<void> HealthChecker::probe(Probed& probed) {
    struct Counted {
        std::uint32_t& under_way;
        explicit Counted(std::uint32_t& of) : under_way(of) { ++under_way; }
        Counted(const Counted&) = delete;
        ~Counted() { --under_way; }
    } counted(probed.of.under_way);
    ++probes_;
    std::shared_ptr<LiveUpstream> live = probed.of.live;  // a reload may put another in its place meanwhile
    const upstream::ActiveRules& rules = live->spec().health.active;
    probed.began = loop_.now();
    HealthReason reason = co_await probed.probe.ask(rules, probed.endpoint);
    if (reason.found_by == FoundBy::nobody) co_return;  // an answer that says nothing
    live->found(probed.endpoint, reason, loop_.wall_now());
}

}  // namespace gateway
