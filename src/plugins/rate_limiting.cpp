// rate-limiting: so many requests in each second, minute, hour, day, month or year (kong.md 4.8). With `policy: local`
// the count is one for all cores and exact: at no instant do more pass than the limit says.
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "observe/log.h"
#include "plugin/counter_sync.h"
#include "plugin/in_flight.h"
#include "plugin/limit_key.h"
#include "plugin/redis_counting.h"
#include "plugin/redis_fields.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "plugin/window_counters.h"

namespace plugin {

namespace {

enum class Policy : std::uint8_t { local, redis };
enum class WindowType : std::uint8_t { fixed, sliding };
enum class Algorithm : std::uint8_t { window, token_bucket };

constexpr std::array<std::string_view, period_count> limit_names{"X-RateLimit-Limit-Second", "X-RateLimit-Limit-Minute",
                                                                 "X-RateLimit-Limit-Hour",   "X-RateLimit-Limit-Day",
                                                                 "X-RateLimit-Limit-Month",  "X-RateLimit-Limit-Year"};
constexpr std::array<std::string_view, period_count> remaining_names{
    "X-RateLimit-Remaining-Second", "X-RateLimit-Remaining-Minute", "X-RateLimit-Remaining-Hour",
    "X-RateLimit-Remaining-Day",    "X-RateLimit-Remaining-Month",  "X-RateLimit-Remaining-Year"};

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::Policy> {
    static constexpr std::array<std::string_view, 2> list{"local", "redis"};
};
template <>
struct schema::Names<plugin::WindowType> {
    static constexpr std::array<std::string_view, 2> list{"fixed", "sliding"};
};
template <>
struct schema::Names<plugin::Algorithm> {
    static constexpr std::array<std::string_view, 2> list{"window", "token-bucket"};
};

namespace plugin {

struct RateLimiting {
    static constexpr std::string_view name = "rate-limiting";
    static constexpr int priority = 910;
    static constexpr std::span<const Alias> aliases = redis_aliases;
    static constexpr std::string_view summary =
        "Lets so many requests of a consumer, an address, ... pass in a period, and answers the others with 429, "
        "`Retry-After` and what the limits are. The local count is exact over all cores.";
    static constexpr std::string_view example = R"(config:
  minute: 100
  hour: 1000
  policy: local
)";

    struct Config {
        std::optional<double> second, minute, hour, day, month, year;
        LimitBy limit_by = LimitBy::consumer;
        std::optional<std::string> header_name;
        std::optional<std::string> path;
        Policy policy = Policy::local;
        bool fault_tolerant = true;
        bool hide_client_headers = false;
        double error_code = 429;
        std::string error_message = "API rate limit exceeded";
        RedisFields redis;
        double sync_rate = -1;
        WindowType window_type = WindowType::fixed;
        Algorithm algorithm = Algorithm::window;
        std::optional<double> burst;
        std::optional<std::uint64_t> concurrency;
        std::uint16_t ipv6_prefix = 128;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("second", &Config::second, "Requests in a second.").above(0),
                field("minute", &Config::minute, "Requests in a minute.").above(0),
                field("hour", &Config::hour, "Requests in an hour.").above(0),
                field("day", &Config::day, "Requests in a day.").above(0),
                field("month", &Config::month, "Requests in a month.").above(0),
                field("year", &Config::year, "Requests in a year.").above(0),
                field("limit_by", &Config::limit_by,
                      "What is counted; the client's address where the request has no such thing."),
                field("header_name", &Config::header_name, "The header, with limit_by header."),
                field("path", &Config::path, "The path, with limit_by path."),
                field("policy", &Config::policy,
                      "Where it is counted: here, exact over all cores, or in Redis for many nodes."),
                field("fault_tolerant", &Config::fault_tolerant,
                      "While Redis cannot be asked, count locally; else such requests get 500."),
                field("hide_client_headers", &Config::hide_client_headers, "Tell the client nothing of its limits."),
                field("error_code", &Config::error_code, "Status of a refusal."),
                field("error_message", &Config::error_message, "Message of a refusal."),
                field("redis", &Config::redis, "Where Redis is, with policy redis."),
                field("sync_rate", &Config::sync_rate,
                      "Seconds between two exchanges with Redis; -1: it is asked on every request."),
                field("window_type", &Config::window_type,
                      "`sliding`: the window before counts in part, so that no burst passes where two windows meet. "
                      "Beyond Kong."),
                field("algorithm", &Config::algorithm,
                      "`token-bucket`: a steady rate with bursts of `burst` requests (GCRA). Beyond Kong."),
                field("burst", &Config::burst, "Requests at once with token-bucket; the limit itself if absent.")
                    .above(0),
                field("concurrency", &Config::concurrency,
                      "Requests under way at the same time, in this process. Beyond Kong.")
                    .at_least(1),
                field("ipv6_prefix", &Config::ipv6_prefix,
                      "Bits of an IPv6 address that are counted together; 64 is one customer's network. Beyond Kong.")
                    .between(1, 128));
        }
        void check(schema::Checks& checks) const {
            std::array<std::pair<std::string_view, const std::optional<double>*>, period_count> given{
                {{"second", &second},
                 {"minute", &minute},
                 {"hour", &hour},
                 {"day", &day},
                 {"month", &month},
                 {"year", &year}}};
            bool has_any = concurrency.has_value();
            const std::pair<std::string_view, const std::optional<double>*>* before = nullptr;
            for (const auto& period : given) {
                if (!*period.second) continue;
                has_any = true;
                if (before != nullptr && **period.second < **before->second && !checks.failed(period.first))
                    checks.record(fmt::format("The limit for {}({:.1f}) cannot be lower than the limit for {}({:.1f})",
                                              period.first, **period.second, before->first, **before->second));
                before = &period;
            }
            if (!has_any)
                checks.entity(
                    "at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', "
                    "'config.day', 'config.month', 'config.year'");
            if (limit_by == LimitBy::header && !header_name) {
                checks.entity("failed conditional validation given value of field 'config.limit_by'");
                checks.field("header_name", "required field missing");
            }
            if (limit_by == LimitBy::path && !path) {
                checks.entity("failed conditional validation given value of field 'config.limit_by'");
                checks.field("path", "required field missing");
            }
            if (policy == Policy::redis && !redis.is_given()) {
                checks.entity("failed conditional validation given value of field 'config.policy'");
                checks.nested("redis", "host", "required field missing");
            }
            if (policy == Policy::redis && (window_type != WindowType::fixed || algorithm != Algorithm::window))
                checks.field("policy", "Redis counts fixed windows only", "use policy local, or leave out the other");
            if (sync_rate != -1 && sync_rate < 0.02)
                checks.field("sync_rate", "sync_rate must not be less than 0.02, or -1 for synchronous updates");
            if (algorithm == Algorithm::token_bucket && window_type == WindowType::sliding)
                checks.field("window_type", "a token bucket has no window");
            if (burst && algorithm != Algorithm::token_bucket)
                checks.field("burst", "only with algorithm token-bucket");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        std::array<const std::optional<double>*, period_count> given{&config.second, &config.minute, &config.hour,
                                                                     &config.day,    &config.month,  &config.year};
        for (std::size_t i = 0; i < given.size(); ++i)
            if (*given[i]) limits_.push_back({static_cast<Period>(i), **given[i], config.burst.value_or(**given[i])});
        base::Arena arena;
        for (const Limit& limit : limits_) most_texts_.emplace_back(limit_text(limit.most, arena));
        counting_ = config.algorithm == Algorithm::token_bucket ? Counting::token_bucket
                    : config.window_type == WindowType::sliding ? Counting::sliding
                                                                : Counting::fixed;
        const std::optional<std::string>& named = config.limit_by == LimitBy::path ? config.path : config.header_name;
        key_ = {config.limit_by, named ? std::string_view(*named) : std::string_view(), config.ipv6_prefix};
        // A count of one kind means nothing to another.
        std::string key = setup.state_key() + "/" + std::to_string(static_cast<int>(counting_));
        counters_ = setup.shared.state<WindowCounters>(key, [] { return std::make_shared<WindowCounters>(); });
        if (config.policy == Policy::redis) TRY_VOID(prepare_redis(setup, key));
        if (config.concurrency)
            in_flight_ = setup.shared.state<InFlight>(setup.state_key(), [] { return std::make_shared<InFlight>(); });
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        std::string_view identifier = identifier_of(key_, exchange);
        if (in_flight_) {
            if (!in_flight_->enter(identifier, *config.concurrency)) {
                if (!config.hide_client_headers) exchange.client_headers.add(http::Known::retry_after, "1");
                return refuse_with(exchange, 1);
            }
            exchange.make_note<InFlight::Place>(in_flight_, std::string(identifier));
        }
        if (limits_.empty()) return Verdict::go_on;
        if (config.policy == Policy::local) return decide_locally(exchange, identifier);
        if (config.sync_rate > 0) return decide_with_sync(exchange, identifier);
        exchange.make_note<Asked>(identifier);
        return Verdict::wait;
    }

    // policy redis, sync_rate -1: Redis counts, atomically, before the request goes on.
    base::Task<Verdict> wait_request(Exchange& exchange) const {
        std::string_view identifier = exchange.note<Asked>()->identifier;
        std::int64_t now = exchange.worker.loop.wall_now();
        redis::Call call = ask_redis(exchange, identifier, now);
        base::Result<redis::Reply> reply = co_await call;
        Counted counted;
        if (auto understood = read(reply, counted); !understood) {
            failures_->add(exchange.worker.index);
            log_failure(exchange, understood.error());
            if (!config.fault_tolerant) co_return refuse(exchange, 500, "An unexpected error occurred");
            co_return decide_locally(exchange, identifier);
        }
        Usages usages;
        bool fits = true;
        for (std::size_t i = 0; i < limits_.size(); ++i) {
            double used = static_cast<double>(counted[i]);
            usages[i].is_over = used > limits_[i].most;
            usages[i].remaining = std::max(0.0, std::floor(limits_[i].most - used));
            usages[i].reset_seconds = reset_seconds(limits_[i].period, now);
            fits = fits && !usages[i].is_over;
        }
        co_return tell(exchange, fits, usages);
    }

  private:
    struct Asked {
        std::string_view identifier;
    };
    using Counted = std::array<std::int64_t, period_count>;

    static std::int64_t reset_seconds(Period period, std::int64_t now) {
        return std::max<std::int64_t>(1, (window_end(period, now) - now + 999) / 1000);
    }

    base::Result<void> prepare_redis(const Setup& setup, const std::string& key) {
        redis::Settings settings = config.redis.settings();
        TRY_VOID(settings.check());
        keys_ = CounterKeys(settings, "ratelimit:" + setup.scope.route.text() + ":" + setup.scope.service.text() + ":");
        clients_ = std::make_unique<CoreClients>(std::move(settings), setup.cores);
        failures_ = setup.shared.state<RedisFailures>(key, [&] {
            return std::make_shared<RedisFailures>("rate_limiting_redis_failures_total", setup.state_key(),
                                                   setup.cores);
        });
        for (const Limit& limit : limits_) lives_.push_back(std::to_string(longest(limit.period)));
        if (config.sync_rate <= 0) return {};
        counters_->remember_unsynced();
        interval_ = net::Milliseconds(static_cast<std::int64_t>(config.sync_rate * 1000));
        syncs_ = std::make_unique<CounterSync*[]>(setup.cores);
        return {};
    }

    redis::Call ask_redis(Exchange& exchange, std::string_view identifier, std::int64_t now) const {
        redis::Client& client = clients_->of(exchange.worker);
        std::array<std::string_view, period_count> keys;
        std::array<std::string_view, period_count + 1> arguments;
        arguments[0] = "1";
        for (std::size_t i = 0; i < limits_.size(); ++i) {
            keys[i] = keys_.key(exchange.arena, identifier, limits_[i].period, window_start(limits_[i].period, now));
            arguments[i + 1] = lives_[i];
        }
        return client.run(count_script(), {keys.data(), limits_.size()}, {arguments.data(), limits_.size() + 1},
                          net::after(exchange.worker.loop.now(), client.settings().read_timeout));
    }
    [[nodiscard]] base::Result<void> read(const base::Result<redis::Reply>& reply, Counted& counted) const {
        if (!reply) return reply.error();
        bool is_right = reply->is_array() && reply->elements().size() == limits_.size();
        for (std::size_t i = 0; is_right && i < limits_.size(); ++i) {
            std::optional<std::int64_t> value = reply->elements()[i].integer();
            is_right = value.has_value();
            counted[i] = value.value_or(0);
        }
        if (!is_right) return base::Error::us(base::Code::malformed, "Redis did not answer with the counters");
        return {};
    }

    // sync_rate > 0: what the other nodes have used is known as of the last exchange with Redis; our own use since then
    // is exact. What is over-admitted is bounded by what all nodes let pass in two exchanges (docs/redis.md).
    Verdict decide_with_sync(Exchange& exchange, std::string_view identifier) const {
        std::int64_t now = exchange.worker.loop.wall_now();
        Usages usages;
        bool fits = counters_->take(identifier, limits_, counting_, now, 1, usages);
        sync_of(exchange.worker).soon(interval_);
        return tell(exchange, fits, usages);
    }

    CounterSync& sync_of(Worker& worker) const {
        CounterSync*& sync = syncs_[worker.index];  // each core has its own
        if (sync == nullptr) {
            sync =
                &worker.state<CounterSyncs>("", [&] { return std::make_unique<CounterSyncs>(worker); }).of(counters_);
            sync->use(clients_->lease(worker), keys_, failures_);
        }
        return *sync;
    }

    void log_failure(Exchange& exchange, const base::Error& error) const {
        static thread_local observe::Throttle throttle;
        if (throttle.pass(std::chrono::milliseconds(exchange.worker.loop.now())))
            observe::log(observe::Level::error, "rate-limiting",
                         config.fault_tolerant ? "Redis cannot be asked: counting locally" : "Redis cannot be asked",
                         {{"redis", clients_->settings().where()}, {"reason", error.detail}});
    }
    Verdict decide_locally(Exchange& exchange, std::string_view identifier) const {
        Usages usages;
        bool fits = counters_->take(identifier, limits_, counting_, exchange.worker.loop.wall_now(), 1, usages);
        return tell(exchange, fits, usages);
    }

    // The headers of this request's answer, and the refusal if it is one.
    Verdict tell(Exchange& exchange, bool fits, const Usages& usages) const {
        base::Arena& arena = exchange.arena;
        // The tightest: the lowest remaining, then the longest window.
        std::size_t tightest = 0;
        for (std::size_t i = 1; i < limits_.size(); ++i)
            if (usages[i].remaining <= usages[tightest].remaining) tightest = i;
        std::int64_t wait = usages[tightest].reset_seconds;
        if (!fits) {
            wait = 1;
            for (std::size_t i = 0; i < limits_.size(); ++i)
                if (usages[i].is_over) wait = std::max(wait, usages[i].reset_seconds);
        }
        if (!config.hide_client_headers) {
            http::Headers& headers = exchange.client_headers;
            for (std::size_t i = 0; i < limits_.size(); ++i) {
                auto period = static_cast<std::size_t>(limits_[i].period);
                headers.add({limit_names[period], most_texts_[i], http::Known::none});
                headers.add({remaining_names[period], limit_text(usages[i].remaining, arena), http::Known::none});
            }
            headers.add({"RateLimit-Limit", most_texts_[tightest], http::Known::none});
            headers.add({"RateLimit-Remaining", limit_text(usages[tightest].remaining, arena), http::Known::none});
            headers.add({"RateLimit-Reset", limit_text(static_cast<double>(usages[tightest].reset_seconds), arena),
                         http::Known::none});
            if (!fits) headers.add(http::Known::retry_after, limit_text(static_cast<double>(wait), arena));
        }
        return fits ? Verdict::go_on : refuse_with(exchange, wait);
    }

    Verdict refuse_with(Exchange& exchange, std::int64_t wait) const {
        std::string_view more;
        if (!config.hide_client_headers)
            more = exchange.arena.join("\"retry_after\":", limit_text(static_cast<double>(wait), exchange.arena));
        return reply_error(exchange, static_cast<int>(config.error_code), config.error_message, ErrorKind::gateway,
                           more);
    }

    std::vector<Limit> limits_;
    std::vector<std::string> most_texts_;  // of each
    Counting counting_ = Counting::fixed;
    LimitKey key_;
    std::shared_ptr<WindowCounters> counters_;
    std::shared_ptr<InFlight> in_flight_;
    std::unique_ptr<CoreClients> clients_;
    CounterKeys keys_;
    std::vector<std::string> lives_;  // of the counters in Redis, in seconds
    std::shared_ptr<RedisFailures> failures_;
    std::unique_ptr<CounterSync*[]> syncs_;
    net::Milliseconds interval_{0};
};
REGISTER_PLUGIN(RateLimiting);

}  // namespace plugin
