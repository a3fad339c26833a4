// Edits of arguments name=value&..., of a query string or of a form body (application/x-www-form-urlencoded), with the
// meaning Kong gives them (kong.md 4.11): names and values are compared and given plain, and written escaped. Memory is
// the arena's and grows with the text, of which the caller bounds the size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace plugin {

class Arguments {
  public:
    enum class Order : std::uint8_t {
        as_given,
        by_name,  // stable: how Kong writes a query it has changed
    };

    // Arguments without a name are dropped, as nginx's Lua does.
    Arguments(std::string_view text, base::Arena& arena);

    // All values of the name go.
    void remove(std::string_view name);
    // If it is there; arguments that have the new name already go.
    void rename(std::string_view name, std::string_view new_name);
    // If it is there; one of several values stays, in the first one's place.
    void replace(std::string_view name, std::string_view value);
    // If it is not there.
    void add(std::string_view name, std::string_view value);
    // One more value; "name" without '=' becomes name=value.
    void append(std::string_view name, std::string_view value);
    // All arguments of others, behind.
    void append(const Arguments& others);

    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    [[nodiscard]] bool is_changed() const { return is_changed_; }
    // How many stand there, those gone included: what a caller bounds.
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::string_view written(Order order) const;

  private:
    struct Argument {
        std::string_view name;
        std::string_view value;
        bool has_value = false;
        bool is_gone = false;
    };
    [[nodiscard]] Argument* find(std::string_view name) const;
    void push(const Argument& argument);

    base::Arena& arena_;
    Argument* items_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
    bool is_changed_ = false;
};

// Escapes all but RFC 3986's unreserved characters, as nginx's Lua does. `text` itself if there is nothing to escape.
[[nodiscard]] std::string_view escape_argument(std::string_view text, base::Arena& arena);

}  // namespace plugin
