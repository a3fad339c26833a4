// prometheus: counts requests, bytes and times for each service and route, as Kong's metrics (kong.md 4.14). The page
// is admin/metrics_page.
#include <memory>
#include <optional>

#include "plugin/tally.h"
#include "plugin/type.h"

namespace plugin {

struct Prometheus {
    static constexpr std::string_view name = "prometheus";
    static constexpr int priority = 13;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Counts requests, bytes and times by service and route on `/metrics` of the status and admin listeners, with "
        "Kong's names, so that its dashboards work. Counting takes no lock; beyond 200,000 series, further routes and "
        "consumers are counted together, with the label `__overflow__`.";
    static constexpr std::string_view example = R"(config:
  status_code_metrics: true
  latency_metrics: true
  bandwidth_metrics: true
  upstream_health_metrics: true
)";

    struct Config {
        bool per_consumer = false;
        std::optional<bool> status_code_metrics;
        bool latency_metrics = false;
        bool bandwidth_metrics = false;
        bool upstream_health_metrics = false;
        bool ai_metrics = false;
        bool wasm_metrics = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("per_consumer", &Config::per_consumer, "Label requests and bytes with the consumer's username."),
                field("status_code_metrics", &Config::status_code_metrics,
                      "`kong_http_requests_total`. If it is not given: with per_consumer, which would have no effect "
                      "without."),
                field("latency_metrics", &Config::latency_metrics,
                      "`kong_kong_latency_ms`, `kong_upstream_latency_ms`, `kong_request_latency_ms`."),
                field("bandwidth_metrics", &Config::bandwidth_metrics, "`kong_bandwidth_bytes`."),
                field("upstream_health_metrics", &Config::upstream_health_metrics, "`kong_upstream_target_health`."),
                field("ai_metrics", &Config::ai_metrics, "No effect: the AI plugins are not served."),
                field("wasm_metrics", &Config::wasm_metrics, "No effect: there are no Wasm filters."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        tally_ = Tally::of(setup);
        counts_statuses_ = config.status_code_metrics.value_or(config.per_consumer);
        tally_->shows_upstreams = tally_->shows_upstreams || config.upstream_health_metrics;
        return {};
    }

    void on_log(Exchange& exchange) const {
        if (exchange.route == nullptr) return;
        const Consumer* consumer = config.per_consumer ? exchange.identity.consumer : nullptr;
        if (counts_statuses_) tally_->count_status(exchange, consumer);
        if (config.bandwidth_metrics) tally_->count_bytes(exchange, consumer);
        if (config.latency_metrics) tally_->record_latencies(exchange);
    }

  private:
    std::shared_ptr<Tally> tally_;
    bool counts_statuses_ = false;
};
REGISTER_PLUGIN(Prometheus);

}  // namespace plugin
