// response-ratelimiting: limits on what answers cost, as the upstream itself says in a header field: "X-Kong-Limit:
// video=2, image=1" (kong.md 4.9). The local counts are those of all cores: while something is left an answer passes
// and its whole cost is taken in the same step; when nothing is left, the answer is replaced by 429.
// With `policy: redis` what all nodes have used is read when the request comes, and the cost is told to Redis with the
// answer. So over all nodes a limit can be passed by the answers that are under way when it is reached; by those of one
// node alone it cannot, since the local count is kept as well.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/characters.h"
#include "observe/log.h"
#include "plugin/limit_key.h"
#include "plugin/redis_counting.h"
#include "plugin/redis_fields.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "plugin/window_counters.h"

namespace plugin {

namespace {

enum class AnswerPolicy : std::uint8_t { local, redis };
enum class AnswerLimitBy : std::uint8_t { consumer, credential, ip };

// What one answer can cost at most of one limit; more counts as this much.
constexpr double max_cost = 1e9;

// The limits of one name.
struct Periods {
    std::optional<double> second, minute, hour, day, month, year;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("second", &Periods::second, "In a second.").above(0),
                              field("minute", &Periods::minute, "In a minute.").above(0),
                              field("hour", &Periods::hour, "In an hour.").above(0),
                              field("day", &Periods::day, "In a day.").above(0),
                              field("month", &Periods::month, "In a month.").above(0),
                              field("year", &Periods::year, "In a year.").above(0));
    }
    [[nodiscard]] std::array<const std::optional<double>*, period_count> all() const {
        return {&second, &minute, &hour, &day, &month, &year};
    }
    void check(schema::Checks& checks) const {
        std::optional<std::size_t> before;
        auto given = all();
        for (std::size_t i = 0; i < given.size(); ++i) {
            if (!*given[i]) continue;
            if (before && **given[i] < **given[*before] && !checks.failed(plugin::name(static_cast<Period>(i))))
                checks.record(fmt::format("The limit for {}({:.1f}) cannot be lower than the limit for {}({:.1f})",
                                          plugin::name(static_cast<Period>(i)), **given[i],
                                          plugin::name(static_cast<Period>(*before)), **given[*before]));
            before = i;
        }
        if (!before)
            checks.entity(
                "at least one of these fields must be non-empty: 'second', 'minute', 'hour', 'day', 'month', 'year'");
    }
};

constexpr schema::Format limit_name{
    "a token",
    [](std::string_view text) { return http::is_token(text) ? std::string() : "invalid value: " + std::string(text); }};

// Fields that speak of the body that was replaced, or would let a cache keep what has come in its place.
constexpr std::uint64_t of_the_body =
    http::bit(http::Known::content_length) | http::bit(http::Known::content_type) |
    http::bit(http::Known::content_encoding) | http::bit(http::Known::content_range) | http::bit(http::Known::etag) |
    http::bit(http::Known::last_modified) | http::bit(http::Known::cache_control) | http::bit(http::Known::expires) |
    http::bit(http::Known::age) | http::bit(http::Known::transfer_encoding) | http::bit(http::Known::set_cookie);

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::AnswerPolicy> {
    static constexpr std::array<std::string_view, 2> list{"local", "redis"};
};
template <>
struct schema::Names<plugin::AnswerLimitBy> {
    static constexpr std::array<std::string_view, 3> list{"consumer", "credential", "ip"};
};

namespace plugin {

struct ResponseRateLimiting {
    static constexpr std::string_view name = "response-ratelimiting";
    static constexpr int priority = 900;
    static constexpr std::span<const Alias> aliases = redis_aliases;
    static constexpr std::string_view summary =
        "Limits what answers cost in a period, by names and amounts that the upstream puts into a header field of each "
        "answer.";
    static constexpr std::string_view example = R"(config:
  limits:
    video: {minute: 10, hour: 100}
    image: {minute: 60}
)";

    struct Config {
        std::map<std::string, Periods> limits;
        std::string header_name = "x-kong-limit";
        AnswerLimitBy limit_by = AnswerLimitBy::consumer;
        AnswerPolicy policy = AnswerPolicy::local;
        bool fault_tolerant = true;
        RedisFields redis;
        bool block_on_first_violation = false;
        bool hide_client_headers = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("limits", &Config::limits, "What may be used up, by name.").required().count(1).keys(limit_name),
                field("header_name", &Config::header_name,
                      "The upstream's field, `name=amount, ...`; clients do not see it."),
                field("limit_by", &Config::limit_by,
                      "What is counted; the client's address where the request has no such thing."),
                field("policy", &Config::policy,
                      "Where it is counted: here, exact over all cores, or in Redis for many nodes."),
                field("fault_tolerant", &Config::fault_tolerant,
                      "While Redis cannot be asked, count locally; else such requests get 500."),
                field("redis", &Config::redis, "Where Redis is, with policy redis."),
                field("block_on_first_violation", &Config::block_on_first_violation,
                      "Refuse requests as soon as nothing is left of any limit, without asking the upstream."),
                field("hide_client_headers", &Config::hide_client_headers, "Tell the client nothing of its limits."));
        }
        void check(schema::Checks& checks) const {
            if (!http::is_token(header_name)) checks.field("header_name", "invalid value: " + header_name);
            if (policy == AnswerPolicy::redis && !redis.is_given()) {
                checks.entity("failed conditional validation given value of field 'config.policy'");
                checks.nested("redis", "host", "required field missing");
            }
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        for (const auto& [limit, periods] : config.limits) {
            Named named{.name = limit, .upstream_header = "X-RateLimit-Remaining-" + limit};
            auto given = periods.all();
            for (std::size_t i = 0; i < given.size(); ++i) {
                if (!*given[i]) continue;
                auto period = static_cast<Period>(i);
                named.limits.push_back({period, **given[i], **given[i]});
                named.limit_headers.push_back(fmt::format("X-RateLimit-Limit-{}-{}", limit, plugin::name(period)));
                named.remaining_headers.push_back(
                    fmt::format("X-RateLimit-Remaining-{}-{}", limit, plugin::name(period)));
            }
            named.first = period_total_;
            period_total_ += named.limits.size();
            named_.push_back(std::move(named));
        }
        if (config.policy == AnswerPolicy::redis) {
            redis::Settings settings = config.redis.settings();
            TRY_VOID(settings.check());
            keys_ = CounterKeys(settings, fmt::format("response-ratelimit:{}:{}:", setup.scope.route.text(),
                                                      setup.scope.service.text()));
            clients_ = std::make_unique<CoreClients>(std::move(settings), setup.cores);
            failures_ = setup.shared.state<RedisFailures>(setup.state_key() + "/answers", [&] {
                return std::make_shared<RedisFailures>("response_ratelimiting_redis_failures_total", setup.state_key(),
                                                       setup.cores);
            });
        }
        counters_ = setup.shared.state<WindowCounters>(setup.state_key() + "/answers",
                                                       [] { return std::make_shared<WindowCounters>(); });
        return base::success();
    }

    Verdict on_request(Exchange& exchange) const {
        LimitKey by{static_cast<LimitBy>(config.limit_by), {}, 128};
        std::string_view identifier = identifier_of(by, exchange);
        exchange.make_note<Counted>(identifier);
        return clients_ ? Verdict::wait : go_on_or_refuse(exchange);
    }

    // What all nodes have used.
    base::Task<Verdict> wait_request(Exchange& exchange) const {
        Counted& counted = *exchange.note<Counted>();
        redis::Call call = ask_redis(exchange, counted.identifier);
        base::Result<redis::Reply> reply = co_await call;
        if (auto understood = read(exchange, reply, counted); !understood) {
            failures_->add(exchange.worker.index);
            log_failure(exchange, understood.error());
            if (!config.fault_tolerant) co_return refuse(exchange, 500, "An unexpected error occurred");
        }
        co_return go_on_or_refuse(exchange);
    }

    void on_response(Exchange& exchange) const {
        const Counted* counted = exchange.note<Counted>();
        // A plugin answered before this one had its turn.
        if (counted == nullptr) return;
        double* costs = costs_of(exchange);
        exchange.response.headers.remove(config.header_name);
        auto* usages = static_cast<Usages*>(exchange.arena.allocate(named_.size() * sizeof(Usages), alignof(Usages)));
        std::int64_t now = exchange.worker.loop.wall_now();
        std::size_t taken = 0;
        bool fits = true;
        for (; fits && taken < named_.size(); ++taken) {
            new (usages + taken) Usages;
            if (costs[taken] <= 0) continue;
            fits = !is_used_up(*counted, named_[taken]);
            if (!fits) break;
            fits = counters_->take(key_of(exchange, counted->identifier, named_[taken]), named_[taken].limits,
                                   Counting::fixed, now, costs[taken], usages[taken]);
            if (!fits) break;
        }
        if (!fits) {
            // An answer that is not given costs nothing, of no limit.
            for (std::size_t i = 0; i < taken; ++i)
                if (costs[i] > 0)
                    counters_->add(key_of(exchange, counted->identifier, named_[i]), named_[i].limits, Counting::fixed,
                                   now, -costs[i]);
            replace_answer(exchange);
        } else if (counted->used != nullptr) {
            for (std::size_t i = 0; i < named_.size(); ++i)
                if (costs[i] > 0) tell_redis(exchange, *counted, named_[i], costs[i], now);
        }
        if (config.hide_client_headers) return;
        for (std::size_t i = 0; i < named_.size(); ++i) {
            bool is_known = fits && costs[i] > 0;
            if (!is_known) {
                new (usages + i) Usages;
                counters_->look(key_of(exchange, counted->identifier, named_[i]), named_[i].limits, Counting::fixed,
                                now, usages[i]);
            }
            tell(exchange, named_[i], usages[i], *counted, fits ? costs[i] : 0);
        }
    }

  private:
    struct Counted {
        std::string_view identifier;
        const double* used = nullptr;  // by all nodes before this request, of each period; null: only we count
    };
    struct Named {
        std::string name;
        std::string upstream_header;
        std::size_t first = 0;  // its periods' place among those of all names
        std::vector<Limit> limits;
        std::vector<std::string> limit_headers;  // of each of them
        std::vector<std::string> remaining_headers;
    };

    Verdict go_on_or_refuse(Exchange& exchange) const {
        const Counted& counted = *exchange.note<Counted>();
        for (const Named& named : named_) {
            Usages usages;
            counters_->look(key_of(exchange, counted.identifier, named), named.limits, Counting::fixed,
                            exchange.worker.loop.wall_now(), usages);
            double least = remaining(counted, named, 0, usages, 0);
            for (std::size_t i = 1; i < named.limits.size(); ++i)
                least = std::min(least, remaining(counted, named, i, usages, 0));
            if (config.block_on_first_violation && least <= 0)
                return refuse(exchange, 429, exchange.arena.join("API rate limit exceeded for '", named.name, "'"));
            exchange.request.headers.set(named.upstream_header, limit_text(least, exchange.arena));
        }
        return Verdict::go_on;
    }

    // The tighter of what is known here and what all nodes have used.
    static double remaining(const Counted& counted, const Named& named, std::size_t period, const Usages& usages,
                            double cost) {
        double here = usages[period].remaining;
        if (counted.used == nullptr) return here;
        double everywhere = named.limits[period].most - counted.used[named.first + period] - cost;
        return std::max(0.0, std::min(here, std::floor(everywhere)));
    }
    static bool is_used_up(const Counted& counted, const Named& named) {
        if (counted.used == nullptr) return false;
        for (std::size_t i = 0; i < named.limits.size(); ++i)
            if (counted.used[named.first + i] >= named.limits[i].most) return true;
        return false;
    }

    std::string_view redis_key(Exchange& exchange, std::string_view identifier, const Named& named, Period period,
                               std::int64_t now) const {
        return keys_.key(exchange.arena, identifier, period, window_start(period, now), named.name);
    }

    redis::Call ask_redis(Exchange& exchange, std::string_view identifier) const {
        std::vector<std::string_view> command{"MGET"};
        std::int64_t now = exchange.worker.loop.wall_now();
        for (const Named& named : named_)
            for (const Limit& limit : named.limits)
                command.push_back(redis_key(exchange, identifier, named, limit.period, now));
        redis::Client& client = clients_->of(exchange.worker);
        return client.command(redis::Arguments(command.data(), command.size()),
                              net::after(exchange.worker.loop.now(), client.settings().read_timeout));
    }
    [[nodiscard]] base::Result<void> read(Exchange& exchange, const base::Result<redis::Reply>& reply,
                                          Counted& counted) const {
        if (!reply) return reply.error();
        bool is_right = reply->is_array() && reply->elements().size() == period_total_;
        auto* used = static_cast<double*>(exchange.arena.allocate(period_total_ * sizeof(double), alignof(double)));
        for (std::size_t i = 0; is_right && i < period_total_; ++i) {
            const redis::Reply& element = reply->elements()[i];
            std::optional<std::int64_t> value = element.is_nil() ? 0 : element.integer();
            is_right = value.has_value();
            used[i] = static_cast<double>(value.value_or(0));
        }
        if (!is_right) return base::Error::us(base::Code::malformed, "Redis did not answer with the counters");
        counted.used = used;
        return {};
    }

    // The answer does not wait for it.
    void tell_redis(Exchange& exchange, const Counted& counted, const Named& named, double cost,
                    std::int64_t now) const {
        std::vector<std::string_view> keys;
        std::vector<std::string> lives;
        for (const Limit& limit : named.limits) {
            keys.push_back(redis_key(exchange, counted.identifier, named, limit.period, now));
            lives.push_back(std::to_string(longest(limit.period)));
        }
        // Redis counts whole numbers.
        std::vector<std::string_view> arguments{limit_text(std::ceil(cost), exchange.arena)};
        arguments.insert(arguments.end(), lives.begin(), lives.end());
        count(clients_->of(exchange.worker), keys, arguments, failures_, exchange.worker.index);
    }
    // What it is given is copied before it first waits; it ends with the client at the latest.
    static base::Detached count(redis::Client& client, std::span<const std::string_view> keys,
                                std::span<const std::string_view> arguments, std::shared_ptr<RedisFailures> failures,
                                unsigned core) {
        redis::Call call = client.run(count_script(), keys, arguments);
        base::Result<redis::Reply> reply = co_await call;
        if (!reply) failures->add(core);
    }

    void log_failure(Exchange& exchange, const base::Error& error) const {
        static thread_local observe::Throttle throttle;
        if (throttle.pass(std::chrono::milliseconds(exchange.worker.loop.now())))
            observe::log(observe::Level::error, "response-ratelimiting",
                         config.fault_tolerant ? "Redis cannot be asked: counting locally" : "Redis cannot be asked",
                         {{"redis", clients_->settings().where()}, {"reason", error.detail}});
    }

    static std::string_view key_of(Exchange& exchange, std::string_view identifier, const Named& named) {
        // A name is a token, so that no identifier can be mistaken for another with a name behind it.
        return exchange.arena.join(named.name, " ", identifier);
    }

    // What the upstream says this answer costs, of each limit. A stored answer has been paid for.
    double* costs_of(Exchange& exchange) const {
        auto* costs = static_cast<double*>(exchange.arena.allocate(named_.size() * sizeof(double), alignof(double)));
        std::fill_n(costs, named_.size(), 0.0);
        if (!exchange.is_from_upstream || exchange.is_from_cache) return costs;
        exchange.response.headers.all(config.header_name, [&](std::string_view list) {
            for (std::string_view element; http::next_element(list, element);) {
                std::size_t equals = element.find('=');
                if (equals == element.npos) continue;
                std::string_view limit = http::trim(element.substr(0, equals));
                std::string_view amount = http::trim(element.substr(equals + 1));
                double cost = 0;
                auto [end, error] = std::from_chars(amount.data(), amount.data() + amount.size(), cost);
                if (error != std::errc() || end != amount.data() + amount.size() || !(cost > 0)) continue;
                for (std::size_t i = 0; i < named_.size(); ++i)
                    if (named_[i].name == limit) costs[i] = std::min(cost, max_cost);
            }
        });
        return costs;
    }

    // As Kong, with the fields of the answer but those of its body.
    static void replace_answer(Exchange& exchange) {
        http::Headers before = std::move(exchange.response.headers);
        http::ConnectionOptions options = exchange.response.connection;
        reply_text(exchange, 429, {}, {});
        for (const http::Header& header : before)
            if ((http::bit(header.known) & of_the_body) == 0 && !http::is_hop_by_hop(header, options))
                exchange.response.headers.add(header);
    }

    static void tell(Exchange& exchange, const Named& named, const Usages& usages, const Counted& counted,
                     double cost) {
        for (std::size_t i = 0; i < named.limits.size(); ++i) {
            http::Headers& headers = exchange.response.headers;
            headers.set(named.limit_headers[i], limit_text(named.limits[i].most, exchange.arena));
            headers.set(named.remaining_headers[i],
                        limit_text(remaining(counted, named, i, usages, cost), exchange.arena));
        }
    }

    std::vector<Named> named_;
    std::size_t period_total_ = 0;
    std::unique_ptr<CoreClients> clients_;
    CounterKeys keys_;
    std::shared_ptr<RedisFailures> failures_;
    std::shared_ptr<WindowCounters> counters_;
};
REGISTER_PLUGIN(ResponseRateLimiting);

}  // namespace plugin
