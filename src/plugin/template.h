// Template: a value of request-transformer, text with `$(expression)` in it (kong.md 4.11). The expressions are a
// small, safe part of Lua 5.1, compiled when the document is loaded; what is not taken is refused there, by name and
// place:
//
//     headers.x_y  headers["X-Y"]  query_params.x  uri_captures.id  uri_captures[1]  shared.x  consumer.username
//     "text" 'text'  12  0x1f  true  false  nil  a or b  a and b  not a  == ~= < <= > >=  a .. b  + - * / % ^  #a
//     a:sub(1, 3)  string.sub(a, 1, 3)    and the same of byte find gsub len lower match rep reverse upper
//     tostring(a)  tonumber(a)  type(a)
//
// Rendering allocates from the given arena only, and bytes, steps and nesting are bounded. Immutable after compile, so
// one Template serves all cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"

namespace plugin {

// A value of Lua as far as templates know them. Bytes and items are the giver's and outlive the rendering.
struct TemplateValue {
    enum class Kind : std::uint8_t { nil, boolean, number, text, list };
    Kind kind = Kind::nil;
    bool truth = false;
    double number = 0;
    std::string_view text;
    std::span<const TemplateValue> items;  // of a list: a field or argument that stands several times

    static TemplateValue of(std::string_view text) { return {.kind = Kind::text, .text = text}; }
    static TemplateValue of(double number) { return {.kind = Kind::number, .number = number}; }
    static TemplateValue of_truth(bool truth) { return {.kind = Kind::boolean, .truth = truth}; }
    static TemplateValue of(std::span<const TemplateValue> items) { return {.kind = Kind::list, .items = items}; }
    [[nodiscard]] bool is_nil() const { return kind == Kind::nil; }
    [[nodiscard]] bool is_true() const { return kind != Kind::nil && (kind != Kind::boolean || truth); }
};

enum class TemplateArea : std::uint8_t { headers, query_params, uri_captures, shared, consumer };

struct TemplateKey {
    std::string_view name;
    std::size_t index = 0;
    bool is_index = false;  // uri_captures[1]; not uri_captures["1"]
};

// What a request gives to its templates, asked only for what they name.
class TemplateEnvironment {
  public:
    virtual ~TemplateEnvironment() = default;
    // Nil where there is nothing. Headers are asked for in any case, first as written and then with '-' for '_'; an
    // argument without '=' is `true`.
    virtual TemplateValue find(TemplateArea area, const TemplateKey& key, base::Arena& arena) const = 0;
};

namespace template_code {
struct Program;
}

class Template {
  public:
    static constexpr std::size_t max_source_bytes = 16384;
    static constexpr std::size_t max_nodes = 2000;   // of all its expressions
    static constexpr std::size_t max_nesting = 100;  // of operators, calls and parentheses
    // Of one rendering:
    static constexpr std::size_t max_text_bytes =
        65536;  // of any text made, and of all of them together four times that
    static constexpr std::size_t max_pattern_bytes = 256;
    static constexpr std::size_t max_steps = 50'000;  // of pattern matching

    // The error's detail is "byte 12: what is wrong", counted from 1 in `source`.
    static base::Result<Template> compile(std::string_view source);

    Template(Template&&) noexcept;
    Template& operator=(Template&&) noexcept;
    ~Template();

    struct Rendered {
        std::string_view text;  // of the arena, the environment or the template
        // An expression was nil (or false, as Kong has it) and so became an empty text.
        bool has_nil = false;
    };
    // Fails where Lua would raise an error and where a limit is reached: the plugin answers 500. The error's detail
    // holds no value of the request.
    [[nodiscard]] base::Result<Rendered> render(const TemplateEnvironment& environment, base::Arena& arena) const;
    [[nodiscard]] bool is_plain() const;  // no expression in it

  private:
    explicit Template(std::unique_ptr<const template_code::Program> program);
    std::unique_ptr<const template_code::Program> program_;
};

}  // namespace plugin
