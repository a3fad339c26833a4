#include "http/date.h"

#include <algorithm>
#include <cstring>

#include "http/characters.h"

namespace http {

namespace {

constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
constexpr std::int64_t seconds_per_day = 86400;
constexpr std::int64_t last_second = 253402300799;  // 9999-12-31 23:59:59

// Days of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
constexpr std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
    year -= month <= 2 ? 1 : 0;
    std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    std::int64_t year_of_era = year - era * 400;
    std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void two_digits(char* at, std::int64_t value) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
}

// Reads `text` against a pattern: letters d M y h m s take digits of their field, N a month name, W any letters up to
// the next pattern character, anything else stands for itself.
struct Fields {
    std::int64_t day = 0;
    std::int64_t month = 0;
    std::int64_t year = 0;
    std::int64_t hour = 0;
    std::int64_t minute = 0;
    std::int64_t second = 0;
};

bool digit(std::int64_t& field, char c) {
    if (c < '0' || c > '9') return false;
    field = field * 10 + (c - '0');
    return true;
}

bool read(std::string_view text, std::string_view pattern, Fields& fields) {
    std::size_t at = 0;
    for (char expected : pattern) {
        if (expected == 'W') {
            while (at < text.size() && lower(text[at]) >= 'a' && lower(text[at]) <= 'z') ++at;
            continue;
        }
        if (at >= text.size()) return false;
        char c = text[at++];
        switch (expected) {
            case 'd':
                if (!digit(fields.day, c == ' ' && fields.day == 0 ? '0' : c)) return false;
                break;
            case 'y':
                if (!digit(fields.year, c)) return false;
                break;
            case 'h':
                if (!digit(fields.hour, c)) return false;
                break;
            case 'm':
                if (!digit(fields.minute, c)) return false;
                break;
            case 's':
                if (!digit(fields.second, c)) return false;
                break;
            case 'N': {
                std::size_t found = months.find(text.substr(at - 1, 3));
                if (found == std::string_view::npos || found % 3 != 0 || at + 2 > text.size()) return false;
                fields.month = static_cast<std::int64_t>(found / 3) + 1;
                at += 2;
                break;
            }
            default:
                if (c != expected) return false;
        }
    }
    return at == text.size();
}

std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
    return month == 12 ? 31 : days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1);
}

std::optional<std::int64_t> seconds_of(const Fields& fields) {
    // Second 60 is a leap second, which this count does not have.
    if (fields.hour > 23 || fields.minute > 59 || fields.second > 60) return {};
    if (fields.day < 1 || fields.day > days_in_month(fields.year, fields.month)) return {};
    return days_from_civil(fields.year, fields.month, fields.day) * seconds_per_day + fields.hour * 3600 +
           fields.minute * 60 + std::min<std::int64_t>(fields.second, 59);
}

}  // namespace

std::string_view write_date(std::int64_t seconds, std::span<char, date_size> into) {
    seconds = std::clamp<std::int64_t>(seconds, 0, last_second);
    std::int64_t days = seconds / seconds_per_day;
    std::int64_t second = seconds % seconds_per_day;

    // The inverse of days_from_civil.
    std::int64_t shifted = days + 719468;
    std::int64_t era = shifted / 146097;
    std::int64_t day_of_era = shifted - era * 146097;
    std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);

    char* at = into.data();
    std::memcpy(at, "Thu, 01 Jan 1970 00:00:00 GMT", date_size);
    std::memcpy(at, weekdays.data() + (days + 4) % 7 * 3, 3);
    two_digits(at + 5, day);
    std::memcpy(at + 8, months.data() + (month - 1) * 3, 3);
    two_digits(at + 12, year / 100);
    two_digits(at + 14, year % 100);
    two_digits(at + 17, second / 3600);
    two_digits(at + 20, second / 60 % 60);
    two_digits(at + 23, second % 60);
    return {at, date_size};
}

std::optional<std::int64_t> parse_date(std::string_view text) {
    Fields fields;
    if (read(text, "W, dd N yyyy hh:mm:ss GMT", fields)) return seconds_of(fields);
    fields = {};
    if (read(text, "W, dd-N-yy hh:mm:ss GMT", fields)) {
        // RFC 9110 5.6.7 asks for the century that is not more than 50 years ahead; a fixed border keeps the clock out.
        fields.year += fields.year < 70 ? 2000 : 1900;
        return seconds_of(fields);
    }
    fields = {};
    if (read(text, "W N dd hh:mm:ss yyyy", fields)) return seconds_of(fields);
    return {};
}

}  // namespace http
