// What holds for Cache-Control, Vary and the rest of any bytes: for the tests and the fuzz target.
#pragma once

#include <string>
#include <string_view>

#include "base/ensure.h"
#include "cache/policy.h"
#include "cache/range.h"
#include "cache/validation.h"
#include "cache/vary.h"

namespace cache {

// The bytes are lines "name: value"; the first part up to an empty line is the request, the rest the response.
inline void check_control(std::string_view bytes) {
    http::RequestHead request;
    http::ResponseHead response;
    response.status = 200;
    http::Headers* headers = &request.headers;
    while (!bytes.empty()) {
        std::size_t end = bytes.find('\n');
        std::string_view line = bytes.substr(0, end);
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
        if (line.empty()) headers = &response.headers;
        std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) continue;
        headers->add(line.substr(0, colon), line.substr(colon + 1));
    }
    RequestControl asked = parse_request_control(request.headers);
    ResponseControl told = parse_response_control(response.headers);
    for (auto seconds : {asked.max_age, asked.min_fresh, asked.stale_if_error, told.max_age, told.s_maxage,
                         told.stale_while_revalidate, told.stale_if_error}) {
        ensure(!seconds || (*seconds >= 0 && *seconds <= most_delta));
    }
    ensure(!asked.max_stale || *asked.max_stale >= 0);

    PolicyOptions options;
    constexpr Millis now = 1'800'000'000'000;
    Validity validity = validity_of(200, response.headers, told, now - 5, now, options);
    ensure(validity.lifetime >= 0 && validity.initial_age >= 5 && validity.keep_until >= now);
    Storable storable = may_store(request, response, told, options);
    if (storable == Storable::yes) {
        ensure(!told.is_private && !asked.no_store && (!told.no_store || told.must_understand));
        ensure(!request.headers.has(http::Known::authorization) || told.is_public || told.must_revalidate ||
               told.s_maxage);
    }
    for (Millis later : {Millis{0}, a_second, Millis{1} << 50}) {
        Use use = may_serve(validity, asked, now + later);
        bool is_fresh = current_age(validity, now + later) < validity.lifetime;
        if (use == Use::serve && !asked.max_stale) ensure(is_fresh);
        if (!is_fresh && (told.no_cache || told.must_revalidate || told.proxy_revalidate)) ensure(use == Use::validate);
        if (use != Use::validate) ensure(!asked.no_cache && !told.no_cache);
        (void)may_serve_on_error(validity, asked, now + later);
    }

    VaryNames names = VaryNames::of(response.headers);
    if (names.kind() == VaryNames::Kind::fields) {
        ensure(VaryNames::from_text(names.text()) == names, names.text());
        std::string variant;
        append_variant(variant, names.text(), request.headers);
        ensure(!variant.empty());
    }
    strip_for_storage(response.headers, response.connection, told);
    ensure(!response.headers.has(http::Known::age) && !response.headers.has(http::Known::transfer_encoding));
    for (std::uint64_t size : {0, 1, 1000}) {
        RangeChoice choice = choose_range(request, 200, response.headers, size);
        if (choice.kind == RangeChoice::Kind::part) ensure(choice.first <= choice.last && choice.last < size);
    }
    (void)judge_conditions(request.headers, 200, response.headers, now);
    update_stored(response.headers, request.headers);
    if (auto target = same_origin_target(response.headers.first(http::Known::location), "http", "a.example", "/b/c")) {
        ensure(target->starts_with('/'), *target);
    }
}

}  // namespace cache
