#include "gateway/live_upstream.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"

namespace gateway {

std::string UpstreamSpec::key() const {
    std::string out = id + '|' + std::to_string(static_cast<int>(algorithm)) + '|' + std::to_string(slots);
    for (const upstream::Target& target : targets)
        out += '|' + target.host + '|' + std::to_string(target.port) + '|' + std::to_string(target.weight);
    if (health.is_on()) out += '|' + health.text();
    return out;
}

LiveUpstream::LiveUpstream(UpstreamSpec spec, net::dns::Resolver& resolver, const net::dns::Overrides& overrides,
                           upstream::EndpointStates& states)
    : spec_(std::move(spec)),
      // With checks and without, an endpoint has two states: one that was found bad is not bad for ever because nobody
      // checks any more.
      targets_(spec_.id + (spec_.health.is_on() ? "|checked" : ""), spec_.targets, overrides, states),
      health_(spec_.name, spec_.health) {
    for (const std::string& name : targets_.names())
        if (auto records = resolver.known(name)) targets_.update(name, std::move(records));
    build_plan();
    for (const std::string& name : targets_.names())
        watches_.push_back(
            resolver.watch(name, [this, name](net::dns::RecordsPointer records) { learn(name, std::move(records)); }));
}

std::shared_ptr<const upstream::Plan> LiveUpstream::plan() const {
    std::lock_guard guard(lock_);
    return plan_;
}

void LiveUpstream::build_plan() {
    plan_ = upstream::Plan::build(targets_.endpoints(), spec_.algorithm, spec_.slots);
    turns_seen_.store(0, std::memory_order_release);
}

void LiveUpstream::look_at_health() {
    std::lock_guard guard(lock_);
    std::uint64_t turns = upstream::Health::turns();  // before: what turns meanwhile is looked at again
    health_.reconsider(plan_->endpoints());
    turns_seen_.store(turns, std::memory_order_release);
}

void LiveUpstream::found(const upstream::Endpoint& endpoint, const upstream::HealthReason& what, std::int64_t now) {
    health_.found(endpoint, what, now);
}

void LiveUpstream::set_health(const upstream::Endpoint& endpoint, bool is_healthy, std::int64_t now) {
    health_.set(endpoint, is_healthy, now);
}

void LiveUpstream::learn(const std::string& name, net::dns::RecordsPointer records) {
    if (!records->is_resolved())
        observe::log(observe::Level::warn, "dns", "no address",
                     {{"name", name}, {"upstream", spec_.id}, {"reason", records->detail}});
    std::lock_guard guard(lock_);
    if (!targets_.update(name, std::move(records))) return;
    build_plan();
    version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<LiveUpstream> LiveUpstreams::acquire(UpstreamSpec spec) {
    std::string key = spec.key();
    std::lock_guard guard(lock_);
    std::weak_ptr<LiveUpstream>& slot = known_[key];
    if (auto live = slot.lock()) return live;
    auto live = std::make_shared<LiveUpstream>(std::move(spec), resolver_, overrides_, states_);
    slot = live;
    if (known_.size() >= sweep_at_) {
        std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
        sweep_at_ = std::max<std::size_t>(1024, known_.size() * 2);
    }
    return live;
}

}  // namespace gateway
