// admission-control: keeps a gateway and its upstreams standing under more load than they can bear: so many requests
// under way, a line with a deadline behind them, the least urgent refused first. Beyond Kong.
#include <memory>
#include <optional>
#include <string>

#include "plugin/admission.h"
#include "plugin/reply.h"
#include "plugin/type.h"

template <>
struct schema::Names<plugin::Urgency> {
    static constexpr std::array<std::string_view, plugin::urgency_count> list{"low", "normal", "high"};
};

namespace plugin {

struct AdmissionControl {
    static constexpr std::string_view name = "admission-control";
    // Behind authentication, so that a consumer can have a priority of its own; before anything is counted.
    static constexpr int priority = 915;
    static constexpr std::string_view summary =
        "Lets so many requests be under way at once, over all cores; others wait in a line, and beyond it, or after "
        "`queue_timeout`, they get 503 with `Retry-After`. Requests of higher `priority` are served first; the last "
        "third "
        "of the places is kept from those of low priority. With `target_latency` the limit follows the upstream: it "
        "falls by a tenth while answers take longer than that, and grows slowly while they do not. Its numbers are "
        "`cardea_admission_*` on `/metrics`.";
    static constexpr std::string_view example = R"(config:
  limit: 200
  queue: 100
  queue_timeout: 500
)";

    struct Config {
        std::uint32_t limit = 1000;
        std::uint32_t queue = 100;
        std::chrono::milliseconds queue_timeout{1000};
        Urgency priority = Urgency::normal;
        std::optional<std::string> pool;
        std::optional<std::chrono::milliseconds> target_latency;
        std::uint32_t min_limit = 10;
        std::uint32_t retry_after = 1;
        std::uint16_t error_code = 503;
        std::string error_message = "Too many requests are under way";

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("limit", &Config::limit, "Requests under way at once.").between(1, 1'000'000),
                field("queue", &Config::queue, "Requests that may wait for their turn; 0: none.").between(0, 1'000'000),
                field("queue_timeout", &Config::queue_timeout, "How long one waits.").between(1, 600'000),
                field("priority", &Config::priority, "How urgent the requests of this use of the plugin are."),
                field("pool", &Config::pool,
                      "Uses of the plugin with the same pool share limit and line, each with its own priority; absent: "
                      "this use has its own. The rules of all should be the same; those read last count."),
                field("target_latency", &Config::target_latency,
                      "Time to the head of an answer, on average, above which the limit falls; absent: it is fixed.")
                    .at_least(1),
                field("min_limit", &Config::min_limit, "Below this the limit does not fall.").between(1, 1'000'000),
                field("retry_after", &Config::retry_after, "Seconds that `Retry-After` says; 0: it is not sent.")
                    .between(0, 86'400),
                field("error_code", &Config::error_code, "Status of a refusal.").between(400, 599),
                field("error_message", &Config::error_message, "Message of a refusal."));
        }
        void check(schema::Checks& checks) const {
            if (min_limit > limit && target_latency) checks.field("min_limit", "must not be more than limit");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        std::string label = config.pool ? *config.pool : setup.state_key();
        // A pool's name and an id must not meet.
        std::string key = (config.pool ? "pool/" : "use/") + label;
        admission_ = setup.shared.state<Admission>(key, [&] { return std::make_shared<Admission>(label); });
        admission_->follow(
            {config.limit, config.min_limit, config.queue, config.target_latency.value_or(net::Milliseconds(0))});
        retry_after_ = std::to_string(config.retry_after);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        Admission::Place place = admission_->enter(config.priority);
        if (!place) return config.queue == 0 ? turn_away(exchange, false) : Verdict::wait;
        exchange.make_note<Admission::Place>(std::move(place));
        return Verdict::go_on;
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        net::Loop& loop = exchange.worker.loop;
        Admission::Wait wait(admission_, config.priority, loop, net::after(loop.now(), config.queue_timeout));
        bool has_waited = wait.is_queued();
        Admission::Place place = co_await wait;
        if (!place) co_return turn_away(exchange, has_waited);
        exchange.make_note<Admission::Place>(std::move(place));
        co_return Verdict::go_on;
    }

    void on_upstream_response(Exchange& exchange) const {
        observe(exchange, exchange.timings.response_head - exchange.timings.upstream_began);
    }
    void on_upstream_failure(Exchange& exchange, const base::Error& error) const {
        // One that nobody answers has taken its time too; other failures are quick and say nothing.
        if (error.code == base::Code::timed_out && error.source == base::Source::upstream)
            observe(exchange, exchange.worker.loop.now() - exchange.timings.upstream_began);
    }

  private:
    void observe(Exchange& exchange, net::Instant took) const {
        if (config.target_latency) admission_->observe_latency(net::Milliseconds(took), exchange.worker.loop.now());
    }
    Verdict turn_away(Exchange& exchange, bool has_waited) const {
        admission_->count_refusal(has_waited);
        if (config.retry_after != 0) exchange.client_headers.set(http::Known::retry_after, retry_after_);
        return refuse(exchange, config.error_code, config.error_message);
    }

    std::shared_ptr<Admission> admission_;
    std::string retry_after_;
};
REGISTER_PLUGIN(AdmissionControl);

}  // namespace plugin
