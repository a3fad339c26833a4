// IMF-fixdate (RFC 9110 5.6.7), as in Date and Last-Modified: "Sun, 06 Nov 1994 08:49:37 GMT".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace http {

inline constexpr std::size_t date_size = 29;

// Writes the date of `seconds` since 1970 (years 1970 to 9999; others are clamped) and returns the text.
std::string_view write_date(std::int64_t seconds, std::span<char, date_size> into);

// Reads IMF-fixdate, and the obsolete RFC 850 and asctime forms that a recipient must accept (RFC 9110 5.6.7).
[[nodiscard]] std::optional<std::int64_t> parse_date(std::string_view text);

}  // namespace http
