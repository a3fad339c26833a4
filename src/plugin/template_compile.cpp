// Compiles the text of a template: Pratt's method over Lua's operator precedences.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "http/characters.h"
#include "plugin/lua_pattern.h"
#include "plugin/template_code.h"

namespace plugin::template_code {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Named {
    std::string_view name;
    Function function;
    std::uint16_t least;  // arguments, with the text itself
    std::uint16_t most;
    bool gives_several;  // values, of which templates keep the first
};
constexpr Named text_functions[] = {
    {"sub", Function::sub, 2, 3, false},     {"gsub", Function::gsub, 3, 4, true},
    {"upper", Function::upper, 1, 1, false}, {"lower", Function::lower, 1, 1, false},
    {"len", Function::len, 1, 1, false},     {"find", Function::find, 2, 4, true},
    {"match", Function::match, 2, 3, true},  {"rep", Function::rep, 2, 2, false},
    {"byte", Function::byte, 1, 2, false},   {"reverse", Function::reverse, 1, 1, false},
};
constexpr Named global_functions[] = {
    {"tostring", Function::to_string, 1, 1, false},
    {"tonumber", Function::to_number, 1, 1, false},
    {"type", Function::type, 1, 1, false},
};
constexpr std::pair<std::string_view, TemplateArea> areas[] = {
    {"headers", TemplateArea::headers},           {"query_params", TemplateArea::query_params},
    {"uri_captures", TemplateArea::uri_captures}, {"shared", TemplateArea::shared},
    {"consumer", TemplateArea::consumer},
};
constexpr std::string_view consumer_fields[] = {"id", "username", "custom_id"};
constexpr std::string_view other_keywords[] = {"break", "do", "else",  "elseif", "end",    "for",  "function", "goto",
                                               "if",    "in", "local", "repeat", "return", "then", "until",    "while"};

const Named* find_function(std::span<const Named> all, std::string_view name) {
    for (const Named& named : all) {
        if (named.name == name) return &named;
    }
    return nullptr;
}

struct Operator {
    std::string_view text;
    Op op;
    int left;   // binding power; the higher one binds tighter
    int right;  // of its right side; lower than `left`: right-associative
    bool is_swapped = false;
};
// Longer texts first. Lua 5.1 reference manual 2.5.6.
constexpr Operator operators[] = {
    {"or", Op::either, 1, 1},  {"and", Op::both, 2, 2},     {"==", Op::equal, 3, 3},
    {"~=", Op::unequal, 3, 3}, {"<=", Op::at_most, 3, 3},   {">=", Op::at_most, 3, 3, true},
    {"<", Op::less, 3, 3},     {">", Op::less, 3, 3, true}, {"..", Op::concatenate, 5, 4},
    {"+", Op::add, 6, 6},      {"-", Op::subtract, 6, 6},   {"*", Op::multiply, 7, 7},
    {"/", Op::divide, 7, 7},   {"%", Op::modulo, 7, 7},     {"^", Op::power, 10, 9},
};
constexpr int unary_power = 8;

class Compiler {
  public:
    explicit Compiler(std::string_view source) : source_(source) {}

    base::Result<Program> run() {
        if (source_.size() > Template::max_source_bytes) {
            return base::Error::us(base::Code::invalid,
                                   fmt::format("a template is at most {} bytes long", Template::max_source_bytes));
        }
        while (at_ < source_.size()) {
            std::size_t open = std::min(source_.find("$(", at_), source_.size());
            if (open > at_) program_.pieces.push_back(literal(source_.substr(at_, open - at_)));
            at_ = open;
            if (at_ == source_.size()) break;
            at_ += 2;
            std::size_t start = open;
            std::optional<Value> value = expression(0);
            if (value) {
                skip_blanks();
                if (at_ == source_.size()) {
                    at_ = start;
                    refuse("this $( has no matching )");
                } else if (source_[at_] != ')') {
                    refuse_here();
                }
            }
            if (!fault_.empty()) return base::Error::us(base::Code::invalid, fault_);
            ++at_;
            program_.pieces.push_back({.is_expression = true, .node = value->node});
        }
        return std::move(program_);
    }

  private:
    // A compiled part of an expression and what its surroundings may do with it.
    struct Value {
        std::uint16_t node = 0;
        std::uint16_t depth = 1;
        bool is_prefix = false;      // may be indexed and asked for methods: a name or something in parentheses
        bool gives_several = false;  // a call that in Lua gives more than one value
    };

    Piece literal(std::string_view text) {
        Piece piece{.offset = static_cast<std::uint32_t>(program_.texts.size()),
                    .size = static_cast<std::uint32_t>(text.size())};
        program_.texts += text;
        return piece;
    }

    std::nullopt_t refuse_at(std::size_t at, std::string message) {
        if (fault_.empty()) fault_ = fmt::format("byte {}: {}", at + 1, message);
        return std::nullopt;
    }
    std::nullopt_t refuse(std::string message) { return refuse_at(at_, std::move(message)); }
    std::nullopt_t refuse_here() {
        skip_blanks();
        if (at_ >= source_.size()) return refuse("the expression ends too early");
        std::string_view rest = source_.substr(at_);
        if (rest.starts_with("--")) return refuse("comments are not taken in templates");
        if (rest[0] == '{') return refuse("tables are not taken in templates");
        if (rest[0] == '"' || rest[0] == '\'') return refuse("a text is not expected here");
        if (is_name_start(rest[0])) return refuse(fmt::format("'{}' is not expected here", peek_name()));
        bool is_graphic = rest[0] > 0x20 && rest[0] < 0x7f;
        return refuse(is_graphic ? fmt::format("'{}' is not expected here", rest[0])
                                 : "this byte is not expected here");
    }

    void skip_blanks() {
        while (at_ < source_.size() && is_blank(source_[at_])) ++at_;
    }
    [[nodiscard]] std::string_view peek_name() const {
        std::size_t end = at_;
        if (end < source_.size() && is_name_start(source_[end])) {
            while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
        }
        return source_.substr(at_, end - at_);
    }
    bool take(char c) {
        skip_blanks();
        if (at_ >= source_.size() || source_[at_] != c) return false;
        ++at_;
        return true;
    }

    std::optional<Value> add(Node node, std::size_t depth) {
        if (program_.nodes.size() == Template::max_nodes) {
            return refuse(fmt::format("a template has at most {} parts", Template::max_nodes));
        }
        if (depth > Template::max_nesting) {
            return refuse(fmt::format("an expression is at most {} levels deep", Template::max_nesting));
        }
        program_.nodes.push_back(node);
        return Value{.node = static_cast<std::uint16_t>(program_.nodes.size() - 1),
                     .depth = static_cast<std::uint16_t>(depth)};
    }

    [[nodiscard]] const Operator* peek_operator() {
        skip_blanks();
        std::string_view rest = source_.substr(std::min(at_, source_.size()));
        if (rest.starts_with("--")) return nullptr;
        for (const Operator& candidate : operators) {
            if (!rest.starts_with(candidate.text)) continue;
            if (is_name_start(candidate.text[0]) && peek_name() != candidate.text) continue;
            return &candidate;
        }
        return nullptr;
    }

    std::optional<Value> expression(int least) {
        if (nesting_ == Template::max_nesting) {
            return refuse(fmt::format("an expression is at most {} levels deep", Template::max_nesting));
        }
        ++nesting_;
        std::optional<Value> left = operand();
        while (left) {
            const Operator* found = peek_operator();
            if (found == nullptr || found->left <= least) break;
            at_ += found->text.size();
            std::optional<Value> right = expression(found->right);
            if (!right) {
                left.reset();
                break;
            }
            std::size_t depth = std::max(left->depth, right->depth) + std::size_t{1};
            Node node{.op = found->op, .first = left->node, .second = right->node};
            if (found->is_swapped) std::swap(node.first, node.second);
            left = add(node, depth);
        }
        --nesting_;
        return left;
    }

    std::optional<Value> unary(Op op, std::size_t length) {
        at_ += length;
        std::optional<Value> value = expression(unary_power);
        if (!value) return std::nullopt;
        return add({.op = op, .first = value->node}, value->depth + std::size_t{1});
    }

    std::optional<Value> operand() {
        skip_blanks();
        if (at_ >= source_.size()) return refuse_here();
        char c = source_[at_];
        if (c == '-' && !source_.substr(at_).starts_with("--")) return unary(Op::minus, 1);
        if (c == '#') return unary(Op::length, 1);
        if (c == '"' || c == '\'') return text();
        if (c == '[' && at_ + 1 < source_.size() && (source_[at_ + 1] == '[' || source_[at_ + 1] == '=')) {
            return refuse("texts in [[ ]] are not taken in templates; use \" or '");
        }
        if (is_digit(c) || (c == '.' && at_ + 1 < source_.size() && is_digit(source_[at_ + 1]))) return number();
        std::optional<Value> value;
        if (c == '(') {
            ++at_;
            value = expression(0);
            if (value && !take(')')) return refuse_here();
            if (value) value->gives_several = false;
        } else if (is_name_start(c)) {
            value = name();
            if (!value || !value->is_prefix) return value;
        } else {
            return refuse_here();
        }
        return value ? suffixes(*value) : std::nullopt;
    }

    std::optional<Value> constant(TemplateValue::Kind kind, double number) {
        return add({.op = Op::constant, .kind = kind, .number = number}, 1);
    }

    std::optional<Value> name() {
        std::string_view word = peek_name();
        std::size_t start = at_;
        if (word == "not") return unary(Op::negate, word.size());
        at_ += word.size();
        if (word == "nil") return constant(TemplateValue::Kind::nil, 0);
        if (word == "true") return constant(TemplateValue::Kind::boolean, 1);
        if (word == "false") return constant(TemplateValue::Kind::boolean, 0);
        for (const auto& [area, value] : areas) {
            if (word == area) return look_up(value, word);
        }
        if (const Named* function = find_function(global_functions, word)) {
            if (!take('(')) return refuse(fmt::format("{} is a function: it needs an argument in ( )", word));
            return call(*function, start, std::nullopt);
        }
        if (word == "string") return library_call();
        for (std::string_view keyword : other_keywords) {
            if (word == keyword) {
                at_ = start;
                return refuse(fmt::format("'{}' is not taken in templates", word));
            }
        }
        if (word == "and" || word == "or") {
            at_ = start;
            return refuse_here();
        }
        at_ = start;
        return refuse(
            fmt::format("there is no '{}' in templates: they know headers, query_params, uri_captures, shared, "
                        "consumer, string, tostring, tonumber and type",
                        word));
    }

    std::optional<Value> library_call() {
        std::string_view word;
        if (take('.')) {
            skip_blanks();
            word = peek_name();
        }
        const Named* function = find_function(text_functions, word);
        if (function == nullptr) return refuse_function(word);
        std::size_t start = at_;
        at_ += word.size();
        if (!take('(')) return refuse("string functions need their arguments in ( )");
        return call(*function, start, std::nullopt);
    }

    std::nullopt_t refuse_function(std::string_view word) {
        return refuse(
            fmt::format("'{}' is not taken in templates; of strings there are byte, find, gsub, len, lower, "
                        "match, rep, reverse, sub and upper",
                        word));
    }

    // `area.key` and `area[key]`; the area by itself is no value.
    std::optional<Value> look_up(TemplateArea area, std::string_view word) {
        std::size_t key_at = at_;
        std::optional<Value> value;
        if (take('.')) {
            skip_blanks();
            key_at = at_;
            std::string_view key = peek_name();
            if (key.empty()) return refuse_here();
            at_ += key.size();
            value = look_up_name(area, key, key_at);
        } else if (take('[')) {
            skip_blanks();
            key_at = at_;
            std::optional<Value> key = expression(0);
            if (!key) return std::nullopt;
            if (!take(']')) return refuse_here();
            const Node& node = program_.nodes[key->node];
            if (node.op == Op::constant && node.kind == TemplateValue::Kind::text) {
                std::string copy(program_.text(node.offset, node.size));
                value = look_up_name(area, copy, key_at);
            } else {
                value = add({.op = Op::look_up_any, .area = area, .first = key->node}, key->depth + std::size_t{1});
            }
        } else {
            return refuse_at(key_at, fmt::format("{} is a table: say which of it, as in {}.name", word, word));
        }
        if (value) value->is_prefix = true;
        return value;
    }

    std::optional<Value> look_up_name(TemplateArea area, std::string_view key, std::size_t at) {
        if (area == TemplateArea::consumer &&
            std::find(std::begin(consumer_fields), std::end(consumer_fields), key) == std::end(consumer_fields)) {
            return refuse_at(at, "of a consumer there are id, username and custom_id");
        }
        Piece kept = literal(key);
        return add({.op = Op::look_up, .area = area, .offset = kept.offset, .size = kept.size}, 1);
    }

    std::optional<Value> suffixes(Value value) {
        for (;;) {
            skip_blanks();
            std::string_view rest = source_.substr(std::min(at_, source_.size()));
            std::optional<Value> next;
            if (rest.starts_with('.') && !rest.starts_with("..")) {
                ++at_;
                skip_blanks();
                std::string_view key = peek_name();
                if (key.empty()) return refuse_here();
                at_ += key.size();
                next = index(value, text_constant(key));
            } else if (rest.starts_with('[')) {
                ++at_;
                std::optional<Value> key = expression(0);
                if (key && !take(']')) return refuse_here();
                next = index(value, key);
            } else if (rest.starts_with(':')) {
                ++at_;
                next = method(value);
            } else if (rest.starts_with('(')) {
                return refuse("only methods of strings, string.*, tostring, tonumber and type can be called");
            } else if (rest.starts_with('{') || rest.starts_with('"') || rest.starts_with('\'')) {
                return refuse("a call needs its arguments in ( )");
            } else {
                return value;
            }
            if (!next) return std::nullopt;
            value = *next;
        }
    }

    std::optional<Value> index(const Value& value, const std::optional<Value>& key) {
        if (!key) return std::nullopt;
        return add({.op = Op::index, .first = value.node, .second = key->node},
                   std::max(value.depth, key->depth) + std::size_t{1});
    }

    std::optional<Value> method(const Value& receiver) {
        skip_blanks();
        std::string_view word = peek_name();
        const Named* function = find_function(text_functions, word);
        if (function == nullptr) return refuse_function(word);
        std::size_t start = at_;
        at_ += word.size();
        if (!take('(')) return refuse("a method needs its arguments in ( )");
        return call(*function, start, receiver);
    }

    std::optional<Value> call(const Named& function, std::size_t start, const std::optional<Value>& receiver) {
        std::vector<std::uint16_t> nodes;
        std::size_t depth = 0;
        bool gives_several = false;
        if (receiver) {
            nodes.push_back(receiver->node);
            depth = receiver->depth;
        }
        if (!take(')')) {
            do {
                std::optional<Value> argument = expression(0);
                if (!argument) return std::nullopt;
                nodes.push_back(argument->node);
                depth = std::max<std::size_t>(depth, argument->depth);
                gives_several = argument->gives_several;
            } while (take(','));
            if (!take(')')) return refuse_here();
        }
        if (nodes.size() < function.least || nodes.size() > function.most) {
            return refuse_at(start, fmt::format("{} takes {} to {} arguments, the text included; here are {}",
                                                function.name, function.least, function.most, nodes.size()));
        }
        // In Lua the last argument hands on all of its values: x:rep(y:find("a")) would be given three.
        bool drops_them = function.function == Function::to_string || function.function == Function::type;
        if (gives_several && !drops_them) {
            return refuse_at(start, "find, gsub and match give several values: put the call in ( ) to pass the first");
        }
        if (!check_pattern(function, nodes, start)) return std::nullopt;
        Node node{.op = Op::call,
                  .function = function.function,
                  .first = static_cast<std::uint16_t>(program_.arguments.size()),
                  .count = static_cast<std::uint16_t>(nodes.size())};
        program_.arguments.insert(program_.arguments.end(), nodes.begin(), nodes.end());
        std::optional<Value> value = add(node, depth + 1);
        if (value) {
            value->is_prefix = true;
            value->gives_several = function.gives_several;
        }
        return value;
    }

    // A pattern that is written down is checked now, not when a request comes.
    bool check_pattern(const Named& function, const std::vector<std::uint16_t>& nodes, std::size_t start) {
        bool has_pattern = function.function == Function::find || function.function == Function::match ||
                           function.function == Function::gsub;
        if (!has_pattern || (function.function == Function::find && nodes.size() == 4)) return true;
        const Node& node = program_.nodes[nodes[1]];
        if (node.op != Op::constant || node.kind != TemplateValue::Kind::text) return true;
        std::string_view pattern = program_.text(node.offset, node.size);
        std::string_view fault = LuaPattern::fault(pattern);
        if (pattern.size() > Template::max_pattern_bytes) {
            refuse_at(start, fmt::format("a pattern is at most {} bytes long", Template::max_pattern_bytes));
        } else if (!fault.empty()) {
            refuse_at(start, fmt::format("bad pattern: {}", fault));
        }
        return fault_.empty();
    }

    std::optional<Value> text_constant(std::string_view text) {
        Piece kept = literal(text);
        return add({.op = Op::constant, .kind = TemplateValue::Kind::text, .offset = kept.offset, .size = kept.size},
                   1);
    }

    std::optional<Value> number() {
        std::size_t start = at_;
        while (at_ < source_.size() &&
               (is_digit(source_[at_]) || is_name_start(source_[at_]) || source_[at_] == '.' ||
                ((source_[at_] == '+' || source_[at_] == '-') && (source_[at_ - 1] | 0x20) == 'e' &&
                 !source_.substr(start).starts_with("0x") && !source_.substr(start).starts_with("0X")))) {
            ++at_;
        }
        double value = 0;
        if (!read_number(source_.substr(start, at_ - start), value)) return refuse_at(start, "this is not a number");
        return constant(TemplateValue::Kind::number, value);
    }

    std::optional<Value> text() {
        std::size_t start = at_;
        char quote = source_[at_++];
        std::string out;
        while (at_ < source_.size() && source_[at_] != quote) {
            char c = source_[at_++];
            if (c == '\n' || c == '\r') return refuse_at(start, "this text is not closed on its line");
            if (c != '\\') {
                out += c;
            } else if (!escape(out)) {
                return std::nullopt;
            }
        }
        if (at_ >= source_.size()) return refuse_at(start, "this text is not closed");
        ++at_;
        return text_constant(out);
    }

    bool escape(std::string& out) {
        static constexpr std::string_view names = "abfnrtv\\\"'\n";
        static constexpr std::string_view bytes = "\a\b\f\n\r\t\v\\\"'\n";
        std::size_t start = at_ - 1;
        char c = at_ < source_.size() ? source_[at_] : '\0';
        if (std::size_t found = names.find(c); c != '\0' && found != names.npos) {
            out += bytes[found];
            ++at_;
            return true;
        }
        if (!is_digit(c)) {
            refuse_at(start, "this escape is not taken in templates");
            return false;
        }
        unsigned value = 0;
        for (int i = 0; i < 3 && at_ < source_.size() && is_digit(source_[at_]); ++i) {
            value = value * 10 + static_cast<unsigned>(source_[at_++] - '0');
        }
        if (value > 255) {
            refuse_at(start, "an escape is at most \\255");
            return false;
        }
        out += static_cast<char>(value);
        return true;
    }

    std::string_view source_;
    std::size_t at_ = 0;
    std::size_t nesting_ = 0;
    std::string fault_;
    Program program_;
};

}  // namespace

base::Result<Program> compile(std::string_view source) { return Compiler(source).run(); }

bool read_number(std::string_view text, double& number) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    bool is_negative = text.starts_with('-');
    if (is_negative || text.starts_with('+')) text.remove_prefix(1);
    auto format = std::chars_format::general;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        format = std::chars_format::hex;
    }
    // from_chars takes "inf" and "nan" and signs of its own, Lua does not.
    bool is_hex = format == std::chars_format::hex;
    if (text.empty() || !(text[0] == '.' || (is_hex ? http::hex_value(text[0]) >= 0 : is_digit(text[0])))) return false;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, format);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (is_negative) number = -number;
    return true;
}

}  // namespace plugin::template_code
