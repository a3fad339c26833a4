// The compiled form of a template: literal pieces and expressions, these as a tree of nodes in one array, children
// before parents. Between template_compile.cpp, which writes it, and template.cpp, which runs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugin/template.h"

namespace plugin::template_code {

enum class Op : std::uint8_t {
    constant,     // value; texts at `offset`
    look_up,      // area[text at `offset`], or area[first] where `first` is a node
    look_up_any,  // area[node first]
    index,        // node first [node second]
    both,         // and
    either,       // or
    negate,       // not
    equal,
    unequal,
    less,
    at_most,
    concatenate,
    add,
    subtract,
    multiply,
    divide,
    modulo,
    power,
    minus,
    length,
    call,  // function(arguments[first], ... `count` of them)
};

enum class Function : std::uint8_t {
    sub,
    gsub,
    upper,
    lower,
    len,
    find,
    match,
    rep,
    reverse,
    byte,
    to_string,
    to_number,
    type,
};

struct Node {
    Op op = Op::constant;
    Function function = Function::type;
    TemplateArea area = TemplateArea::headers;
    TemplateValue::Kind kind = TemplateValue::Kind::nil;  // of a constant
    std::uint16_t first = 0;
    std::uint16_t second = 0;
    std::uint16_t count = 0;
    std::uint32_t offset = 0;  // of a text in Program::texts
    std::uint32_t size = 0;
    double number = 0;  // of a constant; 0 or 1 for booleans
};

struct Piece {
    bool is_expression = false;
    std::uint16_t node = 0;
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
};

struct Program {
    std::vector<Piece> pieces;
    std::vector<Node> nodes;
    std::vector<std::uint16_t> arguments;
    std::string texts;

    [[nodiscard]] std::string_view text(std::uint32_t offset, std::uint32_t size) const {
        return std::string_view(texts).substr(offset, size);
    }
};

base::Result<Program> compile(std::string_view source);

// A text read as Lua's tonumber does: decimal or hexadecimal, blanks around it.
bool read_number(std::string_view text, double& number);

}  // namespace plugin::template_code
