#include "cache/validation.h"

#include "http/characters.h"
#include "http/date.h"

namespace cache {

namespace {

using http::Known;

bool is_weak(std::string_view tag) { return tag.starts_with("W/"); }
std::string_view opaque(std::string_view tag) { return is_weak(tag) ? tag.substr(2) : tag; }

// Takes the next entity tag off an If-None-Match: a comma within the quotes does not end it (RFC 9110 8.8.3).
bool next_tag(std::string_view& list, std::string_view& tag) {
    while (!list.empty()) {
        std::size_t end = 0;
        bool quoted = false;
        while (end < list.size() && (quoted || list[end] != ',')) quoted ^= list[end++] == '"';
        tag = http::trim(list.substr(0, end));
        list.remove_prefix(end < list.size() ? end + 1 : end);
        if (!tag.empty()) return true;
    }
    return false;
}

bool any_matches(const http::Headers& request, std::string_view etag) {
    bool found = false;
    request.all(Known::if_none_match, [&](std::string_view list) {
        std::string_view tag;
        while (!found && next_tag(list, tag)) found = tag == "*" || (!etag.empty() && weakly_equal(tag, etag));
    });
    return found;
}

// Fields that a 304 does not change: they belong to the body that is kept (RFC 9111 3.2).
bool describes_content(const http::Header& header) {
    switch (header.known) {
        case Known::content_length:
        case Known::content_encoding:
        case Known::content_range:
        case Known::etag:
            return true;
        default:
            return http::equals_ignore_case(header.name, "Content-MD5") ||
                   http::equals_ignore_case(header.name, "Content-Digest") ||
                   http::equals_ignore_case(header.name, "Repr-Digest");
    }
}

}  // namespace

bool has_origin_condition(const http::Headers& request) {
    return request.has_any(http::bit(Known::if_match) | http::bit(Known::if_unmodified_since));
}

Validators validators_of(const http::Headers& stored) {
    Validators out;
    if (stored.count(Known::etag) == 1) out.etag = stored.first(Known::etag);
    if (http::parse_date(stored.first(Known::last_modified))) out.last_modified = stored.first(Known::last_modified);
    return out;
}

void make_unconditional(http::Headers& request) {
    constexpr std::uint64_t conditions = http::bit(Known::if_match) | http::bit(Known::if_none_match) |
                                         http::bit(Known::if_modified_since) | http::bit(Known::if_unmodified_since) |
                                         http::bit(Known::if_range) | http::bit(Known::range);
    if (!request.has_any(conditions)) return;
    request.remove_if([](const http::Header& header) { return (http::bit(header.known) & conditions) != 0; });
}

void make_conditional(http::Headers& request, const Validators& validators) {
    make_unconditional(request);
    if (!validators.etag.empty()) request.add(Known::if_none_match, validators.etag);
    if (!validators.last_modified.empty()) request.add(Known::if_modified_since, validators.last_modified);
}

bool confirms(const http::Headers& stored, const http::Headers& not_modified) {
    if (not_modified.has(Known::etag)) {
        return not_modified.count(Known::etag) == 1 && stored.has(Known::etag) &&
               weakly_equal(stored.first(Known::etag), not_modified.first(Known::etag));
    }
    // Without a tag the date identifies, if there is one on both sides.
    std::string_view modified = not_modified.first(Known::last_modified);
    if (modified.empty() || !stored.has(Known::last_modified)) return true;
    return modified == stored.first(Known::last_modified) ||
           http::parse_date(modified) == http::parse_date(stored.first(Known::last_modified));
}

void update_stored(http::Headers& stored, const http::Headers& not_modified) {
    stored.remove_if(
        [&](const http::Header& header) { return !describes_content(header) && not_modified.has(header.name); });
    for (const http::Header& header : not_modified) {
        if (!describes_content(header)) stored.add(header);
    }
}

Answer judge_conditions(const http::Headers& request, int status, const http::Headers& stored, Millis responded_at) {
    if (status != 200) return Answer::full;
    if (request.has(Known::if_none_match)) {
        return any_matches(request, stored.first(Known::etag)) ? Answer::not_modified : Answer::full;
    }
    if (request.count(Known::if_modified_since) != 1) return Answer::full;
    std::optional<std::int64_t> since = http::parse_date(request.first(Known::if_modified_since));
    if (!since) return Answer::full;
    // RFC 9111 4.3.2: without Last-Modified the Date, without that the time of arrival.
    std::optional<std::int64_t> changed = http::parse_date(stored.first(Known::last_modified));
    if (!changed) changed = http::parse_date(stored.first(Known::date));
    if (!changed) changed = responded_at / a_second;
    return *changed <= *since ? Answer::not_modified : Answer::full;
}

void strip_for_not_modified(http::Headers& headers) {
    bool has_tag = headers.has(Known::etag);
    headers.remove_if([has_tag](const http::Header& header) {
        switch (header.known) {
            case Known::content_type:
            case Known::content_encoding:
            case Known::content_length:
            case Known::content_range:
                return true;
            case Known::last_modified:
                return has_tag;
            default:
                return http::equals_ignore_case(header.name, "Content-Language") ||
                       http::equals_ignore_case(header.name, "Content-MD5");
        }
    });
}

bool weakly_equal(std::string_view a, std::string_view b) { return opaque(a) == opaque(b); }
bool strongly_equal(std::string_view a, std::string_view b) { return !is_weak(a) && a == b; }

}  // namespace cache
