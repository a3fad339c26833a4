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
    if (outliers.is_on()) out += "|outliers " + outliers.text();
    if (slow_start.is_on()) out += "|slow start " + slow_start.text();
    if (panic_threshold > 0) out += "|panic " + std::to_string(panic_threshold);
    if (limits.is_on()) out += "|limits " + limits.text();
    if (called_by == upstream::CalledBy::srv_record) out += "|called by srv";
    if (source) out += "|source " + source->key();
    return out;
}

namespace {

// With a judge and without, an endpoint has two states: one that was found bad is not bad for ever because nobody
// checks any more.
std::string state_key(const UpstreamSpec& spec) {
    return spec.id + (spec.health.is_on() ? "|checked" : "") + (spec.outliers.is_on() ? "|compared" : "");
}

}  // namespace

LiveUpstream::LiveUpstream(UpstreamSpec spec, net::dns::Resolver& resolver, const net::dns::Overrides& overrides,
                           upstream::EndpointStates& states, std::shared_ptr<upstream::Load> load,
                           upstream::Discovery* discovery)
    : spec_(std::move(spec)),
      targets_(state_key(spec_), spec_.targets, overrides, states, spec_.called_by),
      health_(spec_.name, spec_.health),
      load_(std::move(load)),
      outliers_(spec_.name, spec_.outliers, load_),
      panic_(spec_.name, spec_.panic_threshold),
      follows_turns_(spec_.health.threshold > 0 || spec_.panic_threshold > 0),
      resolver_(resolver) {
    bool has_source = spec_.source && discovery != nullptr;
    if (has_source) set_targets(discovery->known(*spec_.source));
    for (const std::string& name : targets_.names())
        if (auto records = resolver.known(name)) targets_.update(name, std::move(records));
    build_plan();
    follow_names();
    if (has_source)
        following_ = discovery->watch(*spec_.source, [this](const upstream::FoundPointer& found) {
            {
                std::lock_guard guard(lock_);
                if (!set_targets(found)) return;
                for (const std::string& name : targets_.names())
                    if (auto records = resolver_.known(name)) targets_.update(name, std::move(records));
                build_plan();
                version_.fetch_add(1, std::memory_order_release);
            }
            follow_names();
        });
}

// The document's and the source's.
bool LiveUpstream::set_targets(const upstream::FoundPointer& found) {
    using upstream::SourceState;
    if (!found || (!found->targets && found->fault.empty()))
        return targets_.set(spec_.targets, SourceState::pending, {});
    if (!found->targets) return targets_.set(spec_.targets, SourceState::failed, found->fault);
    std::vector<upstream::Target> all = spec_.targets;
    all.insert(all.end(), found->targets->begin(), found->targets->end());
    return targets_.set(std::move(all), SourceState::known, {});
}

// Not under the lock: a watch ends only once its callback, which takes the lock, has ended.
void LiveUpstream::follow_names() {
    std::vector<std::string> names;
    {
        std::lock_guard guard(lock_);
        names = targets_.names();
    }
    std::erase_if(watches_, [&](const auto& each) { return !std::ranges::binary_search(names, each.first); });
    for (const std::string& name : names)
        if (auto& watch = watches_[name]; !watch)
            watch = resolver_.watch(
                name, [this, name](net::dns::RecordsPointer records) { learn(name, std::move(records)); });
}

std::shared_ptr<const upstream::Plan> LiveUpstream::plan() const {
    std::lock_guard guard(lock_);
    return plan_;
}

void LiveUpstream::build_plan() {
    plan_ = upstream::Plan::build(
        targets_.endpoints(), spec_.algorithm,
        {spec_.slots, spec_.slow_start, spec_.panic_threshold > 0 ? panic_.flag() : upstream::PanicFlag()});
    // Who joins others that serve already begins slowly. Where all are new, nobody is spared anything.
    bool has_known =
        std::ranges::any_of(plan_->endpoints(), [](const auto& one) { return one.state->is_known.load(); });
    for (const upstream::Endpoint& endpoint : plan_->endpoints())
        if (!endpoint.state->is_known.exchange(true) && has_known)
            endpoint.state->warms_from.store(upstream::EndpointState::warms_from_next_pick, std::memory_order_relaxed);
    turns_seen_.store(0, std::memory_order_release);
}

void LiveUpstream::look_at_health() {
    std::lock_guard guard(lock_);
    std::uint64_t turns = upstream::EndpointState::turns();  // before: what turns meanwhile is looked at again
    health_.reconsider(plan_->endpoints());
    if (spec_.panic_threshold > 0 && panic_.reconsider(plan_->endpoints()))
        load_->panics.fetch_add(1, std::memory_order_relaxed);
    turns_seen_.store(turns, std::memory_order_release);
}

void LiveUpstream::found(const upstream::Endpoint& endpoint, const upstream::HealthReason& what, std::int64_t now) {
    health_.found(endpoint, what, now);
}

void LiveUpstream::set_health(const upstream::Endpoint& endpoint, bool is_healthy, std::int64_t now) {
    health_.set(endpoint, is_healthy, now);
}

void LiveUpstream::ended(const upstream::Endpoint& endpoint, upstream::Ending ending, std::uint16_t status,
                         net::Milliseconds latency, net::Instant now, std::int64_t wall_now) {
    auto cause = outliers_.count(endpoint, ending, status, latency, now);
    if (cause) outliers_.eject(endpoint, plan()->endpoints(), *cause, now, wall_now);
}

net::Instant LiveUpstream::sweep(net::Instant now, std::int64_t wall_now) {
    return outliers_.sweep(plan()->endpoints(), now, wall_now);
}

void LiveUpstream::learn(const std::string& name, net::dns::RecordsPointer records) {
    if (!records->is_resolved())
        observe::log(observe::Level::warn, "dns", "no address",
                     {{"name", name}, {"upstream", spec_.id}, {"reason", records->detail}});
    else if (!records->detail.empty())
        observe::log(observe::Level::warn, "dns", "not every address",
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
    std::weak_ptr<upstream::Load>& known_load = loads_[spec.id];
    std::shared_ptr<upstream::Load> load = known_load.lock();
    if (!load) known_load = load = std::make_shared<upstream::Load>();
    auto live =
        std::make_shared<LiveUpstream>(std::move(spec), resolver_, overrides_, states_, std::move(load), discovery_);
    slot = live;
    if (known_.size() >= sweep_at_) {
        std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
        std::erase_if(loads_, [](const auto& entry) { return entry.second.expired(); });
        sweep_at_ = std::max<std::size_t>(1024, known_.size() * 2);
    }
    return live;
}

}  // namespace gateway
