// Level: how much an error log line matters, in the names of Kong's log_level and nginx's error_log.
// The order is that of severity; a log set to a level writes that level and everything graver.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace observe {

enum class Level : std::uint8_t { debug, info, notice, warn, error, crit, alert, emerg };

inline constexpr std::array<std::string_view, 8> level_names{"debug", "info", "notice", "warn",
                                                             "error", "crit", "alert",  "emerg"};

constexpr std::string_view name(Level level) { return level_names[static_cast<std::size_t>(level)]; }

constexpr std::optional<Level> parse_level(std::string_view text) {
    for (std::size_t i = 0; i < level_names.size(); ++i)
        if (level_names[i] == text) return static_cast<Level>(i);
    return std::nullopt;
}

}  // namespace observe
