// Between a stored response and an exchange: what one request remembers of the cache (CacheNote), what is stored of an
// upstream's answer, and how a stored answer is given to a client. The same for every strategy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/policy.h"
#include "cache/store.h"
#include "cache/vary.h"
#include "plugin/exchange.h"
#include "plugins/proxy_cache_fetches.h"
#include "plugins/proxy_cache_key.h"

namespace plugin {

// What only a request that is fetched needs to remember.
struct CacheFetch {
    // The client's own conditions and range, where the request went out with ours.
    bool is_conditional = false;
    http::RequestHead client;

    // What is to be stored of the answer, when its body is there.
    bool is_to_be_stored = false;
    int status = 0;
    std::string_view reason;
    http::Headers headers;  // stripped for storage
    cache::Validity validity;
    cache::VaryNames vary;
    std::string_view key;
    std::optional<std::uint64_t> head_length;
    BodyCapture capture;
    CacheFetches::Room room;  // for it
};

// Kept small: a hit makes nothing else.
struct CacheNote {
    enum class Plan : std::uint8_t {
        none,        // the cache has nothing to do with it
        fetch,       // the upstream is asked
        answered,    // from the cache
        invalidate,  // what succeeds makes stored answers invalid
    };
    Plan plan = Plan::none;
    CacheKeys keys;
    std::string_view lookup_key;  // what collapsing goes by: keys.own, keys.shared, or the variant's, where it is known
    cache::RequestControl asked;
    cache::EntryPointer served;  // what the answer's views point into
    cache::EntryPointer found;   // stored, but not to be given as it is: to be validated, or to stand in for a failure
    CacheFetches::Lead lead;
    CacheFetch* fetch = nullptr;
    cache::Millis requested_at = 0;
    std::uint64_t ticket = 0;  // of strategy memory
    // Of strategy redis.
    bool has_generations = false;
    std::uint64_t generation_of_resource = 0;
    std::uint64_t generation_of_all = 0;
    std::vector<cache::EntryPointer> markers;

    [[nodiscard]] bool is_conditional() const { return fetch != nullptr && fetch->is_conditional; }
    // What an answer to this request is stored under, if it does not say that it is for everybody.
    [[nodiscard]] std::string_view main_key() const { return keys.own.empty() ? keys.shared : keys.own; }
    // The request as the client made it.
    [[nodiscard]] const http::Headers& asked_headers(const Exchange& exchange) const {
        return is_conditional() ? fetch->client.headers : exchange.request.headers;
    }
};

// The rules of one use of the plugin, for storing.
struct CacheRules {
    const ProxyCacheConfig& config;
    cache::PolicyOptions policy;
    [[nodiscard]] bool follows_control() const { return config.cache_control || config.rfc9111; }
};

// Whether the upstream's answer is to be stored; then the note holds all of it but the body.
[[nodiscard]] bool take_for_storage(Exchange& exchange, CacheNote& note, const CacheRules& rules);
// The entry, with the body that has been captured. `key` and `generation`: see cache::EntryKind.
[[nodiscard]] cache::EntryPointer entry_of(const CacheNote& note, const ProxyCacheConfig& config, std::string_view key);
// What stands under a key whose answers vary.
[[nodiscard]] cache::EntryPointer vary_marker_of(const CacheNote& note, std::uint64_t generation);
// The key of the variant that a request selects.
[[nodiscard]] std::string variant_key(std::string_view key, const cache::Entry& marker, const http::Headers& request);

// Whether the stored response may change for all who get it by the 304 that this client brought.
[[nodiscard]] bool may_replace(const Exchange& exchange, const CacheNote& note, const CacheRules& rules);
// The stored response brought up to date by the upstream's 304; null if that speaks of something else.
[[nodiscard]] cache::EntryPointer refreshed(Exchange& exchange, const CacheNote& note, const CacheRules& rules);

// Fills the exchange's response from the entry: whole, a part of it, or 304, as the client asked. `status`: the
// X-Cache-Status.
void answer_from(Exchange& exchange, CacheNote& note, cache::EntryPointer entry, const ProxyCacheConfig& config,
                 std::string_view status);
// X-Cache-Status, and X-Cache-Key if there is one.
void tell_cache_status(Exchange& exchange, const ProxyCacheConfig& config, std::string_view status,
                       std::string_view key);

// As Kong's admin API shows it (kong.md 4.13). A body that is no UTF-8 is null there.
[[nodiscard]] std::string json_of(const cache::Entry& entry);

[[nodiscard]] bool is_stored_type(std::string_view content_type, const ProxyCacheConfig& config);

}  // namespace plugin
