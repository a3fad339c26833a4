#include "cache/range.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cache/validation.h"
#include "http/characters.h"
#include "http/date.h"

namespace cache {

namespace {

using http::Known;

std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty() || text.size() > 18) return {};
    std::uint64_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return {};
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

// Whether the stored response is the one the client has parts of. A date is good only if it is exactly Last-Modified
// and a minute older than Date, since two versions may share a second (RFC 9110 8.8.2.2).
bool if_range_holds(const http::Headers& request, const http::Headers& stored) {
    if (!request.has(Known::if_range)) return true;
    if (request.count(Known::if_range) != 1) return false;
    std::string_view given = request.first(Known::if_range);
    std::string_view etag = stored.first(Known::etag);
    if (given.starts_with('"') || given.starts_with("W/")) return !etag.empty() && strongly_equal(given, etag);
    std::optional<std::int64_t> wanted = http::parse_date(given);
    std::optional<std::int64_t> modified = http::parse_date(stored.first(Known::last_modified));
    std::optional<std::int64_t> date = http::parse_date(stored.first(Known::date));
    return wanted && modified && date && *wanted == *modified && *date - *modified >= 60;
}

}  // namespace

RangeChoice choose_range(const http::RequestHead& request, int status, const http::Headers& stored,
                         std::uint64_t size) {
    RangeChoice whole;
    if (request.method != http::Method::get || status != 200) return whole;
    if (request.headers.count(Known::range) != 1 || !if_range_holds(request.headers, stored)) return whole;
    std::string_view text = request.headers.first(Known::range);
    constexpr std::string_view unit = "bytes=";
    if (text.size() < unit.size() || !http::equals_ignore_case(text.substr(0, unit.size()), unit)) return whole;
    text = http::trim(text.substr(unit.size()));
    std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) return whole;
    std::string_view from = text.substr(0, dash);
    std::string_view to = text.substr(dash + 1);

    RangeChoice part{RangeChoice::Kind::part};
    RangeChoice nothing{RangeChoice::Kind::unsatisfiable};
    if (from.empty()) {
        std::optional<std::uint64_t> last_bytes = number(to);
        if (!last_bytes) return whole;
        if (*last_bytes == 0 || size == 0) return nothing;
        part.first = size - std::min(size, *last_bytes);
        part.last = size - 1;
        return part;
    }
    std::optional<std::uint64_t> first = number(from);
    std::optional<std::uint64_t> last = to.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : number(to);
    if (!first || !last || *last < *first) return whole;
    if (*first >= size) return nothing;
    part.first = *first;
    part.last = std::min(*last, size - 1);
    return part;
}

std::string content_range(const RangeChoice& choice, std::uint64_t size) {
    if (choice.kind == RangeChoice::Kind::unsatisfiable) return fmt::format("bytes */{}", size);
    return fmt::format("bytes {}-{}/{}", choice.first, choice.last, size);
}

}  // namespace cache
