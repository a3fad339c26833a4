// What tells one cacheable request from another. X-Cache-Key is Kong's digest, for people and purging; what is looked
// up is longer and unambiguous: it begins with that digest, and says everything else that decides what the upstream is
// asked, for whom. All texts live in the exchange's arena.
#pragma once

#include <string_view>

#include "plugin/exchange.h"
#include "plugins/proxy_cache_settings.h"

namespace plugin {

struct CacheKeys {
    std::string_view shown;         // X-Cache-Key
    std::string_view resource;      // what was asked for, whoever and however: "host/path?arguments"
    std::string_view shared;        // for answers that anybody may have
    std::string_view own;           // for those of an authorised request; empty if it is none
    bool is_own_by_cookie = false;  // nothing but a cookie says that it is one
};

// `body` of the request, part of its identity.
[[nodiscard]] CacheKeys cache_keys(Exchange& exchange, const ProxyCacheConfig& config, std::string_view body);
// The port of the client's URL; 0: the scheme's own. Which of our ports it came in by says nothing: other nodes have
// others.
[[nodiscard]] std::uint16_t cache_port(const Exchange& exchange);
// The resource of another target (path and query) at the same host.
[[nodiscard]] std::string_view cache_resource(Exchange& exchange, const ProxyCacheConfig& config, std::string_view path,
                                              std::string_view query);

}  // namespace plugin
