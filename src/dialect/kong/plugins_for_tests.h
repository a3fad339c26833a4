// Settings of a few plugins as far as the recorded configuration errors of a real Kong touch them, to hold the field
// machinery to Kong's words. The plugins themselves live in src/plugins.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dialect/kong/load.h"
#include "schema/field.h"

namespace kong::for_tests {

struct Redis {
    std::optional<std::string> host;
    std::int32_t port = 6379;
    static constexpr auto fields() {
        return schema::fields(schema::field("host", &Redis::host, "Server."),
                              schema::field("port", &Redis::port, "Port.").between(0, 65535));
    }
};

struct RateLimiting {
    std::optional<double> second, minute, hour, day, month, year;
    std::string policy = "local";
    Redis redis;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("second", &RateLimiting::second, "Calls.").above(0),
                              field("minute", &RateLimiting::minute, "Calls.").above(0),
                              field("hour", &RateLimiting::hour, "Calls.").above(0),
                              field("day", &RateLimiting::day, "Calls.").above(0),
                              field("month", &RateLimiting::month, "Calls.").above(0),
                              field("year", &RateLimiting::year, "Calls.").above(0),
                              field("policy", &RateLimiting::policy, "Where it counts.").one_of("local", "redis"),
                              field("redis", &RateLimiting::redis, "Redis."));
    }
    void check(schema::Checks& checks) const {
        if (policy == "redis" && !redis.host) {
            checks.entity("failed conditional validation given value of field 'config.policy'");
            checks.nested("redis", "host", "required field missing");
        }
        std::array<std::pair<std::string_view, std::optional<double>>, 6> periods{
            {{"second", second}, {"minute", minute}, {"hour", hour}, {"day", day}, {"month", month}, {"year", year}}};
        const std::pair<std::string_view, std::optional<double>>* before = nullptr;
        for (const auto& period : periods) {
            if (!period.second) continue;
            if (before != nullptr && *period.second < *before->second) {
                checks.record(fmt::format("The limit for {}({:.1f}) cannot be lower than the limit for {}({:.1f})",
                                          period.first, *period.second, before->first, *before->second));
            }
            before = &period;
        }
        if (before == nullptr) {
            checks.entity(
                "at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', "
                "'config.day', "
                "'config.month', 'config.year'");
        }
    }
};

struct Jwt {
    schema::Set<std::string> claims_to_verify;
    std::string key_claim_name = "iss";
    static constexpr auto fields() {
        return schema::fields(schema::field("claims_to_verify", &Jwt::claims_to_verify, "Claims.").one_of("exp", "nbf"),
                              schema::field("key_claim_name", &Jwt::key_claim_name, "Claim."));
    }
};

struct Cors {
    std::vector<std::string> origins;
    std::optional<double> max_age;
    bool credentials = false;
    static constexpr auto fields() {
        return schema::fields(schema::field("origins", &Cors::origins, "Origins."),
                              schema::field("max_age", &Cors::max_age, "Seconds."),
                              schema::field("credentials", &Cors::credentials, "Cookies."));
    }
};

struct ProxyCache {
    std::string strategy;
    static constexpr auto fields() {
        return schema::fields(schema::field("strategy", &ProxyCache::strategy, "Where.").required().one_of("memory"));
    }
};

constexpr schema::Format name_and_value{"^[^:]+:.*$", [](std::string_view text) {
                                            std::size_t colon = text.find(':');
                                            bool good = colon != std::string_view::npos && colon > 0;
                                            return good ? std::string() : fmt::format("invalid value: {}", text);
                                        }};
struct Additions {
    std::vector<std::string> headers;
    static constexpr auto fields() {
        return schema::fields(schema::field("headers", &Additions::headers, "Headers.").matches(name_and_value));
    }
};
struct RequestTransformer {
    Additions add;
    static constexpr auto fields() {
        return schema::fields(schema::field("add", &RequestTransformer::add, "What is added."));
    }
};

inline std::vector<PluginType> plugins() {
    return {{"rate-limiting", &schema::record_of<RateLimiting>()},
            {"jwt", &schema::record_of<Jwt>()},
            {"cors", &schema::record_of<Cors>()},
            {"proxy-cache", &schema::record_of<ProxyCache>()},
            {"request-transformer", &schema::record_of<RequestTransformer>()}};
}

}  // namespace kong::for_tests
