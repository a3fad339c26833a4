#include "plugins/proxy_cache_answer.h"

#include <algorithm>
#include <array>

#include "cache/range.h"
#include "cache/validation.h"
#include "http/characters.h"
#include "http/date.h"
#include "http/path.h"
#include "schema/error.h"

namespace plugin {

namespace {

using cache::Millis;
using http::Known;

// ---- media types (kong.md 4.13)

struct MediaType {
    std::string_view type;
    std::string_view subtype;
    std::vector<std::string_view> parameters;
};
MediaType media_type(std::string_view text) {
    MediaType out;
    std::size_t semicolon = text.find(';');
    std::string_view essence = http::trim(text.substr(0, semicolon));
    std::size_t slash = essence.find('/');
    out.type = essence.substr(0, slash);
    out.subtype = slash == essence.npos ? std::string_view() : essence.substr(slash + 1);
    while (semicolon != text.npos) {
        text.remove_prefix(semicolon + 1);
        semicolon = text.find(';');
        std::string_view parameter = http::trim(text.substr(0, semicolon));
        if (!parameter.empty()) out.parameters.push_back(parameter);
    }
    return out;
}
bool matches(const MediaType& wanted, const MediaType& given) {
    auto fits = [](std::string_view pattern, std::string_view text) {
        return pattern == "*" || http::equals_ignore_case(pattern, text);
    };
    if (!fits(wanted.type, given.type) || !fits(wanted.subtype, given.subtype)) return false;
    if (wanted.type == "*" && wanted.parameters.empty()) return true;
    if (wanted.parameters.size() != given.parameters.size()) return false;
    return std::all_of(wanted.parameters.begin(), wanted.parameters.end(), [&](std::string_view parameter) {
        return std::any_of(given.parameters.begin(), given.parameters.end(),
                           [parameter](std::string_view other) { return http::equals_ignore_case(parameter, other); });
    });
}

// ---- storing

// Kong's rules, as far as they do not give one client's answer to another (docs/kong-differences.md).
bool is_stored_by_kong(const http::ResponseHead& response, const cache::ResponseControl& control,
                       const CacheRules& rules) {
    switch (response.status) {
        case 206:
        case 304:
            return false;
        default:
            if (response.status < 200 || response.upgrade) return false;
    }
    if (control.is_private) return false;
    if (!rules.config.cache_control) return true;
    return !control.no_store && !control.no_cache;
}

Millis seconds(std::int64_t count) { return std::min<std::int64_t>(count, cache::most_delta) * cache::a_second; }

cache::Validity kong_validity(const CacheRules& rules, Millis requested_at, Millis now) {
    const ProxyCacheConfig& config = rules.config;
    cache::Validity validity;
    validity.requested_at = requested_at;
    validity.responded_at = std::max(now, requested_at);
    validity.lifetime = seconds(config.cache_ttl);
    validity.while_stale = seconds(config.stale_while_revalidate);
    validity.on_error = seconds(config.stale_if_error);
    validity.keep_until = validity.responded_at + validity.lifetime + std::max(validity.while_stale, validity.on_error);
    return validity;
}

bool states_freshness(const http::Headers& headers, const cache::ResponseControl& control) {
    return control.max_age || control.s_maxage || control.is_public || headers.has(Known::expires);
}
// Whether what the upstream said to an authorised client is for others, too: RFC 9111 3.5. Of cookies that says nothing
// (RFC 9111 7.3), so a statement of any kind will do.
bool is_for_all(const http::Headers& headers, const cache::ResponseControl& control, const CacheKeys& keys,
                const CacheRules& rules) {
    if (!rules.config.rfc9111) return false;
    if (control.is_public || control.must_revalidate || control.s_maxage) return true;
    return keys.is_own_by_cookie && states_freshness(headers, control);
}
// Without a word about sharing, a cookie is for the client that got it. RFC 9111 7.3 goes by freshness alone.
bool is_cookie_for_all(const http::Headers& headers, const cache::ResponseControl& control, const CacheRules& rules) {
    return control.is_public || control.s_maxage || (rules.config.rfc9111 && states_freshness(headers, control));
}

// A response without a Date gets that of its arrival (RFC 9110 6.6.1).
void add_date(Exchange& exchange, http::Headers& headers, Millis now) {
    if (headers.has(Known::date)) return;
    char* at = exchange.arena.bytes(http::date_size);
    headers.add(Known::date,
                http::write_date(now / cache::a_second, std::span<char, http::date_size>(at, http::date_size)));
}

std::vector<std::string_view> tags_of(const http::Headers& headers, const ProxyCacheConfig& config) {
    std::vector<std::string_view> tags;
    headers.all(config.tag_header, [&tags](std::string_view line) {
        std::string_view element;
        while (http::next_element(line, element)) tags.push_back(element);
    });
    return tags;
}

cache::Validity validity_for(int status, const http::Headers& headers, const cache::ResponseControl& control,
                             const CacheRules& rules, Millis requested_at, Millis now) {
    cache::Validity validity = rules.follows_control()
                                   ? cache::validity_of(status, headers, control, requested_at, now, rules.policy)
                                   : kong_validity(rules, requested_at, now);
    if (rules.config.storage_ttl) validity.keep_until = validity.responded_at + seconds(*rules.config.storage_ttl);
    return validity;
}

// ---- answering

std::string_view number(std::int64_t value, base::Arena& arena) { return arena.copy(std::to_string(value)); }

// What another request's limits were is nobody's business (kong.md 4.13).
bool is_others_limit(const http::Header& header) {
    constexpr std::string_view part = "ratelimit-remaining";
    if (header.known != Known::none || header.name.size() < part.size()) return false;
    for (std::size_t at = 0; at + part.size() <= header.name.size(); ++at)
        if (http::equals_ignore_case(header.name.substr(at, part.size()), part)) return true;
    return false;
}

void give_part(Exchange& exchange, const cache::RangeChoice& choice, std::string_view body) {
    http::ResponseHead& response = exchange.response;
    response.reason = {};
    response.headers.set(Known::content_range, exchange.arena.copy(cache::content_range(choice, body.size())));
    if (choice.kind == cache::RangeChoice::Kind::part) {
        response.status = 206;
        response.reason = "Partial Content";
        exchange.response_text = body.substr(choice.first, choice.size());
        return;
    }
    response.status = 416;
    response.reason = "Range Not Satisfiable";
    response.headers.remove(Known::content_type);
    exchange.response_text = {};
}

}  // namespace

bool is_stored_type(std::string_view content_type, const ProxyCacheConfig& config) {
    for (const std::string& wanted : config.content_type)
        if (http::equals_ignore_case(wanted, content_type)) return true;
    MediaType given = media_type(content_type);
    return std::any_of(config.content_type.begin(), config.content_type.end(),
                       [&given](const std::string& wanted) { return matches(media_type(wanted), given); });
}

bool take_for_storage(Exchange& exchange, CacheNote& note, const CacheRules& rules) {
    const ProxyCacheConfig& config = rules.config;
    CacheFetch& fetch = *note.fetch;
    const http::ResponseHead& response = exchange.response;
    auto listed = std::find(config.response_code.begin(), config.response_code.end(), response.status);
    if (listed == config.response_code.end()) return false;
    std::string_view type = response.headers.first(Known::content_type);
    bool has_one_type = !type.empty() && response.headers.count(Known::content_type) == 1;
    bool takes_any = config.rfc9111 && is_stored_type("*/*", config);
    if (!takes_any && (!has_one_type || !is_stored_type(type, config))) return false;

    cache::ResponseControl control = cache::parse_response_control(response.headers);
    bool is_shared = note.keys.own.empty() || is_for_all(response.headers, control, note.keys, rules);
    fetch.key = is_shared ? note.keys.shared : note.keys.own;
    if (config.rfc9111) {
        cache::PolicyOptions policy = rules.policy;
        policy.is_keyed_by_client = !note.keys.own.empty();
        if (cache::may_store(exchange.request, response, control, policy) != cache::Storable::yes) return false;
    } else if (!is_stored_by_kong(response, control, rules)) {
        return false;
    }
    fetch.vary = cache::VaryNames::of(response.headers);
    if (fetch.vary.kind() == cache::VaryNames::Kind::any) return false;

    Millis now = exchange.worker.loop.wall_now();
    fetch.validity = validity_for(response.status, response.headers, control, rules, note.requested_at, now);
    bool has_time = fetch.validity.lifetime > 0 || config.rfc9111;
    if (!has_time || fetch.validity.keep_until <= now) return false;
    fetch.status = response.status;
    fetch.reason = response.reason;
    fetch.headers.reset();
    fetch.headers.append(response.headers);
    cache::strip_for_storage(fetch.headers, response.connection, control);
    if (!is_cookie_for_all(response.headers, control, rules)) fetch.headers.remove(Known::set_cookie);
    add_date(exchange, fetch.headers, now);
    fetch.head_length.reset();
    if (exchange.request.method == http::Method::head) fetch.head_length = response.declared_length;
    return true;
}

cache::EntryPointer entry_of(const CacheNote& note, const ProxyCacheConfig& config, std::string_view key) {
    const CacheFetch& fetch = *note.fetch;
    std::vector<std::string_view> tags = tags_of(fetch.headers, config);
    std::string_view body = fetch.capture.bytes;
    cache::EntryParts parts;
    parts.key = key;
    parts.resource = note.keys.resource;
    parts.vary = fetch.vary.text();
    parts.tags = tags;
    parts.status = fetch.status;
    parts.reason = fetch.reason;
    parts.headers = &fetch.headers;
    parts.body = std::span(&body, 1);
    parts.head_length = fetch.head_length;
    parts.validity = fetch.validity;
    return cache::make_entry(parts);
}

cache::EntryPointer vary_marker_of(const CacheNote& note, std::uint64_t generation) {
    const CacheFetch& fetch = *note.fetch;
    cache::EntryParts parts;
    parts.kind = cache::EntryKind::vary_marker;
    parts.key = fetch.key;
    parts.resource = note.keys.resource;
    parts.vary = fetch.vary.text();
    parts.generation = generation;
    parts.validity.keep_until = fetch.validity.keep_until;
    return cache::make_entry(parts);
}

std::string variant_key(std::string_view key, const cache::Entry& marker, const http::Headers& request) {
    std::string out(key);
    out += "\nvary ";
    out += std::to_string(marker.generation());
    out.push_back(' ');
    cache::append_variant(out, marker.vary(), request);
    return out;
}

bool may_replace(const Exchange& exchange, const CacheNote& note, const CacheRules& rules) {
    if (note.keys.own.empty() || note.found->key().starts_with(note.keys.own)) return true;
    const http::Headers& headers = exchange.response.headers;
    return is_for_all(headers, cache::parse_response_control(headers), note.keys, rules);
}

cache::EntryPointer refreshed(Exchange& exchange, const CacheNote& note, const CacheRules& rules) {
    const cache::Entry& old = *note.found;
    http::Headers stored;
    old.append_headers(stored);
    http::Headers news;
    news.append(exchange.response.headers);
    if (!cache::confirms(stored, news)) return {};
    cache::ResponseControl said = cache::parse_response_control(news);
    cache::strip_for_storage(news, exchange.response.connection, said);
    Millis now = exchange.worker.loop.wall_now();
    add_date(exchange, news, now);  // of its arrival: the stored one is of long ago
    // A cookie of this 304 is for whoever asked, whatever the stored head allows.
    if (!is_cookie_for_all(news, said, rules)) news.remove(Known::set_cookie);
    cache::update_stored(stored, news);
    cache::ResponseControl control = cache::parse_response_control(stored);
    cache::strip_for_storage(stored, exchange.response.connection, control);
    // The age is that of the 304, which validity_of() reads from its own Age: a stored head has none.
    if (exchange.response.headers.has(Known::age)) stored.add(Known::age, exchange.response.headers.first(Known::age));
    cache::Validity validity = validity_for(old.status(), stored, control, rules, note.requested_at, now);
    stored.remove(Known::age);
    bool is_withdrawn = control.is_private || (rules.follows_control() && control.no_store);
    if (is_withdrawn) validity.keep_until = now;
    if (!is_cookie_for_all(stored, control, rules)) stored.remove(Known::set_cookie);

    std::vector<std::string_view> tags = tags_of(stored, rules.config);
    std::string_view body = old.body();
    cache::EntryParts parts;
    parts.key = old.key();
    parts.resource = old.resource();
    parts.vary = old.vary();
    parts.tags = tags;
    parts.status = old.status();
    parts.reason = old.reason();
    parts.headers = &stored;
    parts.body = std::span(&body, 1);
    parts.head_length = old.head_length();
    parts.validity = validity;
    return cache::make_entry(parts);
}

std::string json_of(const cache::Entry& entry) {
    http::Headers headers;
    entry.append_headers(headers);
    std::vector<std::string_view> names;
    std::string fields;
    for (const http::Header& header : headers) {
        auto is_same = [&](std::string_view name) { return http::equals_ignore_case(name, header.name); };
        if (std::any_of(names.begin(), names.end(), is_same)) continue;
        names.push_back(header.name);
        std::string values;
        headers.all(header.name, [&](std::string_view value) {
            values += (values.empty() ? "" : ",") + schema::json_quoted(value);
        });
        bool is_one = headers.count(header.name) == 1;
        fields += (fields.empty() ? "" : ",") + schema::json_quoted(header.name) + ":" +
                  (is_one ? values : "[" + values + "]");
    }
    const cache::Validity& validity = entry.validity();
    std::string body = http::is_utf8(entry.body()) ? schema::json_quoted(entry.body()) : "null";
    return "{\"status\":" + std::to_string(entry.status()) + ",\"headers\":{" + fields + "},\"body\":" + body +
           ",\"body_len\":" + std::to_string(entry.body().size()) +
           ",\"timestamp\":" + std::to_string(validity.responded_at / cache::a_second) +
           ",\"ttl\":" + std::to_string(validity.lifetime / cache::a_second) + ",\"version\":1}";
}

void tell_cache_status(Exchange& exchange, const ProxyCacheConfig& config, std::string_view status,
                       std::string_view key) {
    bool is_debugged = exchange.request.headers.has("Kong-Debug");
    if (config.response_headers.status || is_debugged) exchange.client_headers.set("X-Cache-Status", status);
    if (!key.empty() && (config.response_headers.key || is_debugged)) exchange.client_headers.set("X-Cache-Key", key);
}

void answer_from(Exchange& exchange, CacheNote& note, cache::EntryPointer entry, const ProxyCacheConfig& config,
                 std::string_view status) {
    note.plan = CacheNote::Plan::answered;
    note.served = std::move(entry);
    const cache::Entry& stored = *note.served;
    http::ResponseHead& response = exchange.response;
    response.reset();
    response.status = stored.status();
    response.reason = stored.reason();
    stored.append_headers(response.headers);
    response.headers.remove_if(is_others_limit);
    exchange.response_text = stored.body();
    exchange.is_from_upstream = false;
    exchange.is_from_cache = true;
    Millis now = exchange.worker.loop.wall_now();
    if (config.response_headers.age || config.rfc9111)
        response.headers.add(Known::age, number(cache::age_seconds(stored.validity(), now), exchange.arena));
    tell_cache_status(exchange, config, status, note.keys.shown);
    if (stored.head_length()) {
        response.declared_length = stored.head_length();
        return;
    }
    const http::RequestHead& asked = note.is_conditional() ? note.fetch->client : exchange.request;
    if (cache::judge_conditions(asked.headers, stored.status(), response.headers, stored.validity().responded_at) ==
        cache::Answer::not_modified) {
        response.status = 304;
        response.reason = "Not Modified";
        cache::strip_for_not_modified(response.headers);
        exchange.response_text = {};
        return;
    }
    if (!config.rfc9111) return;  // Kong gives the whole
    cache::RangeChoice choice = cache::choose_range(asked, stored.status(), response.headers, stored.body().size());
    if (choice.kind != cache::RangeChoice::Kind::whole) give_part(exchange, choice, stored.body());
}

}  // namespace plugin
