// Cache-Control, Pragma and Age as a shared cache reads them (RFC 9111 5.1, 5.2, 5.4): every line of the field at once,
// unknown directives skipped, broken ones taken the safe way. Called by policy.h; views point into the headers read.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "http/headers.h"

namespace cache {

// Time in milliseconds: a wall clock's since 1970 where it is a moment, else a span.
using Millis = std::int64_t;
inline constexpr Millis a_second = 1000;

// RFC 9111 1.2.2: what a cache cannot count counts as this, in seconds.
inline constexpr std::int64_t most_delta = std::int64_t{1} << 31;

// 1*DIGIT, leading zeros allowed, saturating at most_delta; nothing for any other text.
[[nodiscard]] std::optional<std::int64_t> parse_delta_seconds(std::string_view text);

// One directive of the field; `value` is without the quotes, escapes left as they are.
struct Directive {
    std::string_view name;
    std::string_view value;
    bool has_value = false;
};

// Walks the directives of one line: commas in quoted strings do not split (RFC 9111 5.2, RFC 9110 5.6.4).
class Directives {
  public:
    explicit Directives(std::string_view line) : rest_(line) {}
    bool next(Directive& directive);

  private:
    std::string_view rest_;
};

// The fields of a `no-cache="a, b"` or `private="a"`: all such values of a message, joined on demand.
// Holds views of at most `most` lines; more make the directive unqualified, which forbids more.
struct FieldLists {
    static constexpr std::size_t most = 4;
    std::string_view lists[most];
    std::size_t count = 0;
    [[nodiscard]] bool names(std::string_view field) const;
};

struct RequestControl {
    std::optional<std::int64_t> max_age;
    std::optional<std::int64_t> min_fresh;
    std::optional<std::int64_t> max_stale;  // max-stale without a value: any staleness
    std::optional<std::int64_t> stale_if_error;
    bool no_cache = false;  // also Pragma: no-cache where there is no Cache-Control (RFC 9111 5.4)
    bool no_store = false;
    bool only_if_cached = false;
};
inline constexpr std::int64_t any_staleness = std::numeric_limits<std::int64_t>::max() / (2 * a_second);

[[nodiscard]] RequestControl parse_request_control(const http::Headers& request);

struct ResponseControl {
    // A value that is no number counts as 0, of several the smallest counts (RFC 9111 4.2.1: stale, never fresher).
    std::optional<std::int64_t> max_age;
    std::optional<std::int64_t> s_maxage;
    std::optional<std::int64_t> stale_while_revalidate;  // RFC 5861 3
    std::optional<std::int64_t> stale_if_error;          // RFC 5861 4
    bool no_store = false;
    bool no_cache = false;    // for the whole response
    bool is_private = false;  // for the whole response
    bool is_public = false;
    bool must_revalidate = false;
    bool proxy_revalidate = false;
    bool must_understand = false;
    FieldLists no_cache_fields;
    FieldLists private_fields;
};

[[nodiscard]] ResponseControl parse_response_control(const http::Headers& response);

// Age in seconds; 0 without the field. A field that is not exactly one number, or stands there twice, comes from a
// broken cache on the way: the answer then counts as older than anything (RFC 9111 5.1 would ignore it; being stale is
// the safe side).
[[nodiscard]] std::int64_t parse_age(const http::Headers& response);

}  // namespace cache
