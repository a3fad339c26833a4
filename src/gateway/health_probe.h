// HealthProbe: what one endpoint is asked, over and over: whether it can be connected to, a request of HTTP/1.1, or a
// call of gRPC's health service (grpc.health.v1), plain or over TLS. It keeps the connection from one probe to the next
// where the server does. Owned by the HealthChecker; on its loop.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/http1/limits.h"
#include "http/http2/limits.h"
#include "observe/metrics.h"
#include "upstream/connect.h"
#include "upstream/health.h"
#include "upstream/pool.h"

namespace gateway {

class HealthProbe {
  public:
    // `metrics` outlives it; probes count as nobody's requests.
    HealthProbe(net::Loop& loop, observe::CoreMetrics& metrics) : loop_(loop), metrics_(metrics) {}
    HealthProbe(const HealthProbe&) = delete;
    ~HealthProbe();

    // Found by nobody: it says nothing of the endpoint. What is given outlives the task.
    base::Task<upstream::HealthReason> ask(const upstream::ActiveRules& rules, const upstream::Endpoint& endpoint);

  private:
    base::Task<base::Result<void>> connect(const upstream::ActiveRules& rules, const upstream::Endpoint& endpoint,
                                           net::Instant deadline);
    base::Task<upstream::HealthReason> ask_http1(const upstream::ActiveRules& rules, const upstream::Endpoint& endpoint,
                                                 net::Instant deadline);
    base::Task<upstream::HealthReason> ask_grpc(const upstream::ActiveRules& rules, const upstream::Endpoint& endpoint,
                                                net::Instant deadline);
    base::Task<base::Result<upstream::LinkPtr>> obtain_stream(const upstream::ActiveRules& rules,
                                                              const upstream::Endpoint& endpoint,
                                                              net::Instant deadline);

    net::Loop& loop_;
    observe::CoreMetrics& metrics_;
    http1::Limits limits_;
    http2::Limits http2_limits_ = http2::upstream_limits({});
    upstream::PoolLimits pool_limits_{.idle = 1, .requests = 0, .idle_timeout = net::Milliseconds(0)};
    std::string kept_for_;                  // the address and trust of what is kept
    net::SocketPtr socket_;                 // of HTTP/1.1
    std::unique_ptr<upstream::Pool> pool_;  // of HTTP/2
};

}  // namespace gateway
