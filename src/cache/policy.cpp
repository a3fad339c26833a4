#include "cache/policy.h"

#include <algorithm>
#include <array>

#include "cache/vary.h"
#include "http/characters.h"
#include "http/date.h"

namespace cache {

namespace {

using http::Known;

Millis in_millis(std::int64_t seconds) { return std::min(seconds, any_staleness) * a_second; }

struct Lifetime {
    std::int64_t seconds = 0;
    bool is_explicit = false;
};

bool has_validator(const http::Headers& headers) {
    return headers.has(Known::etag) || headers.has(Known::last_modified);
}

// RFC 9111 5.3: a value that is no date, "0" above all, is in the past; several values are as good as a broken one.
std::int64_t expires_after(const http::Headers& headers, std::int64_t responded_at) {
    if (headers.count(Known::expires) > 1) return 0;
    std::optional<std::int64_t> expires = http::parse_date(headers.first(Known::expires));
    if (!expires) return 0;
    std::int64_t date = http::parse_date(headers.first(Known::date)).value_or(responded_at);
    return std::clamp<std::int64_t>(*expires - date, 0, most_delta);
}

std::int64_t heuristic(const http::Headers& headers, std::int64_t responded_at, const PolicyOptions& options) {
    std::optional<std::int64_t> modified = http::parse_date(headers.first(Known::last_modified));
    if (!modified || headers.count(Known::last_modified) > 1) return 0;
    std::int64_t date = http::parse_date(headers.first(Known::date)).value_or(responded_at);
    std::int64_t unchanged = std::clamp<std::int64_t>(date - *modified, 0, most_delta);
    return std::clamp<std::int64_t>(unchanged * options.heuristic_percent / 100, 0, options.heuristic_most);
}

bool is_explicit(const http::Headers& headers, const ResponseControl& control) {
    return control.s_maxage || control.max_age || headers.has(Known::expires);
}

// RFC 9111 4.2.1, for a shared cache.
Lifetime lifetime_of(int status, const http::Headers& headers, const ResponseControl& control,
                     std::int64_t responded_at, const PolicyOptions& options) {
    if (control.s_maxage) return {*control.s_maxage, true};
    if (control.max_age) return {*control.max_age, true};
    if (headers.has(Known::expires)) return {expires_after(headers, responded_at), true};
    if (!control.is_public && !is_heuristically_cacheable(status)) return {};
    if (options.default_lifetime) return {*options.default_lifetime, false};
    return {heuristic(headers, responded_at, options), false};
}

// RFC 9111 4.2.4: what the response itself says about being served stale.
bool never_stale(const Validity& validity) { return validity.no_cache || validity.must_revalidate; }

}  // namespace

std::string_view name(Storable storable) {
    switch (storable) {
        case Storable::yes:
            return "yes";
        case Storable::method:
            return "method";
        case Storable::status:
            return "status";
        case Storable::no_store:
            return "no-store";
        case Storable::is_private:
            return "private";
        case Storable::authorization:
            return "authorization";
        case Storable::cookie:
            return "cookie";
        case Storable::varies:
            return "vary";
        case Storable::no_lifetime:
            return "no lifetime";
        case Storable::upgraded:
            return "upgraded";
    }
    return "";
}

bool is_heuristically_cacheable(int status) {
    switch (status) {
        case 200:
        case 203:
        case 204:
        case 300:
        case 301:
        case 308:
        case 404:
        case 405:
        case 410:
        case 414:
        case 501:
            return true;
        default:
            return false;  // 206 is one, too, but parts are not stored here
    }
}

bool is_understood(int status) {
    switch (status) {
        case 302:
        case 303:
        case 307:
        case 400:
        case 403:
        case 406:
        case 409:
        case 415:
        case 422:
        case 451:
        case 500:
        case 502:
        case 503:
        case 504:
            return true;
        default:
            return is_heuristically_cacheable(status);
    }
}

Storable may_store(const http::RequestHead& request, const http::ResponseHead& response, const ResponseControl& control,
                   const PolicyOptions& options) {
    if (request.method != http::Method::get) return Storable::method;
    if (response.upgrade) return Storable::upgraded;
    switch (response.status) {
        case 206:
        case 304:  // RFC 9111 3.3, 4.3.3: not a whole response
        case 428:
        case 429:
        case 431:
        case 511:  // RFC 6585: must not be stored
            return Storable::status;
        default:
            if (response.status < 200) return Storable::status;
    }
    bool is_known = is_understood(response.status);
    if (control.must_understand && !is_known) return Storable::status;
    if (control.no_store && !(control.must_understand && is_known)) return Storable::no_store;
    if (parse_request_control(request.headers).no_store) return Storable::no_store;
    if (control.is_private) return Storable::is_private;
    const http::Headers& headers = response.headers;
    bool may_share = control.is_public || control.must_revalidate || control.s_maxage;
    if (request.headers.has(Known::authorization) && !may_share && !options.is_keyed_by_client)
        return Storable::authorization;
    if (VaryNames::of(headers).kind() == VaryNames::Kind::any) return Storable::varies;
    bool is_stated = is_explicit(headers, control);
    // A cookie is usually for one client. RFC 9111 7.3 leaves it to the response to forbid storing; here it has to say
    // something about its freshness before a cookie is given to others.
    if (headers.has(Known::set_cookie) && !is_stated && !control.is_public) return Storable::cookie;
    if (!is_stated && !control.is_public && !is_heuristically_cacheable(response.status)) return Storable::no_lifetime;
    // Good for nothing: neither fresh for a moment nor to be validated.
    bool is_limited = control.no_cache && !has_validator(headers);
    if (is_limited) return Storable::no_lifetime;
    Validity validity = validity_of(response.status, headers, control, 0, 0, options);
    bool is_useful = validity.lifetime > 0 || validity.while_stale > 0 || validity.on_error > 0;
    return is_useful || has_validator(headers) ? Storable::yes : Storable::no_lifetime;
}

void strip_for_storage(http::Headers& headers, const http::ConnectionOptions& connection,
                       const ResponseControl& control) {
    headers.remove_if([&](const http::Header& header) {
        if (http::is_hop_by_hop(header, connection)) return true;
        switch (header.known) {
            case Known::age:
            case Known::content_length:
            case Known::proxy_authenticate:
            case Known::proxy_authorization:
                return true;
            default:
                break;
        }
        return control.no_cache_fields.names(header.name) || control.private_fields.names(header.name) ||
               http::equals_ignore_case(header.name, "Proxy-Authentication-Info");
    });
}

Validity validity_of(int status, const http::Headers& headers, const ResponseControl& control, Millis requested_at,
                     Millis responded_at, const PolicyOptions& options) {
    Validity validity;
    validity.requested_at = requested_at;
    validity.responded_at = std::max(responded_at, requested_at);
    std::int64_t responded_second = validity.responded_at / a_second;
    validity.lifetime = in_millis(lifetime_of(status, headers, control, responded_second, options).seconds);

    // RFC 9111 4.2.3. Date counts whole seconds, so the moment of arrival does here, too.
    std::int64_t date = http::parse_date(headers.first(Known::date)).value_or(responded_second);
    std::int64_t apparent = std::clamp<std::int64_t>(responded_second - date, 0, most_delta);
    Millis corrected = in_millis(parse_age(headers)) + (validity.responded_at - validity.requested_at);
    validity.initial_age = std::max(in_millis(apparent), corrected);

    validity.no_cache = control.no_cache;
    validity.must_revalidate = control.must_revalidate || control.proxy_revalidate;
    validity.shared_limit = control.s_maxage.has_value();
    if (!never_stale(validity)) {
        validity.while_stale = in_millis(
            control.stale_while_revalidate.value_or(validity.shared_limit ? 0 : options.stale_while_revalidate));
        validity.on_error =
            in_millis(control.stale_if_error.value_or(validity.shared_limit ? 0 : options.stale_if_error));
    }
    Millis stale_for = std::max(validity.while_stale, validity.on_error);
    if (has_validator(headers)) stale_for = std::max(stale_for, in_millis(options.keep_for_validation));
    Millis left = std::max<Millis>(validity.lifetime - validity.initial_age, 0);
    validity.keep_until = validity.responded_at + left + stale_for;
    return validity;
}

Millis current_age(const Validity& validity, Millis now) {
    // A clock that was set back: no younger than on arrival.
    return validity.initial_age + std::max<Millis>(now - validity.responded_at, 0);
}

std::int64_t age_seconds(const Validity& validity, Millis now) {
    return std::min(current_age(validity, now) / a_second, most_delta);
}

Use may_serve(const Validity& validity, const RequestControl& request, Millis now) {
    if (validity.no_cache || request.no_cache) return Use::validate;
    Millis age = current_age(validity, now);
    if (request.max_age && age > in_millis(*request.max_age)) return Use::validate;
    if (request.min_fresh && validity.lifetime - age < in_millis(*request.min_fresh)) return Use::validate;
    if (validity.lifetime > age) {
        // max-age=0 asks for an answer of this moment, which a stored one is not.
        return request.max_age == 0 ? Use::validate : Use::serve;
    }
    if (never_stale(validity)) return Use::validate;
    Millis staleness = age - validity.lifetime;
    // The client cannot lift the limit of s-maxage (RFC 9111 4.2.4); the response itself can (RFC 5861).
    if (request.max_stale && !validity.shared_limit && staleness <= in_millis(*request.max_stale)) return Use::serve;
    if (staleness < validity.while_stale && !request.min_fresh) return Use::serve_and_refresh;
    return Use::validate;
}

bool may_serve_on_error(const Validity& validity, const RequestControl& request, Millis now) {
    if (never_stale(validity) || request.no_cache) return false;
    Millis age = current_age(validity, now);
    // Fresh, and asked only because the client wanted it: its limits are its own.
    Millis staleness = std::max<Millis>(age - validity.lifetime, 0);
    Millis allowed = validity.on_error;
    if (request.stale_if_error && !validity.shared_limit)
        allowed = std::max(allowed, in_millis(*request.stale_if_error));
    if (request.max_age && age > in_millis(*request.max_age) + allowed) return false;
    return staleness == 0 || staleness <= allowed;
}

bool invalidates(const http::RequestHead& request, int status) {
    return !http::is_safe(request.method) && status >= 200 && status < 400;
}

}  // namespace cache
