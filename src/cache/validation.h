// Conditional requests on both sides of the cache: the ones it makes to validate what it has (RFC 9111 4.3.1), what a
// 304 (Not Modified) changes (3.2, 4.3.4), and the ones of clients that it answers itself (4.3.2). Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "cache/entry.h"
#include "http/message.h"

namespace cache {

// Conditions that only the origin server may judge: such a request goes past the cache (RFC 9111 4.3.2).
[[nodiscard]] bool has_origin_condition(const http::Headers& request);

// What a validating request asks with. Views of the entry's own memory.
struct Validators {
    std::string_view etag;
    std::string_view last_modified;
    [[nodiscard]] bool any() const { return !etag.empty() || !last_modified.empty(); }
};
[[nodiscard]] Validators validators_of(const http::Headers& stored);
// Puts them in the place of the client's own conditions and range.
void make_conditional(http::Headers& request, const Validators& validators);
// Takes the client's conditions and range away, for a request that is to bring a whole response.
void make_unconditional(http::Headers& request);

// Whether a 304 that answers a request made with `stored` validators speaks of the stored response (RFC 9111 4.3.4).
[[nodiscard]] bool confirms(const http::Headers& stored, const http::Headers& not_modified);
// The stored head, brought up to date by a 304 (RFC 9111 3.2). `not_modified` has been stripped for storage.
void update_stored(http::Headers& stored, const http::Headers& not_modified);

enum class Answer : std::uint8_t { full, not_modified };
// RFC 9110 13.2.2 for a GET or HEAD answered by a stored response of that status.
[[nodiscard]] Answer judge_conditions(const http::Headers& request, int status, const http::Headers& stored,
                                      Millis responded_at);
// Removes what a 304 does not carry (RFC 9110 15.4.5).
void strip_for_not_modified(http::Headers& headers);

// RFC 9110 8.8.3.2. A tag without quotes is compared as it is.
[[nodiscard]] bool weakly_equal(std::string_view a, std::string_view b);
[[nodiscard]] bool strongly_equal(std::string_view a, std::string_view b);

}  // namespace cache
