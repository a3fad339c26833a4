// LiveUpstream: the endpoints of one upstream as they are now. Names are watched by the resolver; a change makes a new
// Plan, which cores pick up by its version. It lives outside the snapshot and is shared by those that mean the same, so
// that a reload begins with addresses, and balancing state survives it. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "upstream/balancer.h"
#include "upstream/hash_key.h"
#include "upstream/health.h"
#include "upstream/targets.h"

namespace gateway {

struct UpstreamSpec {
    std::string id;  // stable over reloads
    std::vector<upstream::Target> targets;
    upstream::Algorithm algorithm = upstream::Algorithm::round_robin;
    std::uint32_t slots = upstream::Plan::default_slots;
    std::string name;  // as the document says it; for people
    upstream::HealthRules health;
    // What makes two specs the same upstream.
    [[nodiscard]] std::string key() const;
};

class LiveUpstream {
  public:
    LiveUpstream(UpstreamSpec spec, net::dns::Resolver& resolver, const net::dns::Overrides& overrides,
                 upstream::EndpointStates& states);

    // Changes whenever plan() would give another one.
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    [[nodiscard]] std::shared_ptr<const upstream::Plan> plan() const;
    [[nodiscard]] const UpstreamSpec& spec() const { return spec_; }

    // False: too little of it is in service for anything to be picked.
    [[nodiscard]] bool is_open() {
        if (spec_.health.threshold > 0 && turns_seen_.load(std::memory_order_acquire) != upstream::Health::turns())
            look_at_health();
        return health_.is_open();
    }
    [[nodiscard]] bool has_health_checks() const { return spec_.health.is_on(); }
    // What was found out about one of its endpoints. `now` is milliseconds since 1970.
    void found(const upstream::Endpoint& endpoint, const upstream::HealthReason& what, std::int64_t now);
    void set_health(const upstream::Endpoint& endpoint, bool is_healthy, std::int64_t now);

  private:
    void build_plan();
    void look_at_health();
    void learn(const std::string& name, net::dns::RecordsPointer records);

    const UpstreamSpec spec_;
    mutable std::mutex lock_;
    upstream::Targets targets_;
    upstream::Health health_;
    std::shared_ptr<const upstream::Plan> plan_;
    std::atomic<std::uint64_t> version_{1};
    std::atomic<std::uint64_t> turns_seen_{0};                         // what is_open() says was right then
    std::vector<std::unique_ptr<net::dns::Resolver::Watch>> watches_;  // last: no callback runs once they are gone
};

// The live upstreams of the process, by what they are.
class LiveUpstreams {
  public:
    LiveUpstreams(net::dns::Resolver& resolver, const net::dns::Overrides& overrides)
        : resolver_(resolver), overrides_(overrides) {}
    std::shared_ptr<LiveUpstream> acquire(UpstreamSpec spec);

  private:
    net::dns::Resolver& resolver_;
    const net::dns::Overrides& overrides_;
    upstream::EndpointStates states_;
    std::mutex lock_;
    std::unordered_map<std::string, std::weak_ptr<LiveUpstream>> known_;
    std::size_t sweep_at_ = 1024;
};

}  // namespace gateway
