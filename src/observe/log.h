// The error log, called from everywhere: log(Level::warn, "upstream", "connect failed", {{"address", text}}).
// Costs one comparison when the level is off; else formats into this thread's channel and returns. Never waits, never
// fails: what does not fit is dropped and counted. Before set_log() (and after its end) lines go to stderr at once.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "observe/level.h"
#include "observe/text.h"
#include "observe/writer.h"

namespace observe {

// One key=value. The key is a constant of ours; a text value may come from anybody.
class Field {
  public:
    Field(std::string_view key, std::string_view value) : key_(key), text_(value), kind_(Kind::text) {}
    Field(std::string_view key, const char* value) : Field(key, std::string_view(value)) {}
    Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
    Field(std::string_view key, bool value)
        : Field(key, value ? std::string_view("true") : std::string_view("false")) {}
    Field(std::string_view key, double value) : key_(key), real_(value), kind_(Kind::real) {}
    template <std::unsigned_integral Number>
    Field(std::string_view key, Number value) : key_(key), whole_(value), kind_(Kind::whole) {}
    template <std::signed_integral Number>
    Field(std::string_view key, Number value)
        : key_(key), whole_(static_cast<std::uint64_t>(value)), kind_(Kind::negative) {}

    void put(Text& text) const;

  private:
    enum class Kind : std::uint8_t { text, whole, negative, real };
    std::string_view key_;
    std::string_view text_;
    std::uint64_t whole_ = 0;
    double real_ = 0;
    Kind kind_;
};

// `writer` is started or drained by the caller and outlives the call of unset_log(). Call both while no other thread
// logs.
void set_log(Writer& writer, SinkId sink, Level level);
void unset_log();
void set_level(Level level);

namespace detail {
inline std::atomic<Level> level{Level::notice};
}
[[nodiscard]] inline bool logs(Level level) { return level >= detail::level.load(std::memory_order_relaxed); }

void write_log(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields);
inline void log(Level level, std::string_view component, std::string_view message,
                std::initializer_list<Field> fields = {}) {
    if (logs(level)) write_log(level, component, message, fields);
}

// For a condition that repeats (out of descriptors): one line a second per place and thread. Usage, `now` being the
// loop's time:
//     static thread_local Throttle throttle;
//     if (auto suppressed = throttle.pass(now)) log(Level::error, "net", "out of descriptors", {{"suppressed",
//     *suppressed}});
class Throttle {
  public:
    explicit constexpr Throttle(std::chrono::nanoseconds every = std::chrono::seconds(1)) : every_(every) {}
    // How many were held back since the last one that passed; nothing if this one is held back too.
    template <typename Clock, typename Duration>
    std::optional<std::uint64_t> pass(std::chrono::time_point<Clock, Duration> now) {
        return pass(std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()));
    }
    std::optional<std::uint64_t> pass(std::chrono::nanoseconds now) {
        if (has_passed_ && now >= last_ && now - last_ < every_) {
            ++suppressed_;
            return std::nullopt;
        }
        has_passed_ = true;
        last_ = now;
        return std::exchange(suppressed_, 0);
    }

  private:
    std::chrono::nanoseconds every_;
    std::chrono::nanoseconds last_{0};
    std::uint64_t suppressed_ = 0;
    bool has_passed_ = false;
};

}  // namespace observe
