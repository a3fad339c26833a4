// Rules: what is said about a field besides its type, and the type itself as far as texts need it: errors, JSON Schema
// and reference pages all read these two. Plain data, made at compile time by field() and at start-up by Record.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace schema {

class Record;

// A shape of text: `check` answers the message of the fault, or nothing; `pattern` is the same for people and JSON
// Schema.
struct Format {
    std::string_view pattern;
    std::string (*check)(std::string_view text) = nullptr;
};

struct Rules {
    static constexpr std::size_t max_choices = 24;

    std::string_view name;
    std::string_view description;
    bool required = false;
    bool secret = false;         // masked wherever the value is shown
    bool referenceable = false;  // may be `{vault://...}`
    // The following hold for the value itself or, in lists, sets and maps, for each element.
    std::optional<double> at_least;
    std::optional<double> at_most;
    std::optional<double> above;
    std::array<std::string_view, max_choices> choices{};
    std::size_t choice_count = 0;
    std::size_t min_length = 1;
    Format format;
    // These for the container.
    std::size_t min_count = 0;
    std::size_t max_count = std::numeric_limits<std::size_t>::max();
    Format key_format;
};

struct TypeInfo {
    enum class Kind : std::uint8_t { boolean, integer, number, text, list, set, map, record, any };
    Kind kind = Kind::any;
    std::string_view unit;              // "milliseconds", "bytes"
    std::string_view format;            // JSON Schema's `format`
    std::optional<double> least, most;  // of the C++ type where it is the narrower one
    const TypeInfo* element = nullptr;  // of list, set and map
    const Record* record = nullptr;
    const std::string_view* names = nullptr;  // of an enum
    std::size_t name_count = 0;
};

}  // namespace schema
