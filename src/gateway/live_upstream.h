// LiveUpstream: the endpoints of one upstream as they are now. Names are watched by the resolver; a change makes a new
// Plan, which cores pick up by its version. It lives outside the snapshot and is shared by those that mean the same, so
// that a reload begins with addresses, and balancing state survives it. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "upstream/balancer.h"
#include "upstream/discovery/discovery.h"
#include "upstream/hash_key.h"
#include "upstream/health.h"
#include "upstream/load.h"
#include "upstream/outliers.h"
#include "upstream/panic.h"
#include "upstream/targets.h"

namespace gateway {

struct UpstreamSpec {
    std::string id;  // stable over reloads
    std::vector<upstream::Target> targets;
    upstream::Algorithm algorithm = upstream::Algorithm::round_robin;
    std::uint32_t slots = upstream::PlanOptions::default_slots;
    std::string name;  // as the document says it; for people
    upstream::HealthRules health;
    upstream::OutlierRules outliers;
    upstream::SlowStart slow_start;
    double panic_threshold = 0;  // per cent of the weight; 0: never
    upstream::LimitRules limits;
    upstream::CalledBy called_by = upstream::CalledBy::target;
    std::optional<upstream::SourceSpec> source;  // of further targets
    // What makes two specs the same upstream. It may hold a secret: for maps, never to be shown.
    [[nodiscard]] std::string key() const;
};

class LiveUpstream {
  public:
    LiveUpstream(UpstreamSpec spec, net::dns::Resolver& resolver, const net::dns::Overrides& overrides,
                 upstream::EndpointStates& states, std::shared_ptr<upstream::Load> load,
                 upstream::Discovery* discovery);

    // Changes whenever plan() would give another one.
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    [[nodiscard]] std::shared_ptr<const upstream::Plan> plan() const;
    [[nodiscard]] const UpstreamSpec& spec() const { return spec_; }
    // Of the source of its targets, if it has one.
    [[nodiscard]] std::optional<upstream::SourceStatus> source_status() const {
        return following_ ? std::optional(following_->status()) : std::nullopt;
    }

    // False: too little of it is in service for anything to be picked.
    [[nodiscard]] bool is_open() {
        if (follows_turns_ && turns_seen_.load(std::memory_order_acquire) != upstream::EndpointState::turns())
            look_at_health();
        return health_.is_open();
    }
    // Bad ones as well are picked: most of it is out of service. As of the last is_open().
    [[nodiscard]] bool is_in_panic() const { return panic_.is_on(); }
    [[nodiscard]] bool has_health_checks() const { return spec_.health.is_on(); }
    [[nodiscard]] bool has_outlier_detection() const { return spec_.outliers.is_on(); }
    [[nodiscard]] bool judges_requests() const { return has_health_checks() || has_outlier_detection(); }
    [[nodiscard]] bool needs_checker() const { return spec_.health.active.is_on() || has_outlier_detection(); }
    [[nodiscard]] bool has_limits() const { return spec_.limits.is_on(); }
    [[nodiscard]] upstream::Load& load() { return *load_; }
    [[nodiscard]] const std::shared_ptr<upstream::Load>& shared_load() const { return load_; }
    // What was found out about one of its endpoints. `now` is milliseconds since 1970.
    void found(const upstream::Endpoint& endpoint, const upstream::HealthReason& what, std::int64_t now);
    void set_health(const upstream::Endpoint& endpoint, bool is_healthy, std::int64_t now);
    // How an attempt ended, for outlier detection; `status` is 0 without an answer.
    void ended(const upstream::Endpoint& endpoint, upstream::Ending ending, std::uint16_t status,
               net::Milliseconds latency, net::Instant now, std::int64_t wall_now);
    // Of outlier detection, on the checker's thread. Answers when to come again at the latest.
    net::Instant sweep(net::Instant now, std::int64_t wall_now);

  private:
    void build_plan();
    void look_at_health();
    void learn(const std::string& name, net::dns::RecordsPointer records);
    bool set_targets(const upstream::FoundPointer& found);
    void follow_names();

    const UpstreamSpec spec_;
    mutable std::mutex lock_;
    upstream::Targets targets_;
    upstream::Health health_;
    const std::shared_ptr<upstream::Load> load_;
    upstream::Outliers outliers_;
    upstream::Panic panic_;
    const bool follows_turns_;
    std::shared_ptr<const upstream::Plan> plan_;
    std::atomic<std::uint64_t> version_{1};
    std::atomic<std::uint64_t> turns_seen_{0};  // what is_open() says was right then
    // Last: no callback runs once they are gone. The names are followed on one thread at a time: while this is made,
    // and then the discovery's.
    net::dns::Resolver& resolver_;
    std::unordered_map<std::string, std::unique_ptr<net::dns::Resolver::Watch>> watches_;  // by name
    std::unique_ptr<upstream::Discovery::Watch> following_;
};

// The live upstreams of the process, by what they are.
class LiveUpstreams {
  public:
    // They outlive this. Without a discovery upstreams have the targets that the document lists.
    LiveUpstreams(net::dns::Resolver& resolver, const net::dns::Overrides& overrides,
                  upstream::Discovery* discovery = nullptr)
        : resolver_(resolver), overrides_(overrides), discovery_(discovery) {}
    std::shared_ptr<LiveUpstream> acquire(UpstreamSpec spec);

  private:
    net::dns::Resolver& resolver_;
    const net::dns::Overrides& overrides_;
    upstream::Discovery* const discovery_;
    upstream::EndpointStates states_;
    std::mutex lock_;
    std::unordered_map<std::string, std::weak_ptr<LiveUpstream>> known_;
    std::unordered_map<std::string, std::weak_ptr<upstream::Load>> loads_;  // by the upstream's id
    std::size_t sweep_at_ = 1024;
};

}  // namespace gateway
