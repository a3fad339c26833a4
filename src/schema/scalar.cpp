#include "schema/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace schema {
namespace {

bool is_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

bool only(std::string_view text, std::string_view alphabet) {
    return !text.empty() && text.find_first_not_of(alphabet) == std::string_view::npos;
}

std::string without_underscores(std::string_view text) {
    std::string out(text);
    std::erase(out, '_');
    return out;
}

bool integer_of(std::string_view digits, int base, bool negative, Mark mark, Node& out) {
    std::string clean = without_underscores(digits);
    if (clean.empty()) return false;
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(clean.data(), clean.data() + clean.size(), value, base);
    constexpr auto top = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (error != std::errc() || end != clean.data() + clean.size() || value > top) {
        if (base != 10) return false;
        double wide = 0;  // beyond 64 bits it is a number as in Lua
        std::from_chars(clean.data(), clean.data() + clean.size(), wide);
        out = Node::number(negative ? -wide : wide, mark);
        return true;
    }
    auto whole = static_cast<std::int64_t>(value);
    out = Node::integer(negative ? -whole : whole, mark);
    return true;
}

// [digits][.digits][e[+-]digits] with at least one digit before the exponent.
bool number_of(std::string_view text, bool negative, Mark mark, Node& out) {
    std::string clean = without_underscores(text);
    if (clean.find_first_of(".eE") == std::string::npos) return false;
    std::size_t mantissa_end = std::min(clean.find_first_of("eE"), clean.size());
    std::string_view mantissa = std::string_view(clean).substr(0, mantissa_end);
    if (mantissa.find_first_of("0123456789") == std::string_view::npos || !only(mantissa, "0123456789.") ||
        std::count(mantissa.begin(), mantissa.end(), '.') > 1) {
        return false;
    }
    if (mantissa_end < clean.size()) {
        std::string_view exponent = std::string_view(clean).substr(mantissa_end + 1);
        if (exponent.starts_with('+') || exponent.starts_with('-')) exponent.remove_prefix(1);
        if (!only(exponent, "0123456789")) return false;
        if (clean[mantissa_end + 1] == '+') clean.erase(mantissa_end + 1, 1);
    }
    double value = 0;
    auto [end, error] = std::from_chars(clean.data(), clean.data() + clean.size(), value);
    if (end != clean.data() + clean.size()) return false;
    if (error == std::errc::result_out_of_range) value = std::numeric_limits<double>::infinity();
    out = Node::number(negative ? -value : value, mark);
    return true;
}

}  // namespace

bool resolve_plain(std::string_view text, Mark mark, Node& out) {
    if (text.empty() || is_any(text, {"~", "null", "Null", "NULL"})) {
        out = Node::null(mark);
        return true;
    }
    constexpr std::size_t longest_word = 5;
    if (text.size() <= longest_word) {
        if (is_any(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) {
            out = Node::boolean(true, mark);
            return true;
        }
        if (is_any(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) {
            out = Node::boolean(false, mark);
            return true;
        }
    }
    std::string_view rest = text;
    bool negative = rest.front() == '-';
    if (rest.front() == '-' || rest.front() == '+') rest.remove_prefix(1);
    if (rest.empty() || rest.size() > 64) return false;
    if (is_any(rest, {".inf", ".Inf", ".INF"})) {
        out = Node::number(
            negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity(), mark);
        return true;
    }
    if (is_any(text, {".nan", ".NaN", ".NAN"})) {
        out = Node::number(std::numeric_limits<double>::quiet_NaN(), mark);
        return true;
    }
    if ((rest.front() < '0' || rest.front() > '9') && rest.front() != '.') return false;
    if (rest.size() > 2 && rest[0] == '0') {
        if (rest[1] == 'x' && only(rest.substr(2), "0123456789abcdefABCDEF_")) {
            return integer_of(rest.substr(2), 16, negative, mark, out);
        }
        if (rest[1] == 'b' && only(rest.substr(2), "01_")) return integer_of(rest.substr(2), 2, negative, mark, out);
    }
    if (rest.size() > 1 && rest[0] == '0' && only(rest, "01234567_")) return integer_of(rest, 8, negative, mark, out);
    if (only(rest, "0123456789_")) return integer_of(rest, 10, negative, mark, out);
    return number_of(rest, negative, mark, out);
}

}  // namespace schema
