#include "observe/log_line.h"

namespace observe {

void put_utc_time(Text& text, WallTime time) {
    auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time);
    auto day = std::chrono::floor<std::chrono::days>(milliseconds);
    std::chrono::year_month_day date(day);
    std::chrono::hh_mm_ss clock(milliseconds - day);
    text.padded(static_cast<unsigned>(static_cast<int>(date.year())), 4);
    text.put('-');
    text.padded(static_cast<unsigned>(date.month()), 2);
    text.put('-');
    text.padded(static_cast<unsigned>(date.day()), 2);
    text.put('T');
    text.padded(static_cast<unsigned>(clock.hours().count()), 2);
    text.put(':');
    text.padded(static_cast<unsigned>(clock.minutes().count()), 2);
    text.put(':');
    text.padded(static_cast<unsigned>(clock.seconds().count()), 2);
    text.put('.');
    text.padded(static_cast<unsigned>(clock.subseconds().count()), 3);
    text.put('Z');
}

void put_log_prefix(Text& text, WallTime time, std::string_view level, std::string_view component) {
    put_utc_time(text, time);
    text.put(' ');
    text.put(level);
    text.put(" [");
    text.put(component);
    text.put("] ");
}

}  // namespace observe
