#include "plugin/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "http/characters.h"
#include "plugin/lua_pattern.h"
#include "plugin/template_code.h"

namespace plugin {
namespace {

using template_code::Function;
using template_code::Node;
using template_code::Op;
using template_code::Piece;
using template_code::Program;
using Value = TemplateValue;
using Kind = TemplateValue::Kind;

std::string_view type_name(const Value& value) {
    static constexpr std::string_view names[] = {"nil", "boolean", "number", "string", "table"};
    return names[static_cast<std::size_t>(value.kind)];
}

// Plain copying is cheaper than matching: so many bytes of a replacement cost one step.
constexpr std::size_t bytes_a_step = 16;
constexpr std::string_view separator = ", ";

char* put(char* at, std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

// One rendering. The first fault ends it; every function answers nil from then on.
class Run {
  public:
    Run(const Program& program, const TemplateEnvironment& environment, base::Arena& arena)
        : program_(program), environment_(environment), arena_(arena) {}

    base::Result<Template::Rendered> render() {
        Template::Rendered rendered;
        if (program_.pieces.size() == 1) {
            rendered.text = piece(program_.pieces[0], rendered.has_nil);
        } else if (!program_.pieces.empty()) {
            std::size_t count = program_.pieces.size();
            auto* parts = static_cast<std::string_view*>(
                arena_.allocate(count * sizeof(std::string_view), alignof(std::string_view)));
            std::size_t size = 0;
            for (std::size_t i = 0; i < count; ++i) {
                parts[i] = piece(program_.pieces[i], rendered.has_nil);
                size += parts[i].size();
            }
            char* start = reserve(size);
            if (start != nullptr) {
                char* at = start;
                for (std::size_t i = 0; i < count; ++i) at = put(at, parts[i]);
                rendered.text = {start, size};
            }
        }
        if (!fault_.empty()) return base::Error::us(limited_ ? base::Code::too_large : base::Code::invalid, fault_);
        return rendered;
    }

  private:
    std::string_view piece(const Piece& piece, bool& has_nil) {
        if (!piece.is_expression) return program_.text(piece.offset, piece.size);
        Value value = evaluate(program_.nodes[piece.node]);
        if (!value.is_true()) has_nil = true;
        return value.is_true() ? text_of(value) : std::string_view();
    }

    Value raise(std::string message) {
        if (fault_.empty()) fault_ = std::move(message);
        return {};
    }
    Value reach_limit(std::string message) {
        if (fault_.empty()) limited_ = true;
        return raise(std::move(message));
    }
    [[nodiscard]] bool is_broken() const { return !fault_.empty(); }

    // Room for a text that is made here, or nullptr.
    char* reserve(std::size_t size) {
        if (is_broken()) return nullptr;
        made_ += size;
        if (size > Template::max_text_bytes || made_ > 4 * Template::max_text_bytes) {
            reach_limit(fmt::format("a text of more than {} bytes", Template::max_text_bytes));
            return nullptr;
        }
        return arena_.bytes(size);
    }
    bool pay(std::size_t steps) {
        if (steps > steps_) reach_limit("too many steps");
        if (is_broken()) return false;
        steps_ -= steps;
        return true;
    }

    std::string_view text_of(const Value& value) {
        switch (value.kind) {
            case Kind::nil:
                return "nil";
            case Kind::boolean:
                return value.truth ? "true" : "false";
            case Kind::text:
                return value.text;
            case Kind::number:
                return number_text(value.number);
            case Kind::list:
                return joined(value.items);
        }
        return {};
    }
    // As Lua prints numbers: %.14g.
    std::string_view number_text(double number) {
        char text[32];
        if (std::isnan(number)) return "nan";
        char* end = fmt::format_to_n(text, sizeof text, "{:.14g}", number).out;
        std::string_view shown(text, static_cast<std::size_t>(end - text));
        char* start = reserve(shown.size());
        if (start == nullptr) return {};
        put(start, shown);
        return {start, shown.size()};
    }
    // RFC 9110 5.3: several fields of a name are one with their values joined. (Lua would print a memory address.)
    std::string_view joined(std::span<const Value> items) {
        std::size_t size = items.empty() ? 0 : (items.size() - 1) * separator.size();
        for (const Value& item : items) size += text_of(item).size();
        char* start = reserve(size);
        if (start == nullptr) return {};
        char* at = start;
        for (const Value& item : items) at = put(&item == items.data() ? at : put(at, separator), text_of(item));
        return {start, size};
    }
    std::string_view concatenated(std::string_view a, std::string_view b) {
        if (a.empty()) return b;
        if (b.empty()) return a;
        char* start = reserve(a.size() + b.size());
        if (start == nullptr) return {};
        put(put(start, a), b);
        return {start, a.size() + b.size()};
    }

    Value evaluate(const Node& node) {
        if (is_broken()) return {};
        switch (node.op) {
            case Op::constant:
                return constant(node);
            case Op::look_up:
                return look_up(node.area, {.name = program_.text(node.offset, node.size)});
            case Op::look_up_any:
                return look_up_any(node.area, child(node.first));
            case Op::index:
                return index(child(node.first), child(node.second));
            case Op::both: {
                Value left = child(node.first);
                return left.is_true() ? child(node.second) : left;
            }
            case Op::either: {
                Value left = child(node.first);
                return left.is_true() ? left : child(node.second);
            }
            case Op::negate:
                return Value::of_truth(!child(node.first).is_true());
            case Op::equal:
                return Value::of_truth(are_equal(child(node.first), child(node.second)));
            case Op::unequal:
                return Value::of_truth(!are_equal(child(node.first), child(node.second)));
            case Op::less:
            case Op::at_most:
                return compare(node.op, child(node.first), child(node.second));
            case Op::concatenate:
                return concatenate(child(node.first), child(node.second));
            case Op::length:
                return length(child(node.first));
            case Op::minus: {
                double number = 0;
                if (!take_number(child(node.first), number)) return {};
                return Value::of(-number);
            }
            case Op::call:
                return call(node);
            default:
                return calculate(node.op, child(node.first), child(node.second));
        }
    }
    Value child(std::uint16_t index) { return evaluate(program_.nodes[index]); }

    [[nodiscard]] Value constant(const Node& node) const {
        switch (node.kind) {
            case Kind::boolean:
                return Value::of_truth(node.number != 0);
            case Kind::number:
                return Value::of(node.number);
            case Kind::text:
                return Value::of(program_.text(node.offset, node.size));
            default:
                return {};
        }
    }

    Value look_up(TemplateArea area, TemplateKey key) {
        Value value = environment_.find(area, key, arena_);
        if (!value.is_nil() || area != TemplateArea::headers || key.name.find('_') == key.name.npos) return value;
        char* start = reserve(key.name.size());
        if (start == nullptr) return {};
        std::replace_copy(key.name.begin(), key.name.end(), start, '_', '-');
        return environment_.find(area, {.name = {start, key.name.size()}}, arena_);
    }
    Value look_up_any(TemplateArea area, const Value& key) {
        if (key.kind == Kind::text) return look_up(area, {.name = key.text});
        if (key.kind != Kind::number || !(key.number >= 0 && key.number < 1e6)) return {};
        auto index = static_cast<std::size_t>(key.number);
        if (static_cast<double>(index) != key.number) return {};
        return environment_.find(area, {.index = index, .is_index = true}, arena_);
    }
    Value index(const Value& value, const Value& key) {
        if (value.kind == Kind::text) return {};  // its fields are functions, which are no values here
        if (value.kind != Kind::list) return raise(fmt::format("attempt to index a {} value", type_name(value)));
        if (key.kind != Kind::number || !(key.number >= 1) || key.number > static_cast<double>(value.items.size())) {
            return {};
        }
        auto position = static_cast<std::size_t>(key.number);
        return static_cast<double>(position) == key.number ? value.items[position - 1] : Value{};
    }

    static bool are_equal(const Value& a, const Value& b) {
        if (a.kind != b.kind) return false;
        switch (a.kind) {
            case Kind::nil:
                return true;
            case Kind::boolean:
                return a.truth == b.truth;
            case Kind::number:
                return a.number == b.number;
            case Kind::text:
                return a.text == b.text;
            case Kind::list:
                return a.items.data() == b.items.data();
        }
        return false;
    }
    Value compare(Op op, const Value& a, const Value& b) {
        if (a.kind == Kind::number && b.kind == Kind::number) {
            return Value::of_truth(op == Op::less ? a.number < b.number : a.number <= b.number);
        }
        if (a.kind == Kind::text && b.kind == Kind::text) {
            return Value::of_truth(op == Op::less ? a.text < b.text : a.text <= b.text);
        }
        return raise(fmt::format("attempt to compare {} with {}", type_name(a), type_name(b)));
    }
    Value concatenate(const Value& a, const Value& b) {
        for (const Value* value : {&a, &b}) {
            if (value->kind != Kind::text && value->kind != Kind::number) {
                return raise(fmt::format("attempt to concatenate a {} value", type_name(*value)));
            }
        }
        return Value::of(concatenated(text_of(a), text_of(b)));
    }
    Value length(const Value& value) {
        if (value.kind == Kind::text) return Value::of(static_cast<double>(value.text.size()));
        if (value.kind == Kind::list) return Value::of(static_cast<double>(value.items.size()));
        return raise(fmt::format("attempt to get length of a {} value", type_name(value)));
    }
    bool take_number(const Value& value, double& number) {
        if (value.kind == Kind::number) {
            number = value.number;
            return true;
        }
        if (value.kind == Kind::text && template_code::read_number(value.text, number)) return true;
        raise(fmt::format("attempt to perform arithmetic on a {} value", type_name(value)));
        return false;
    }
    Value calculate(Op op, const Value& left, const Value& right) {
        double a = 0;
        double b = 0;
        if (!take_number(left, a) || !take_number(right, b)) return {};
        switch (op) {
            case Op::add:
                return Value::of(a + b);
            case Op::subtract:
                return Value::of(a - b);
            case Op::multiply:
                return Value::of(a * b);
            case Op::divide:
                return Value::of(a / b);
            case Op::modulo:
                return Value::of(a - std::floor(a / b) * b);
            default:
                return Value::of(std::pow(a, b));
        }
    }

    [[nodiscard]] Value argument(const Node& call, std::size_t index) {
        return index < call.count ? child(program_.arguments[call.first + index]) : Value{};
    }
    // Lua takes numbers where it wants a text.
    std::string_view text_argument(const Node& call, std::size_t index) {
        Value value = argument(call, index);
        if (value.kind == Kind::text || value.kind == Kind::number) return text_of(value);
        raise(fmt::format("string expected, got {}", type_name(value)));
        return {};
    }
    // A whole number, cut to what no text is long enough for.
    std::int64_t number_argument(const Node& call, std::size_t index, std::int64_t missing) {
        constexpr double far = 1e9;
        Value value = argument(call, index);
        if (value.is_nil()) return missing;
        double number = 0;
        if (!take_number(value, number) || std::isnan(number)) return missing;
        return static_cast<std::int64_t>(std::clamp(number, -far, far));
    }
    // Where a position counted from 1, or from the end if negative, lies in a text.
    static std::int64_t position(std::int64_t at, std::size_t size) {
        return at >= 0 ? at : std::max<std::int64_t>(static_cast<std::int64_t>(size) + at + 1, 0);
    }

    Value call(const Node& node) {
        switch (node.function) {
            case Function::type:
                return Value::of(type_name(argument(node, 0)));
            case Function::to_string:
                return Value::of(text_of(argument(node, 0)));
            case Function::to_number: {
                Value value = argument(node, 0);
                double number = 0;
                if (value.kind == Kind::number) return value;
                bool is_number = value.kind == Kind::text && template_code::read_number(value.text, number);
                return is_number ? Value::of(number) : Value{};
            }
            default:
                break;
        }
        std::string_view text = text_argument(node, 0);
        if (is_broken()) return {};
        switch (node.function) {
            case Function::sub:
                return Value::of(sub(text, number_argument(node, 1, 1), number_argument(node, 2, -1)));
            case Function::len:
                return Value::of(static_cast<double>(text.size()));
            case Function::byte: {
                std::string_view one = byte_at(text, number_argument(node, 1, 1));
                return one.empty() ? Value{} : Value::of(static_cast<double>(static_cast<unsigned char>(one[0])));
            }
            case Function::upper:
            case Function::lower:
            case Function::reverse:
                return changed(node.function, text);
            case Function::rep:
                return repeated(text, number_argument(node, 1, 0));
            case Function::gsub:
                return replaced(node, text);
            default:
                return found(node, text);
        }
    }

    static std::string_view sub(std::string_view text, std::int64_t from, std::int64_t to) {
        from = std::max<std::int64_t>(position(from, text.size()), 1);
        to = std::min(position(to, text.size()), static_cast<std::int64_t>(text.size()));
        if (from > to) return {};
        return text.substr(static_cast<std::size_t>(from - 1), static_cast<std::size_t>(to - from + 1));
    }
    static std::string_view byte_at(std::string_view text, std::int64_t at) {
        at = position(at, text.size());
        return at == 0 ? std::string_view() : sub(text, at, at);
    }

    Value changed(Function function, std::string_view text) {
        char* start = reserve(text.size());
        if (start == nullptr) return {};
        for (std::size_t i = 0; i < text.size(); ++i) {
            char c = text[i];
            if (function == Function::reverse) c = text[text.size() - 1 - i];
            if (function == Function::lower) c = http::lower(c);
            if (function == Function::upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 0x20);
            start[i] = c;
        }
        return Value::of(std::string_view(start, text.size()));
    }

    Value repeated(std::string_view text, std::int64_t count) {
        if (count <= 0 || text.empty()) return Value::of(std::string_view());
        if (static_cast<std::uint64_t>(count) > Template::max_text_bytes) count = Template::max_text_bytes + 1;
        std::size_t size = text.size() * static_cast<std::size_t>(count);
        char* start = reserve(size);
        if (start == nullptr) return {};
        for (char* at = start; at < start + size;) at = put(at, text);
        return Value::of(std::string_view(start, size));
    }

    std::string_view pattern_argument(const Node& call) {
        std::string_view pattern = text_argument(call, 1);
        if (pattern.size() > Template::max_pattern_bytes) {
            reach_limit(fmt::format("a pattern of more than {} bytes", Template::max_pattern_bytes));
        }
        return pattern;
    }
    bool is_match(LuaPattern::Outcome outcome) {
        if (outcome == LuaPattern::Outcome::malformed) raise("malformed pattern");
        if (outcome == LuaPattern::Outcome::limited) reach_limit("too many steps");
        return outcome == LuaPattern::Outcome::matches;
    }
    static Value value_of(const LuaCapture& capture) {
        return capture.is_position ? Value::of(static_cast<double>(capture.position)) : Value::of(capture.text);
    }

    // find and match. Of find's values the first is where the match begins, of match's the first capture or all of it.
    Value found(const Node& call, std::string_view text) {
        std::string_view pattern = pattern_argument(call);
        std::int64_t wanted = number_argument(call, 2, 1);
        bool is_plain = call.function == Function::find && argument(call, 3).is_true();
        if (is_broken()) return {};
        auto from = static_cast<std::size_t>(std::max<std::int64_t>(position(wanted, text.size()) - 1, 0));
        from = std::min(from, text.size());
        if (is_plain) {
            if (!pay(text.size() - from + 1)) return {};
            std::size_t at = text.find(pattern, from);
            return at == text.npos ? Value{} : Value::of(static_cast<double>(at + 1));
        }
        LuaPattern search(pattern, text, steps_);
        if (!is_match(search.find(from))) return {};
        if (call.function == Function::find) return Value::of(static_cast<double>(search.begin() + 1));
        return search.capture_count() == 0 ? Value::of(search.whole()) : value_of(search.capture(0));
    }

    // gsub(text, pattern, replacement[, most]) with a replacement text, in which %0 to %9 are what was captured.
    Value replaced(const Node& call, std::string_view text) {
        std::string_view pattern = pattern_argument(call);
        std::string_view replacement = text_argument(call, 2);
        std::int64_t most = number_argument(call, 3, static_cast<std::int64_t>(text.size()) + 1);
        if (is_broken()) return {};
        LuaPattern search(pattern, text, steps_);
        grown_ = 0;
        room_ = 0;
        std::size_t at = 0;
        for (std::int64_t count = 0; count < most;) {
            LuaPattern::Outcome outcome = search.match_at(at);
            bool matched = is_match(outcome);
            if (is_broken()) return {};
            if (matched) {
                ++count;
                if (!grow_replacement(search, replacement)) return {};
            }
            if (matched && search.end() > at) {
                at = search.end();
            } else if (at < text.size()) {
                if (!grow(text.substr(at++, 1))) return {};
            } else {
                break;
            }
            if (search.is_anchored()) break;
        }
        if (at < text.size() && !grow(text.substr(at))) return {};
        return Value::of(std::string_view(growing_, grown_));
    }
    bool grow(std::string_view text) {
        if (text.size() > room_ - grown_) {
            std::size_t least = grown_ + text.size();
            std::size_t room = std::max(least, std::min(2 * room_ + 64, Template::max_text_bytes));
            char* more = reserve(room);
            if (more == nullptr) return false;
            put(more, {growing_, grown_});
            growing_ = more;
            room_ = room;
        }
        put(growing_ + grown_, text);
        grown_ += text.size();
        return true;
    }
    bool grow_replacement(const LuaPattern& search, std::string_view replacement) {
        if (!pay(replacement.size() / bytes_a_step + 1)) return false;
        for (std::size_t i = 0; i < replacement.size(); ++i) {
            if (replacement[i] != '%') {
                if (!grow(replacement.substr(i, 1))) return false;
                continue;
            }
            char c = ++i < replacement.size() ? replacement[i] : '\0';
            if (c < '0' || c > '9') {
                if (!grow(replacement.substr(std::min(i, replacement.size()), 1))) return false;
                continue;
            }
            auto index = static_cast<std::size_t>(c - '0');
            std::string_view piece;
            if (index == 0 || (index == 1 && search.capture_count() == 0)) {
                piece = search.whole();
            } else if (index <= search.capture_count()) {
                piece = text_of(value_of(search.capture(index - 1)));
            } else {
                raise("invalid capture index in the replacement");
            }
            if (is_broken() || !grow(piece)) return false;
        }
        return true;
    }

    const Program& program_;
    const TemplateEnvironment& environment_;
    base::Arena& arena_;
    std::string fault_;
    bool limited_ = false;
    std::size_t steps_ = Template::max_steps;
    std::size_t made_ = 0;  // bytes of all texts
    char* growing_ = nullptr;
    std::size_t grown_ = 0;
    std::size_t room_ = 0;
};

}  // namespace

Template::Template(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

base::Result<Template> Template::compile(std::string_view source) {
    TRY(program, template_code::compile(source));
    return Template(std::make_unique<const Program>(std::move(program)));
}

base::Result<Template::Rendered> Template::render(const TemplateEnvironment& environment, base::Arena& arena) const {
    return Run(*program_, environment, arena).render();
}

bool Template::is_plain() const {
    return std::none_of(program_->pieces.begin(), program_->pieces.end(),
                        [](const Piece& piece) { return piece.is_expression; });
}

}  // namespace plugin
