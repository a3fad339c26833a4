// rate-limiting: so many requests in each second, minute, hour, day, month or year (kong.md 4.8). With `policy: local`
// the count is one for all cores and exact: at no instant do more pass than the limit says.
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "plugin/in_flight.h"
#include "plugin/limit_key.h"
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

std::string_view number(double value, base::Arena& arena) {
    char text[32];
    char* end = std::to_chars(text, text + sizeof text, value).ptr;
    if (value == std::floor(value) && std::abs(value) < 1e15)
        end = std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr;
    return arena.copy({text, static_cast<std::size_t>(end - text)});
}

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
        counting_ = config.algorithm == Algorithm::token_bucket ? Counting::token_bucket
                    : config.window_type == WindowType::sliding ? Counting::sliding
                                                                : Counting::fixed;
        const std::optional<std::string>& named = config.limit_by == LimitBy::path ? config.path : config.header_name;
        key_ = {config.limit_by, named ? std::string_view(*named) : std::string_view(), config.ipv6_prefix};
        // A count of one kind means nothing to another.
        std::string key = setup.state_key() + "/" + std::to_string(static_cast<int>(counting_));
        counters_ = setup.shared.state<WindowCounters>(key, [] { return std::make_shared<WindowCounters>(); });
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
        return decide_locally(exchange, identifier);
    }

  private:
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
                headers.add({limit_names[period], number(limits_[i].most, arena), http::Known::none});
                headers.add({remaining_names[period], number(usages[i].remaining, arena), http::Known::none});
            }
            headers.add({"RateLimit-Limit", number(limits_[tightest].most, arena), http::Known::none});
            headers.add({"RateLimit-Remaining", number(usages[tightest].remaining, arena), http::Known::none});
            headers.add({"RateLimit-Reset", number(static_cast<double>(usages[tightest].reset_seconds), arena),
                         http::Known::none});
            if (!fits) headers.add(http::Known::retry_after, number(static_cast<double>(wait), arena));
        }
        return fits ? Verdict::go_on : refuse_with(exchange, wait);
    }

    Verdict refuse_with(Exchange& exchange, std::int64_t wait) const {
        std::string_view more;
        if (!config.hide_client_headers)
            more = exchange.arena.join("\"retry_after\":", number(static_cast<double>(wait), exchange.arena));
        return reply_error(exchange, static_cast<int>(config.error_code), config.error_message, ErrorKind::gateway,
                           more);
    }

    std::vector<Limit> limits_;
    Counting counting_ = Counting::fixed;
    LimitKey key_;
    std::shared_ptr<WindowCounters> counters_;
    std::shared_ptr<InFlight> in_flight_;
};
REGISTER_PLUGIN(RateLimiting);

}  // namespace plugin
