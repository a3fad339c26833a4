// HealthChecker: probes the endpoints of upstreams that ask for active checks, each once however many cores and
// snapshots there are, spread over time; and has upstreams with outlier detection compare their endpoints and let them
// back. On a loop of its own, so that none of it comes between requests. What a probe finds goes to the LiveUpstream;
// nothing is kept here but the connections of probes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/task.h"
#include "gateway/health_probe.h"
#include "gateway/live_upstream.h"
#include "net/loop.h"

namespace gateway {

class HealthChecker {
  public:
    HealthChecker(net::Loop& loop, std::uint64_t seed);
    HealthChecker(const HealthChecker&) = delete;
    ~HealthChecker();

    // On the loop's thread. From now on these are looked after, and no others; an endpoint that was probed goes on in
    // its rhythm.
    void use(const std::vector<std::shared_ptr<LiveUpstream>>& upstreams);
    [[nodiscard]] std::size_t endpoints() const;
    [[nodiscard]] std::uint64_t probes() const { return probes_; }

  private:
    struct Watched;
    struct Probed {
        Watched& of;
        upstream::Endpoint endpoint;
        HealthProbe probe;
        net::Instant began = 0;
        base::Task<void> probing;  // last: it uses the others

        Probed(Watched& in, upstream::Endpoint at, net::Loop& loop, observe::CoreMetrics& metrics)
            : of(in), endpoint(std::move(at)), probe(loop, metrics) {}
    };
    struct Watched {
        std::shared_ptr<LiveUpstream> live;
        std::uint64_t version = 0;  // of the endpoints that are probed
        std::uint32_t under_way = 0;
        std::unordered_map<std::string, std::unique_ptr<Probed>> probed;  // by address
    };

    void look();
    void arm_look(net::Instant at);
    void follow(Watched& watched);
    base::Task<void> keep_probing(Probed& probed);
    base::Task<void> probe(Probed& probed);

    net::Loop& loop_;
    base::Random random_;
    observe::CoreMetrics metrics_;  // of probes; nobody reads them
    net::Timer look_timer_;
    std::unordered_map<std::string, std::unique_ptr<Watched>> watched_;  // by the upstream's id
    std::uint64_t probes_ = 0;
};

}  // namespace gateway
