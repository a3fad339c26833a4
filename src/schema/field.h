// Fields: a struct says once, in fields(), what each member is called, means and may be:
//
//     struct Config {
//         std::chrono::milliseconds timeout{500};
//         static constexpr auto fields() { return schema::fields(
//             schema::field("timeout", &Config::timeout, "Longest wait.").at_least(1)); }
//         void check(schema::Checks& checks) const;        // optional: rules across fields
//     };
//
// The type comes from the member, the default from its initialiser; record_of<Config>() derives the rest (record.h).
// Types: bool, integers, floating point, std::string, enums with names, std::optional, std::vector, Set, std::map by
// text, std::chrono durations, Bytes, base::Uuid, nested structs with fields(), const Node* (anything).
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "schema/bytes.h"
#include "schema/record.h"

namespace schema {

// A list in which each value stands once; further ones are dropped.
template <typename T>
struct Set : std::vector<T> {
    using std::vector<T>::vector;
};

// The texts of an enum, in the order of its values 0, 1, 2...: specialise with `static constexpr std::array list{...}`.
template <typename Enum>
struct Names;

template <typename T>
concept HasFields = requires { T::fields(); };

template <typename T>
const Record& record_of();

// How one C++ type is read, described and printed. A dialect may specialise it for types of its own.
template <typename T>
struct Codec;

namespace detail {

template <typename Value>
constexpr double amount(const Value& value) {
    if constexpr (std::is_arithmetic_v<Value>) {
        return static_cast<double>(value);
    } else {
        return static_cast<double>(value.count());
    }
}

template <typename Period>
constexpr std::string_view unit_name() {
    if constexpr (std::is_same_v<Period, std::milli>) return "milliseconds";
    if constexpr (std::is_same_v<Period, std::ratio<1>>) return "seconds";
    if constexpr (std::is_same_v<Period, std::ratio<60>>) return "minutes";
    return "ticks";
}

[[nodiscard]] std::string json_number(double value);

template <typename T>
constexpr TypeInfo integer_type(std::string_view unit = {}) {
    TypeInfo type{.kind = TypeInfo::Kind::integer, .unit = unit};
    if constexpr (sizeof(T) < 8) {
        type.least = static_cast<double>(std::numeric_limits<T>::min());
        type.most = static_cast<double>(std::numeric_limits<T>::max());
    } else if constexpr (std::is_unsigned_v<T>) {
        type.least = 0;
    }
    return type;
}

template <typename T>
bool read_integral(const Node& node, T& out, const Rules& rules, Reader& reader) {
    std::int64_t value = 0;
    constexpr auto least = static_cast<double>(std::numeric_limits<T>::min());
    constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
    if (!reader.read_integer(node, rules, least, most, value)) return false;
    out = static_cast<T>(value);
    return true;
}

template <typename Container, typename T>
bool read_items(const Node& node, Container& out, const Rules& rules, Reader& reader) {
    bool good = reader.check_count(node, rules, node.items().size());
    Container fresh;
    fresh.reserve(node.items().size());
    for (std::size_t i = 0; i < node.items().size(); ++i) {
        Reader::Under under(reader, i);
        T value{};
        if (Codec<T>::read(node.items()[i], value, rules, reader)) {
            fresh.push_back(std::move(value));
        } else {
            good = false;
        }
    }
    out = std::move(fresh);
    return good;
}

template <typename Container>
std::string json_items(const Container& values) {
    std::string out = "[";
    for (const auto& value : values) {
        if (out.size() > 1) out += ", ";
        out += Codec<std::remove_cvref_t<decltype(value)>>::json(value);
    }
    return out + "]";
}

}  // namespace detail

template <>
struct Codec<bool> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::boolean}; }
    static bool read(const Node& node, bool& out, const Rules&, Reader& reader) { return reader.read(node, out); }
    static std::string json(bool value) { return value ? "true" : "false"; }
};

template <std::integral T>
struct Codec<T> {
    static TypeInfo type() { return detail::integer_type<T>(); }
    static bool read(const Node& node, T& out, const Rules& rules, Reader& reader) {
        return detail::read_integral(node, out, rules, reader);
    }
    static std::string json(T value) { return std::to_string(value); }
};

template <std::floating_point T>
struct Codec<T> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::number}; }
    static bool read(const Node& node, T& out, const Rules& rules, Reader& reader) {
        double value = 0;
        if (!reader.read_number(node, rules, value)) return false;
        out = static_cast<T>(value);
        return true;
    }
    static std::string json(T value) { return detail::json_number(static_cast<double>(value)); }
};

template <>
struct Codec<std::string> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::text}; }
    static bool read(const Node& node, std::string& out, const Rules& rules, Reader& reader) {
        return reader.read(node, rules, out);
    }
    static std::string json(const std::string& value) { return value.empty() ? std::string() : json_quoted(value); }
};

template <typename Enum>
    requires std::is_enum_v<Enum>
struct Codec<Enum> {
    static TypeInfo type() {
        return {
            .kind = TypeInfo::Kind::text, .names = Names<Enum>::list.data(), .name_count = Names<Enum>::list.size()};
    }
    static bool read(const Node& node, Enum& out, const Rules& rules, Reader& reader) {
        static_assert(Names<Enum>::list.size() <= Rules::max_choices);
        Rules named = rules;
        named.choice_count = Names<Enum>::list.size();
        std::copy(Names<Enum>::list.begin(), Names<Enum>::list.end(), named.choices.begin());
        std::string text;
        if (!reader.read(node, named, text)) return false;
        auto at = std::find(Names<Enum>::list.begin(), Names<Enum>::list.end(), text);
        out = static_cast<Enum>(at - Names<Enum>::list.begin());
        return true;
    }
    static std::string json(Enum value) { return json_quoted(Names<Enum>::list[static_cast<std::size_t>(value)]); }
};

template <typename Rep, typename Period>
struct Codec<std::chrono::duration<Rep, Period>> {
    using Duration = std::chrono::duration<Rep, Period>;
    static TypeInfo type() {
        constexpr std::string_view unit = detail::unit_name<Period>();
        if constexpr (std::is_floating_point_v<Rep>) return {.kind = TypeInfo::Kind::number, .unit = unit};
        return detail::integer_type<Rep>(unit);
    }
    static bool read(const Node& node, Duration& out, const Rules& rules, Reader& reader) {
        Rep count{};
        if (!Codec<Rep>::read(node, count, rules, reader)) return false;
        out = Duration(count);
        return true;
    }
    static std::string json(Duration value) { return Codec<Rep>::json(value.count()); }
};

template <>
struct Codec<Bytes> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::integer, .unit = "bytes", .least = 0}; }
    static bool read(const Node& node, Bytes& out, const Rules& rules, Reader& reader) {
        return detail::read_integral(node, out.value, rules, reader);
    }
    static std::string json(Bytes value) { return std::to_string(value.value); }
};

template <>
struct Codec<base::Uuid> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::text, .format = "uuid"}; }
    static bool read(const Node& node, base::Uuid& out, const Rules& rules, Reader& reader);
    static std::string json(const base::Uuid& value) {
        return value.is_nil() ? std::string() : json_quoted(value.text());
    }
};

template <>
struct Codec<const Node*> {
    static TypeInfo type() { return {}; }
    static bool read(const Node& node, const Node*& out, const Rules&, Reader&) {
        out = &node;
        return true;
    }
    static std::string json(const Node*) { return {}; }
};

template <typename T>
struct Codec<std::optional<T>> {
    static TypeInfo type() { return Codec<T>::type(); }
    static bool read(const Node& node, std::optional<T>& out, const Rules& rules, Reader& reader) {
        return Codec<T>::read(node, out.emplace(), rules, reader);
    }
    static std::string json(const std::optional<T>& value) { return value ? Codec<T>::json(*value) : std::string(); }
};

template <typename T>
struct Codec<std::vector<T>> {
    static TypeInfo type() {
        static const TypeInfo element = Codec<T>::type();
        return {.kind = TypeInfo::Kind::list, .element = &element};
    }
    static bool read(const Node& node, std::vector<T>& out, const Rules& rules, Reader& reader) {
        return reader.expect(node, Kind::list, "an array") &&
               detail::read_items<std::vector<T>, T>(node, out, rules, reader);
    }
    static std::string json(const std::vector<T>& value) { return value.empty() ? "" : detail::json_items(value); }
};

template <typename T>
struct Codec<Set<T>> {
    static TypeInfo type() {
        static const TypeInfo element = Codec<T>::type();
        return {.kind = TypeInfo::Kind::set, .element = &element};
    }
    static bool read(const Node& node, Set<T>& out, const Rules& rules, Reader& reader) {
        if (!reader.expect(node, Kind::list, "a set")) return false;
        if (!detail::read_items<Set<T>, T>(node, out, rules, reader)) return false;
        if (out.size() < 2) return true;
        std::set<T> seen;
        std::erase_if(out, [&seen](const T& value) { return !seen.insert(value).second; });
        return true;
    }
    static std::string json(const Set<T>& value) { return value.empty() ? "" : detail::json_items(value); }
};

template <typename T>
struct Codec<std::map<std::string, T>> {
    static TypeInfo type() {
        static const TypeInfo element = Codec<T>::type();
        return {.kind = TypeInfo::Kind::map, .element = &element};
    }
    static bool read(const Node& node, std::map<std::string, T>& out, const Rules& rules, Reader& reader) {
        if (!reader.expect(node, Kind::map, "a map")) return false;
        bool good = reader.check_count(node, rules, node.members().size());
        for (const Member& member : node.members()) {
            if (member.value.is_null()) continue;
            Reader::Under under(reader, member.key.text());
            std::string fault =
                rules.key_format.check == nullptr ? std::string() : rules.key_format.check(member.key.text());
            T value{};
            if (!fault.empty()) {
                reader.problem(member.key.mark(), std::move(fault));
                good = false;
            } else if (!Codec<T>::read(member.value, value, rules, reader)) {
                good = false;
            } else {
                out.insert_or_assign(std::string(member.key.text()), std::move(value));
            }
        }
        return good;
    }
    static std::string json(const std::map<std::string, T>& value) {
        std::string out;
        for (const auto& [key, item] : value) {
            out += (out.empty() ? "{" : ", ") + json_quoted(key) + ": " + Codec<T>::json(item);
        }
        return out.empty() ? out : out + "}";
    }
};

template <HasFields T>
struct Codec<T> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::record, .record = &record_of<T>()}; }
    static bool read(const Node& node, T& out, const Rules&, Reader& reader) {
        Reader::Entity entity(reader);
        return record_of<T>().read(&out, node, reader);
    }
    static std::string json(const T&) { return {}; }  // its fields carry the defaults
};

// One declared field. Each word of it says one rule and answers the field again.
template <typename Owner, typename Member>
class Field {
  public:
    constexpr Field(std::string_view name, Member Owner::* member, std::string_view description) : member_(member) {
        rules_.name = name;
        rules_.description = description;
    }
    template <typename Value>
    constexpr Field at_least(Value value) const {
        return with([&](Rules& rules) { rules.at_least = detail::amount(value); });
    }
    template <typename Value>
    constexpr Field at_most(Value value) const {
        return with([&](Rules& rules) { rules.at_most = detail::amount(value); });
    }
    template <typename Low, typename High>
    constexpr Field between(Low low, High high) const {
        return at_least(low).at_most(high);
    }
    template <typename Value>
    constexpr Field above(Value value) const {
        return with([&](Rules& rules) { rules.above = detail::amount(value); });
    }
    template <typename... Choices>
    constexpr Field one_of(Choices... choices) const {
        static_assert(sizeof...(choices) <= Rules::max_choices);
        return with([&](Rules& rules) {
            rules.choice_count = 0;
            ((rules.choices[rules.choice_count++] = choices), ...);
        });
    }
    constexpr Field matches(Format format) const {
        return with([&](Rules& rules) { rules.format = format; });
    }
    constexpr Field keys(Format format) const {
        return with([&](Rules& rules) { rules.key_format = format; });
    }
    constexpr Field required() const {
        return with([](Rules& rules) { rules.required = true; });
    }
    constexpr Field secret() const {
        return with([](Rules& rules) { rules.secret = true; });
    }
    constexpr Field referenceable() const {
        return with([](Rules& rules) { rules.referenceable = true; });
    }
    constexpr Field may_be_empty() const { return length(0); }
    constexpr Field length(std::size_t least) const {
        return with([&](Rules& rules) { rules.min_length = least; });
    }
    // Of a list, set or map.
    constexpr Field count(std::size_t least, std::size_t most = std::numeric_limits<std::size_t>::max()) const {
        return with([&](Rules& rules) {
            rules.min_count = least;
            rules.max_count = most;
        });
    }

    [[nodiscard]] constexpr const Rules& rules() const { return rules_; }
    [[nodiscard]] constexpr Member Owner::* member() const { return member_; }

  private:
    template <typename Change>
    constexpr Field with(Change change) const {
        Field copy = *this;
        change(copy.rules_);
        return copy;
    }
    Rules rules_;
    Member Owner::* member_;
};

template <typename Owner, typename Member>
constexpr auto field(std::string_view name, Member Owner::* member, std::string_view description) {
    return Field<Owner, Member>(name, member, description);
}

template <typename... Fields>
constexpr auto fields(Fields... all) {
    return std::tuple<Fields...>(all...);
}

namespace detail {

template <typename Owner, typename Member>
class TypedField final : public FieldInfo {
  public:
    explicit TypedField(const Field<Owner, Member>& field)
        : FieldInfo(field.rules(), Codec<Member>::type()), member_(field.member()) {}
    [[nodiscard]] std::string default_json(const void* owner) const override {
        return Codec<Member>::json(static_cast<const Owner*>(owner)->*member_);
    }
    bool read(void* owner, const Node& node, Reader& reader) const override {
        return Codec<Member>::read(node, static_cast<Owner*>(owner)->*member_, rules(), reader);
    }

  private:
    Member Owner::* member_;
};

template <typename T>
void verify(const void* object, Checks& checks) {
    const T& value = *static_cast<const T*>(object);
    if constexpr (requires { value.check(checks); }) {
        value.check(checks);
    } else if (base::Result<void> result = value.check(); !result) {
        checks.record(result.error().detail);
    }
}

template <typename T>
Record make_record() {
    std::vector<std::unique_ptr<FieldInfo>> made;
    auto add = [&made]<typename Owner, typename Member>(const Field<Owner, Member>& field) {
        static_assert(std::is_same_v<Owner, T>);
        made.push_back(std::make_unique<TypedField<Owner, Member>>(field));
    };
    std::apply([&add](const auto&... each) { (add(each), ...); }, T::fields());
    Record::Methods methods{.make = [] { return std::shared_ptr<void>(std::make_shared<T>()); }};
    if constexpr (
        requires(const T& value, Checks& checks) { value.check(checks); } ||
        requires(const T& value) { value.check(); }) {
        methods.verify = &verify<T>;
    }
    return Record(std::move(made), methods);
}

}  // namespace detail

template <typename T>
const Record& record_of() {
    static const Record record = detail::make_record<T>();
    return record;
}

}  // namespace schema
