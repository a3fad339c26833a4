// circuit-breaker: refuses at once what would most probably fail: after so many failures of a service or of one of its
// endpoints it is left alone for a while, and then tried with a few requests.
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "plugin/breaker.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

enum class Per : std::uint8_t { service, target };

// The breakers of one use of the plugin, kept over reloads.
class Breakers : public Measured {
  public:
    static constexpr std::size_t most_targets = 4096;

    explicit Breakers(std::string label) : label_(std::move(label)) {}
    [[nodiscard]] const std::shared_ptr<Breaker>& of_service() const { return service_; }
    [[nodiscard]] std::shared_ptr<Breaker> of_target(const net::SocketAddress& address) {
        std::lock_guard guard(lock_);
        if (targets_.size() >= most_targets)
            std::erase_if(targets_, [](const auto& entry) { return entry.second->is_idle(); });
        std::shared_ptr<Breaker>& breaker = targets_[address.text()];
        if (!breaker) breaker = std::make_shared<Breaker>();
        return breaker;
    }
    // Whose circuits they are, for people; the id says it for programs. Known from the first request on.
    void name_after(const Exchange& exchange, bool is_of_route) {
        if (is_named_.load(std::memory_order_relaxed)) return;
        std::lock_guard guard(lock_);
        if (exchange.service != nullptr) service_name_ = exchange.service->name;
        if (is_of_route && exchange.route != nullptr) route_name_ = exchange.route->name;
        is_named_.store(true, std::memory_order_relaxed);
    }
    // A reload may have given them other names.
    void forget_names() { is_named_.store(false, std::memory_order_relaxed); }
    void measure(std::vector<observe::Sample>& samples) const override {
        auto add = [&](const std::string& target, const Breaker& breaker) {
            std::vector<std::pair<std::string, std::string>> labels{
                {"plugin", label_}, {"service", service_name_}, {"route", route_name_}, {"target", target}};
            samples.push_back({"circuit_state", "State of a circuit breaker: 0 closed, 1 open, 2 half-open.", "gauge",
                               labels, static_cast<double>(breaker.state())});
            samples.push_back({"circuit_opened_total", "How often a circuit breaker has opened.", "counter",
                               std::move(labels), static_cast<double>(breaker.opened())});
        };
        std::lock_guard guard(lock_);
        add("", *service_);
        for (const auto& [target, breaker] : targets_) add(target, *breaker);
    }

  private:
    std::string label_;
    std::atomic<bool> is_named_{false};
    std::string service_name_;
    std::string route_name_;
    std::shared_ptr<Breaker> service_ = std::make_shared<Breaker>();
    mutable std::mutex lock_;  // of the names and the map; a breaker has its own
    std::unordered_map<std::string, std::shared_ptr<Breaker>> targets_;
};

// What a request remembers between asking and knowing.
struct Passage {
    Breaker::Ticket ticket;
    bool was_refused = false;   // an endpoint, by its own breaker
    net::Milliseconds wait{0};  // until the first of those may be tried
    bool has_failed = false;    // the last try, as far as it is a failure by the rules
};

}  // namespace

}  // namespace plugin

template <>
struct schema::Names<plugin::Per> {
    static constexpr std::array<std::string_view, 2> list{"service", "target"};
};

namespace plugin {

struct CircuitBreaker {
    static constexpr std::string_view name = "circuit-breaker";
    // Behind the cache: what is cached is served while the circuit is open.
    static constexpr int priority = 50;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Answers 503 with `Retry-After` at once while an upstream keeps failing, instead of sending it more. After "
        "`timeout` seconds a few requests are tried; if they go well, all pass again. Exact over all cores; kept over "
        "reloads; its state is on `/metrics` (`cardea_circuit_state`) and `/status`.";
    static constexpr std::string_view example = R"(config:
  threshold: 10
  window_size: 60
  timeout: 30
)";

    struct Config {
        std::uint32_t threshold = 5;
        std::chrono::duration<double> window_size{60};
        std::chrono::duration<double> timeout{30};
        std::uint32_t half_open_requests = 1;
        Per per = Per::service;
        schema::Set<std::uint16_t> failure_statuses{500, 502, 503, 504};
        bool count_timeouts = true;
        bool count_connect_errors = true;
        std::optional<std::chrono::milliseconds> latency;
        std::uint16_t error_code = 503;
        std::string error_message = "The upstream server is failing and is left alone for a while";

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("threshold", &Config::threshold, "Failures within window_size that open the circuit.")
                    .between(1, 10'000),
                field("window_size", &Config::window_size, "Time over which failures are counted.")
                    .between(0.001, 86'400),
                field("timeout", &Config::timeout, "Time for which an open circuit refuses.").between(0.001, 86'400),
                field("half_open_requests", &Config::half_open_requests,
                      "Requests tried at the same time after that; all must go well.")
                    .between(1, 1'000),
                field("per", &Config::per, "One circuit for the service, or one for each of its targets."),
                field("failure_statuses", &Config::failure_statuses, "Statuses of the upstream that are failures.")
                    .between(100, 599),
                field("count_timeouts", &Config::count_timeouts, "A timeout is a failure."),
                field("count_connect_errors", &Config::count_connect_errors,
                      "A refused, broken or unintelligible connection is a failure."),
                field("latency", &Config::latency, "An answer whose head takes longer is a failure; absent: never.")
                    .at_least(1),
                field("error_code", &Config::error_code, "Status of a refusal.").between(400, 599),
                field("error_message", &Config::error_message, "Message of a refusal."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        auto milliseconds = [](std::chrono::duration<double> time) {
            return std::chrono::duration_cast<net::Milliseconds>(time);
        };
        rules_ = {config.threshold, milliseconds(config.window_size), milliseconds(config.timeout),
                  config.half_open_requests};
        std::string key = setup.state_key();
        breakers_ = setup.shared.state<Breakers>(key, [&] { return std::make_shared<Breakers>(key); });
        breakers_->forget_names();
        is_of_route_ = !setup.scope.route.is_nil();
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        breakers_->name_after(exchange, is_of_route_);
        if (config.per == Per::target) return Verdict::go_on;
        Breaker& breaker = *breakers_->of_service();
        net::Instant now = exchange.worker.loop.now();
        Breaker::Ticket ticket = breaker.enter(rules_, now);
        if (!ticket) {
            tell_when(exchange, breaker.wait(now));
            return refuse(exchange, config.error_code, config.error_message);
        }
        exchange.make_note<Passage>().ticket = std::move(ticket);
        return Verdict::go_on;
    }

    Attempt on_upstream_request(Exchange& exchange) const {
        Passage* passage = exchange.note<Passage>();
        if (passage != nullptr) passage->has_failed = false;
        if (config.per == Per::service) return Attempt::go;
        if (passage == nullptr) passage = &exchange.make_note<Passage>();
        net::Instant now = exchange.worker.loop.now();
        std::shared_ptr<Breaker> breaker = breakers_->of_target(exchange.upstream_address);
        passage->ticket = breaker->enter(rules_, now);
        if (passage->ticket) return Attempt::go;
        net::Milliseconds wait = breaker->wait(now);
        passage->wait = passage->was_refused ? std::min(passage->wait, wait) : wait;
        passage->was_refused = true;
        return Attempt::skip;
    }

    void on_upstream_failure(Exchange& exchange, const base::Error& error) const {
        Passage* passage = exchange.note<Passage>();
        if (passage == nullptr) return;
        using base::Code;
        bool is_our_own = error.code == Code::exhausted || error.code == Code::internal;
        if (error.source == base::Source::client || is_our_own) {
            passage->ticket = {};  // says nothing about the upstream
            return;
        }
        passage->has_failed = error.code == Code::timed_out ? config.count_timeouts : config.count_connect_errors;
        if (config.per == Per::target) settle(exchange, *passage);
    }

    void on_upstream_response(Exchange& exchange) const {
        Passage* passage = exchange.note<Passage>();
        if (passage == nullptr) return;
        const schema::Set<std::uint16_t>& statuses = config.failure_statuses;
        passage->has_failed = std::find(statuses.begin(), statuses.end(), exchange.upstream_status) != statuses.end() ||
                              (config.latency && exchange.timings.response_head - exchange.timings.upstream_began >
                                                     config.latency->count());
        settle(exchange, *passage);
    }

    void on_response(Exchange& exchange) const {
        Passage* passage = exchange.note<Passage>();
        if (passage == nullptr) return;
        // Every try has failed; a service's circuit counts the request once, however often it was tried.
        if (passage->ticket && exchange.tries > 0 && !exchange.is_from_upstream && exchange.upstream_status == 0)
            settle(exchange, *passage);
        if (passage->was_refused && exchange.tries == 0) {
            refuse(exchange, config.error_code, config.error_message);
            tell_when(exchange, passage->wait);
            for (const http::Header& header : exchange.client_headers)
                exchange.response.headers.set(header.name, header.value);
        }
    }

  private:
    void settle(Exchange& exchange, Passage& passage) const {
        if (passage.has_failed)
            passage.ticket.failed(rules_, exchange.worker.loop.now());
        else
            passage.ticket.succeeded(rules_);
    }

    static void tell_when(Exchange& exchange, net::Milliseconds wait) {
        std::int64_t seconds = std::max<std::int64_t>(1, (wait.count() + 999) / 1000);
        exchange.client_headers.set(http::Known::retry_after, exchange.arena.copy(std::to_string(seconds)));
    }

    BreakerRules rules_;
    std::shared_ptr<Breakers> breakers_;
    bool is_of_route_ = false;
};
REGISTER_PLUGIN(CircuitBreaker);

}  // namespace plugin
