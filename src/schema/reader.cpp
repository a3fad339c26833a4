#include "schema/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "schema/record.h"

namespace schema {

void Reader::problem(Mark mark, std::string message, std::string hint) {
    problems_.add({Severity::error, mark, path_, std::move(message), std::move(hint), {}, false});
}
void Reader::warning(Mark mark, std::string message, std::string hint) {
    problems_.add({Severity::warning, mark, path_, std::move(message), std::move(hint), {}, false});
}
void Reader::entity_problem(Mark mark, std::string message) {
    Path entity(path_.begin(), path_.begin() + static_cast<std::ptrdiff_t>(std::min(entity_depth_, path_.size())));
    problems_.add({Severity::error, mark, std::move(entity), std::move(message), {}, {}, true});
}

bool Reader::expect(const Node& node, Kind kind, std::string_view what) {
    if (node.is(kind)) return true;
    problem(node.mark(), fmt::format("expected {}", what));
    return false;
}

bool Reader::read(const Node& node, bool& out) {
    if (!expect(node, Kind::boolean, "a boolean")) return false;
    out = node.as_boolean();
    return true;
}

namespace {

// "1m" where a number stands: what it would be, in the units that fields have.
std::string duration_hint(const Node& node) {
    if (!node.is(Kind::text)) return {};
    std::string_view text = node.text();
    double count = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc()) return {};
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    constexpr std::array<std::pair<std::string_view, double>, 5> units{
        {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    for (auto [name, milliseconds] : units)
        if (unit == name)
            return fmt::format("write a number alone: {:.16g} where the field counts seconds, {:.16g} for milliseconds",
                               count * milliseconds / 1000, count * milliseconds);
    return {};
}

std::string range_fault(const Rules& rules, double value) {
    if (rules.above && !(value > *rules.above)) return fmt::format("value must be greater than {}", *rules.above);
    bool low = rules.at_least && !(value >= *rules.at_least);
    bool high = rules.at_most && !(value <= *rules.at_most);
    if (!low && !high) return {};
    if (rules.at_least && rules.at_most) {
        return fmt::format("value should be between {:.16g} and {:.16g}", *rules.at_least, *rules.at_most);
    }
    if (low) return fmt::format("value must be at least {:.16g}", *rules.at_least);
    return fmt::format("value must be at most {:.16g}", *rules.at_most);
}

}  // namespace

bool Reader::read_integer(const Node& node, const Rules& rules, double least, double most, std::int64_t& out) {
    bool whole = node.is(Kind::integer) || (node.is(Kind::number) && std::isfinite(node.as_number()) &&
                                            std::trunc(node.as_number()) == node.as_number());
    if (!whole) {
        problem(node.mark(), "expected an integer", duration_hint(node));
        return false;
    }
    double value = node.as_number();
    std::string fault = range_fault(rules, value);
    constexpr double exact = 9.2e18;  // inside int64, whatever the rounding
    if (fault.empty() && (value < least || value > most || std::abs(value) > exact)) {
        // The ends of a type of 64 bits say nothing to anybody.
        if (most < exact)
            fault = fmt::format("value should be between {:.16g} and {:.16g}", least, most);
        else if (value < least && least == 0)
            fault = "value must be at least 0";
        else
            fault = value > 0 ? "value is too large" : "value is too small";
    }
    if (!fault.empty()) {
        problem(node.mark(), fault);
        return false;
    }
    out = node.is(Kind::integer) ? node.as_integer() : static_cast<std::int64_t>(value);
    return true;
}

bool Reader::read_number(const Node& node, const Rules& rules, double& out) {
    if ((!node.is(Kind::integer) && !node.is(Kind::number)) || std::isnan(node.as_number())) {
        problem(node.mark(), "expected a number", duration_hint(node));
        return false;
    }
    if (std::string fault = range_fault(rules, node.as_number()); !fault.empty()) {
        problem(node.mark(), fault);
        return false;
    }
    out = node.as_number();
    return true;
}

bool Reader::read(const Node& node, const Rules& rules, std::string& out) {
    if (!node.is(Kind::text)) {
        bool quotes = node.is(Kind::boolean) || node.is(Kind::integer) || node.is(Kind::number);
        problem(node.mark(), "expected a string", quotes ? "write it in quotes" : "");
        return false;
    }
    std::string_view text = node.text();
    if (rules.referenceable && resolve_ && text.starts_with("{vault://") && text.ends_with('}')) {
        std::optional<std::string> value = resolve_(text);
        if (!value && rules.secret) {
            // Kong goes on with an empty secret; with it anybody could sign.
            problem(node.mark(), fmt::format("the reference {} cannot be resolved", text),
                    "set the environment variable that it names");
            return false;
        }
        if (!value) {
            warning(node.mark(), fmt::format("the reference {} cannot be resolved; the value is empty", text),
                    "set the environment variable that it names");
        }
        out = value.value_or("");  // unresolvable: Kong goes on with an empty value
        return true;
    }
    std::string fault;
    std::string hint;
    if (text.size() < rules.min_length) {
        fault = fmt::format("length must be at least {}", rules.min_length);
    } else if (rules.choice_count > 0) {
        auto choices = std::span(rules.choices.data(), rules.choice_count);
        if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
            fault = fmt::format("expected one of: {}", fmt::join(choices, ", "));
            std::string_view near = nearest(text, {choices.begin(), choices.end()});
            if (!near.empty()) hint = fmt::format("did you mean '{}'?", near);
        }
    }
    if (fault.empty() && rules.format.check != nullptr) fault = rules.format.check(text);
    if (!fault.empty()) {
        problem(node.mark(), std::move(fault), std::move(hint));
        return false;
    }
    out = text;
    return true;
}

bool Reader::check_count(const Node& node, const Rules& rules, std::size_t count) {
    if (count < rules.min_count) {
        problem(node.mark(), fmt::format("length must be at least {}", rules.min_count));
        return false;
    }
    if (count > rules.max_count) {
        problem(node.mark(), fmt::format("length must be at most {}", rules.max_count));
        return false;
    }
    return true;
}

bool Checks::given(std::string_view field) const {
    std::size_t index = record_.index_of(field);
    return index < record_.fields().size() && given_[index];
}
bool Checks::failed(std::string_view field) const {
    std::size_t index = record_.index_of(field);
    return index < record_.fields().size() && failed_[index];
}
Mark Checks::mark_of(std::string_view field) const {
    const Node* value = node_.find(field);
    return value == nullptr ? node_.mark() : value->mark();
}
void Checks::field(std::string_view field, std::string message, std::string hint) {
    if (failed(field)) return;
    Reader::Under under(reader_, field);
    reader_.problem(mark_of(field), std::move(message), std::move(hint));
}
void Checks::element(std::string_view field, std::size_t index, std::string message, std::string hint) {
    Reader::Under under(reader_, field);
    Reader::Under element(reader_, index);
    const Node* list = node_.find(field);
    Mark mark = list != nullptr && index < list->items().size() ? list->items()[index].mark() : node_.mark();
    reader_.problem(mark, std::move(message), std::move(hint));
}
void Checks::nested(std::string_view field, std::string_view inner, std::string message) {
    if (failed(field)) return;
    Reader::Under under(reader_, field);
    Reader::Under deeper(reader_, inner);
    reader_.problem(mark_of(field), std::move(message));
}
void Checks::entity(std::string message) { reader_.entity_problem(node_.mark(), std::move(message)); }
void Checks::record(std::string message) { reader_.problem(node_.mark(), std::move(message)); }

}  // namespace schema
