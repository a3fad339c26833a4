// The form of an error log line: `2026-11-24T12:00:00.123Z warn [component] message key=value`. Used by log and writer.
#pragma once

#include "observe/clock.h"
#include "observe/text.h"

namespace observe {

inline constexpr std::size_t longest_log_line = 4096;

// UTC with milliseconds, RFC 3339.
void put_utc_time(Text& text, WallTime time);
void put_log_prefix(Text& text, WallTime time, std::string_view level, std::string_view component);

}  // namespace observe
