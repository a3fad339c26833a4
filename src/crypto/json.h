// Object: the members of one JSON object (RFC 8259) as a flat index over its text, which is what tokens and key sets
// need and costs a few hundred nanoseconds a token. Strict: the whole text is checked (grammar, UTF-8, escapes,
// depth), and a member name that comes twice is refused, because two readers of such a text may see two claims.
//
// Views point into the text, or into the arena where an escape had to be decoded; both must outlive the Object.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"

namespace crypto {

struct Value {
    enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
    Kind kind = Kind::null;
    std::string_view text;  // of a string what it means, of the others their JSON text

    [[nodiscard]] bool is(Kind other) const { return kind == other; }
    // Nothing for what is no number, or none that a double holds.
    [[nodiscard]] std::optional<double> number() const;
    [[nodiscard]] std::optional<std::string_view> string() const;
};

class Object {
  public:
    static constexpr std::size_t most_members = 256;
    static constexpr std::size_t deepest = 16;              // nested arrays and objects, this one included
    static constexpr std::size_t most_nested_members = 32;  // of an inner object, where names must be unique everywhere

    enum class Unique : std::uint8_t {
        here,        // the names of this object; inner ones are somebody else's business
        everywhere,  // also the names of each object inside
    };

    static base::Result<Object> parse(std::string_view text, base::Arena& arena, Unique unique = Unique::here);

    Object() = default;
    [[nodiscard]] const Value* find(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    // Nothing if the member is absent or of another kind.
    [[nodiscard]] std::optional<std::string_view> string(std::string_view name) const;
    [[nodiscard]] std::optional<double> number(std::string_view name) const;
    [[nodiscard]] std::size_t size() const { return count_; }

  private:
    struct Member {
        std::string_view name;
        Value value;
    };
    friend class ObjectReader;
    const Member* members_ = nullptr;
    std::uint32_t count_ = 0;
};

// The elements of an array one by one: of a Value that came out of an Object.
class Elements {
  public:
    Elements(const Value& array, base::Arena& arena);
    [[nodiscard]] std::optional<Value> next();

  private:
    std::string_view rest_;  // begins with an element, or is empty
    base::Arena& arena_;
};

}  // namespace crypto
