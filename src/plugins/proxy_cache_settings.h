// The settings of proxy-cache: Kong's (kong.md 4.13), and what goes beyond Kong. Read by proxy_cache*.cpp only.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "plugin/redis_fields.h"
#include "schema/field.h"

namespace plugin {

enum class CacheStrategy : std::uint8_t { memory, redis };
// What keeps the answers of authorised clients apart.
enum class CacheIdentity : std::uint8_t { credential, consumer };

}  // namespace plugin

template <>
struct schema::Names<plugin::CacheStrategy> {
    static constexpr std::array<std::string_view, 2> list{"memory", "redis"};
};
template <>
struct schema::Names<plugin::CacheIdentity> {
    static constexpr std::array<std::string_view, 2> list{"credential", "consumer"};
};

namespace plugin {

struct CacheResponseHeaders {
    bool age = true;
    bool status = true;
    bool key = true;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("age", &CacheResponseHeaders::age, "Age, on answers from the cache."),
                              field("X-Cache-Status", &CacheResponseHeaders::status,
                                    "Miss, Hit, Refresh (asked again), Bypass; and Stale, beyond Kong."),
                              field("X-Cache-Key", &CacheResponseHeaders::key, "What the answer is stored under."));
    }
};

struct CacheMemory {
    std::string dictionary_name = "kong_db_cache";
    schema::Bytes size{std::uint64_t{128} << 20};
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("dictionary_name", &CacheMemory::dictionary_name, "Uses of the same name and size share one cache."),
            field("size", &CacheMemory::size, "Bytes that the cache may take, all included. Beyond Kong.")
                .at_least(1 << 20));
    }
};

struct ProxyCacheConfig {
    std::vector<std::int64_t> response_code{200, 301, 404};
    std::vector<std::string> request_method{"GET", "HEAD"};
    std::vector<std::string> content_type{"text/plain", "application/json"};
    std::int64_t cache_ttl = 300;
    CacheStrategy strategy = CacheStrategy::memory;
    bool cache_control = false;
    bool ignore_uri_case = false;
    std::optional<std::int64_t> storage_ttl;
    CacheMemory memory;
    RedisFields redis;
    std::vector<std::string> vary_query_params;
    std::vector<std::string> vary_headers;
    CacheResponseHeaders response_headers;
    // ---- beyond Kong
    bool rfc9111 = false;
    CacheIdentity identity = CacheIdentity::credential;
    bool identify_by_cookie = true;
    schema::Bytes max_body_size{std::uint64_t{1} << 20};
    std::chrono::milliseconds collapse_timeout{5'000};
    std::int64_t stale_while_revalidate = 0;
    std::int64_t stale_if_error = 0;
    std::string tag_header = "Cache-Tag";

    static constexpr auto fields() {
        using schema::field;
        using C = ProxyCacheConfig;
        return schema::fields(
            field("response_code", &C::response_code, "Statuses that are stored.").count(1).between(100, 900),
            field("request_method", &C::request_method,
                  "Methods whose answers are stored. A request with a body is told from others by the body, too.")
                .one_of("HEAD", "GET", "POST", "PATCH", "PUT"),
            field("content_type", &C::content_type,
                  "Types that are stored, with their parameters as they stand; `*` for a type or a subtype."),
            field("cache_ttl", &C::cache_ttl, "Seconds that an answer is fresh, unless cache_control says.").above(0),
            field("strategy", &C::strategy, "Where answers are stored.").required(),
            field("cache_control", &C::cache_control,
                  "Go by Cache-Control and Expires of the upstream and Cache-Control of the client."),
            field("ignore_uri_case", &C::ignore_uri_case, "Take paths for the same whatever their case."),
            field(
                "storage_ttl", &C::storage_ttl,
                "Seconds that an answer is kept, also when no longer fresh: to be validated, and for stale_if_error."),
            field("memory", &C::memory, "For strategy memory."),
            field("redis", &C::redis, "Where Redis is, for strategy redis. Beyond Kong OSS."),
            field("vary_query_params", &C::vary_query_params,
                  "Only these query parameters tell requests apart; all of them if empty."),
            field("vary_headers", &C::vary_headers, "Request headers that tell requests apart, beside Vary."),
            field("response_headers", &C::response_headers, "What the client is told."),
            field("rfc9111", &C::rfc9111,
                  "A shared cache as RFC 9111 has it, beyond Kong: implies cache_control; heuristic freshness, Age of "
                  "the upstream, answers to HEAD and Range from what is stored, invalidation by unsafe methods. Off by "
                  "default, for Kong's answers. Whatever this is, Vary and `private` are honoured, and what was "
                  "stored for an authorised request answers that client only."),
            field("identity", &C::identity,
                  "Answers to authorised requests are for those with the same credential, or also for others of the "
                  "same consumer. Beyond Kong."),
            field("identify_by_cookie", &C::identify_by_cookie,
                  "A request with cookies is an authorised one: what is stored for it is for those with the same "
                  "cookies, unless identity is consumer and there is one. With rfc9111 only where the answer does not "
                  "say how long it is fresh. Beyond Kong."),
            field(
                "max_body_size", &C::max_body_size,
                "Longer answers are passed on and not stored; nor are those that take more than a 64th of memory.size. "
                "Beyond Kong.")
                .at_most(64 << 20),
            field("collapse_timeout", &C::collapse_timeout,
                  "Requests for what is being fetched already, on the same core, wait so long for it; 0: they do not. "
                  "Beyond Kong.")
                .at_most(60'000),
            field("stale_while_revalidate", &C::stale_while_revalidate,
                  "Seconds that a stale answer is given while it is fetched anew, where the answer does not say "
                  "(RFC 5861). Beyond Kong.")
                .at_least(0),
            field("stale_if_error", &C::stale_if_error,
                  "Seconds that a stale answer is given while the upstream fails, where the answer does not say "
                  "(RFC 5861). Beyond Kong.")
                .at_least(0),
            field("tag_header", &C::tag_header, "Response header that lists the tags to purge by. Beyond Kong."));
    }
    void check(schema::Checks& checks) const {
        if (strategy != CacheStrategy::redis || redis.is_given()) return;
        checks.entity("failed conditional validation given value of field 'config.strategy'");
        checks.nested("redis", "host", "required field missing");
    }
};

}  // namespace plugin
