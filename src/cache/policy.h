// What a shared cache may store, for how long it is good, and when it may be served (RFC 9111 3 and 4, RFC 5861), as
// pure functions over heads. Time is handed in: wall clock in milliseconds. Called by the proxy-cache plugin;
// conditional requests are in validation.h, ranges in range.h, Vary in vary.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/cache_control.h"
#include "cache/entry.h"
#include "http/message.h"

namespace cache {

struct PolicyOptions {
    // RFC 9111 4.2.2: this part of the time since Last-Modified, and never more than the limit. 0: no heuristics.
    unsigned heuristic_percent = 10;
    std::int64_t heuristic_most = 24 * 3600;
    // For responses that say nothing about freshness themselves: seconds, where the operator has said so.
    std::optional<std::int64_t> default_lifetime;
    // Used where the response says nothing about them: seconds.
    std::int64_t stale_while_revalidate = 0;
    std::int64_t stale_if_error = 0;
    // The key says whose request it is, so that nobody else can get what an authorised one got.
    bool is_keyed_by_client = false;
    // How long beyond its last use a response with a validator is kept, to be validated: seconds.
    std::int64_t keep_for_validation = 3600;
};

enum class Storable : std::uint8_t {
    yes,
    method,         // not GET
    status,         // partial, not final, one that must not be stored, or not understood with must-understand
    no_store,       // the client or the upstream says so
    is_private,     // for one client only
    authorization,  // the request was authorised and the response does not allow sharing (RFC 9111 3.5)
    cookie,         // sets a cookie and does not say that it may be shared
    varies,         // Vary: *
    no_lifetime,    // nothing allows to reuse it, and no validator to ask with
    upgraded,
};
[[nodiscard]] std::string_view name(Storable storable);

// RFC 9111 3. `request` as the upstream got it.
[[nodiscard]] Storable may_store(const http::RequestHead& request, const http::ResponseHead& response,
                                 const ResponseControl& control, const PolicyOptions& options);

// RFC 9111 3: cacheable by default, RFC 9110 15.1.
[[nodiscard]] bool is_heuristically_cacheable(int status);
// Whether this cache knows the caching requirements of a status (RFC 9111 5.2.2.3).
[[nodiscard]] bool is_understood(int status);

// Removes from the head of a response what is not stored: fields of one hop, of proxy authentication, those that
// `private` and `no-cache` name, and Age and Content-Length, which are made anew (RFC 9111 3.1, 5.2.2.4, 5.2.2.7).
void strip_for_storage(http::Headers& headers, const http::ConnectionOptions& connection,
                       const ResponseControl& control);

// RFC 9111 4.2: everything that is computed once, when the response has arrived.
[[nodiscard]] Validity validity_of(int status, const http::Headers& headers, const ResponseControl& control,
                                   Millis requested_at, Millis responded_at, const PolicyOptions& options);

// RFC 9111 4.2.3 current_age.
[[nodiscard]] Millis current_age(const Validity& validity, Millis now);
// The value of an Age field.
[[nodiscard]] std::int64_t age_seconds(const Validity& validity, Millis now);

enum class Use : std::uint8_t {
    serve,
    serve_and_refresh,  // stale, but may be served while it is being refreshed (RFC 5861 3)
    validate,           // only after the upstream was asked
};
// RFC 9111 4.2 and 5.2.1: whether a stored response answers a request now.
[[nodiscard]] Use may_serve(const Validity& validity, const RequestControl& request, Millis now);
// RFC 5861 4: whether it may stand in for an upstream that failed (could not be asked, or answered 500, 502, 503, 504).
[[nodiscard]] bool may_serve_on_error(const Validity& validity, const RequestControl& request, Millis now);
[[nodiscard]] constexpr bool is_server_failure(int status) {
    return status == 500 || status == 502 || status == 503 || status == 504;
}

// RFC 9111 4.4: whether the response to this request makes stored responses of its target invalid.
[[nodiscard]] bool invalidates(const http::RequestHead& request, int status);
// The path and query that a Location or Content-Location names, in the form of the request target, if it is of the same
// origin; nothing otherwise. `path` is the target's, without query.
[[nodiscard]] std::optional<std::string> same_origin_target(std::string_view reference, std::string_view scheme,
                                                            std::string_view authority, std::string_view path);

}  // namespace cache
