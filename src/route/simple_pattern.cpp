#include "route/simple_pattern.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace route {
namespace {

constexpr std::uint8_t unbounded = 255;  // of a repetition; counts are below
constexpr unsigned max_count = 250;
constexpr std::size_t max_literal = 255;

// ASCII characters by bit; all others together.
struct Class {
    std::array<std::uint64_t, 2> ascii{};
    bool beyond_ascii = false;

    void add(unsigned char c) { ascii[c / 64] |= std::uint64_t{1} << (c % 64); }
    void add(unsigned char first, unsigned char last) {
        for (unsigned c = first; c <= last; ++c) add(static_cast<unsigned char>(c));
    }
    void add(const Class& other) {
        for (std::size_t i = 0; i < ascii.size(); ++i) ascii[i] |= other.ascii[i];
        beyond_ascii |= other.beyond_ascii;
    }
    void invert() {
        for (std::uint64_t& half : ascii) half = ~half;
        beyond_ascii = !beyond_ascii;
    }
    [[nodiscard]] bool has(unsigned char c) const {
        return c < 0x80 ? (ascii[c / 64] >> (c % 64) & 1) != 0 : beyond_ascii;
    }
    [[nodiscard]] bool meets(const Class& other) const {
        return (ascii[0] & other.ascii[0]) != 0 || (ascii[1] & other.ascii[1]) != 0 ||
               (beyond_ascii && other.beyond_ascii);
    }
};

enum class Op : char { literal, repeat, open, close, end };

// While compiling. The program has: literal: length, bytes; repeat: class, minimum, maximum; open and close: group.
struct Step {
    Op op;
    Class accepted{};  // literal, repeat
    std::uint8_t minimum = 1;
    std::uint8_t maximum = 1;
    std::uint8_t group = 0;
    char byte = 0;  // literal
    [[nodiscard]] bool takes_text() const { return op == Op::literal || op == Op::repeat; }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c) || c == '_'; }
bool is_printable(char c) { return c > ' ' && c < 0x7f; }

// \d, \w, \s and their opposites, as RE2 and Perl have them in ASCII.
bool shorthand(char letter, Class& out) {
    Class found;
    switch (letter | 0x20) {
        case 'd':
            found.add('0', '9');
            break;
        case 'w':
            found.add('0', '9');
            found.add('a', 'z');
            found.add('A', 'Z');
            found.add('_');
            break;
        case 's':
            for (char c : {'\t', '\n', '\f', '\r', ' '}) found.add(static_cast<unsigned char>(c));
            break;
        default:
            return false;
    }
    if (letter < 'a') found.invert();
    out.add(found);
    return true;
}

class Compiler {
  public:
    Compiler(std::string_view pattern, std::vector<CaptureName>& names) : pattern_(pattern), names_(names) {}

    bool run() {
        while (!done()) {
            if (!step()) return false;
        }
        return open_groups_.empty() && every_repetition_ends_by_itself();
    }
    [[nodiscard]] std::string program() const;
    [[nodiscard]] std::size_t groups() const { return groups_; }

  private:
    static constexpr std::uint8_t no_capture = 0;
    bool done() const { return at_ >= pattern_.size(); }
    bool follows(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

    bool step() {
        char c = pattern_[at_++];
        switch (c) {
            case '(':
                return open_group();
            case ')':
                return close_group();
            case '$':
                steps_.push_back({.op = Op::end});
                return done();
            case '.': {
                Class any;
                any.add('\n');
                any.invert();
                return push_class(any);
            }
            case '[':
                return bracket();
            case '\\':
                return escape();
            case '|':
            case '^':
            case '*':
            case '+':
            case '?':
            case '{':
            case '}':
            case ']':
                return false;
            default:
                return is_printable(c) && push_literal(c);
        }
    }

    bool escape() {
        if (done()) return false;
        char c = pattern_[at_++];
        Class found;
        if (shorthand(c, found)) return push_class(found);
        return is_printable(c) && !is_digit(c) && !is_letter(c) && push_literal(c);
    }

    bool push_literal(char c) {
        Step step{.op = Op::literal, .byte = c};
        step.accepted.add(static_cast<unsigned char>(c));
        return push(step);
    }
    bool push_class(const Class& accepted) { return push({.op = Op::repeat, .accepted = accepted}); }
    bool push(Step step) {
        bool repeated = false;
        if (!quantifier(step, repeated)) return false;
        if (repeated) step.op = Op::repeat;
        steps_.push_back(step);
        return true;
    }

    // False for what only a general engine does: lazy, possessive, doubled or very large.
    bool quantifier(Step& step, bool& repeated) {
        if (done()) return true;
        char c = pattern_[at_];
        if (c == '*' || c == '+' || c == '?') {
            ++at_;
            step.minimum = c == '+' ? 1 : 0;
            step.maximum = c == '?' ? 1 : unbounded;
        } else if (c == '{') {
            ++at_;
            if (!counts(step)) return false;
        } else {
            return true;
        }
        repeated = true;
        return done() || std::string_view("*+?{").find(pattern_[at_]) == std::string_view::npos;
    }
    bool counts(Step& step) {
        unsigned minimum = 0;
        if (!number(minimum)) return false;
        unsigned maximum = minimum;
        if (follows(",")) {
            ++at_;
            if (follows("}")) {
                maximum = unbounded;
            } else if (!number(maximum)) {
                return false;
            }
        }
        if (!follows("}") || maximum == 0 || maximum < minimum) return false;
        ++at_;
        step.minimum = static_cast<std::uint8_t>(minimum);
        step.maximum = static_cast<std::uint8_t>(maximum);
        return true;
    }
    bool number(unsigned& value) {
        std::size_t begin = at_;
        for (value = 0; !done() && is_digit(pattern_[at_]) && value <= max_count; ++at_) {
            value = value * 10 + static_cast<unsigned>(pattern_[at_] - '0');
        }
        return at_ != begin && value <= max_count;
    }

    bool bracket() {
        Class accepted;
        bool inverted = follows("^");
        if (inverted) ++at_;
        for (std::size_t begin = at_; !done();) {
            char c = pattern_[at_++];
            if (c == ']') {
                if (at_ - 1 == begin) return false;  // "[]a]": rare, and engines differ
                if (inverted) accepted.invert();
                return push_class(accepted);
            }
            if (c == '\\') {
                if (done()) return false;
                c = pattern_[at_++];
                if (shorthand(c, accepted)) {
                    if (follows("-") && !follows("-]")) return false;
                    continue;
                }
                if (!is_printable(c) || is_digit(c) || is_letter(c)) return false;
            } else if (c == '[' || !is_printable(c) || (c == '-' && at_ - 1 != begin && !follows("]"))) {
                return false;
            }
            if (!follows("-") || follows("-]")) {
                accepted.add(static_cast<unsigned char>(c));
                continue;
            }
            ++at_;
            if (done() || c == '-') return false;
            char last = pattern_[at_++];
            if (!is_word(last) || last < c) return false;
            accepted.add(static_cast<unsigned char>(c), static_cast<unsigned char>(last));
        }
        return false;
    }

    bool open_group() {
        std::uint8_t group = no_capture;
        if (follows("?:")) {
            at_ += 2;
        } else {
            if (follows("?") && !group_name()) return false;
            if (groups_ == max_capture_groups) return false;
            group = static_cast<std::uint8_t>(++groups_);
            if (!name_.empty()) names_.push_back({std::string(std::exchange(name_, {})), group});
            steps_.push_back({.op = Op::open, .group = group});
        }
        open_groups_.push_back(group);
        return true;
    }
    bool group_name() {
        at_ += follows("?P<") ? 3 : follows("?<") ? 2 : pattern_.size();
        if (done()) return false;
        std::size_t close = pattern_.find('>', at_);
        if (close == pattern_.npos || close == at_ || is_digit(pattern_[at_])) return false;
        name_ = pattern_.substr(at_, close - at_);
        at_ = close + 1;
        return std::ranges::all_of(name_, is_word) &&
               std::ranges::none_of(names_, [this](const CaptureName& known) { return known.name == name_; });
    }
    bool close_group() {
        if (open_groups_.empty()) return false;
        std::uint8_t group = open_groups_.back();
        open_groups_.pop_back();
        if (group != no_capture) steps_.push_back({.op = Op::close, .group = group});
        return done() || std::string_view("*+?{").find(pattern_[at_]) == std::string_view::npos;
    }

    // A repetition of open length takes all it can. That is the only way to match if nothing that may follow could have
    // taken any of it.
    [[nodiscard]] bool every_repetition_ends_by_itself() const {
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            if (steps_[i].op != Op::repeat || steps_[i].minimum == steps_[i].maximum) continue;
            for (std::size_t j = i + 1; j < steps_.size(); ++j) {
                if (!steps_[j].takes_text()) continue;
                if (steps_[i].accepted.meets(steps_[j].accepted)) return false;
                if (steps_[j].minimum > 0) break;
            }
        }
        return true;
    }

    std::string_view pattern_;
    std::vector<CaptureName>& names_;
    std::size_t at_ = 0;
    std::size_t groups_ = 0;
    std::string_view name_;
    std::vector<std::uint8_t> open_groups_;
    std::vector<Step> steps_;
};

std::string Compiler::program() const {
    std::string out;
    std::size_t run = 0;  // place of the current literal's length
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const Step& step = steps_[i];
        if (step.op == Op::literal) {
            bool continues =
                i > 0 && steps_[i - 1].op == Op::literal && static_cast<std::uint8_t>(out[run]) < max_literal;
            if (!continues) {
                out += static_cast<char>(Op::literal);
                run = out.size();
                out += '\0';
            }
            out[run] = static_cast<char>(static_cast<std::uint8_t>(out[run]) + 1);
            out += step.byte;
            continue;
        }
        out += static_cast<char>(step.op);
        if (step.op == Op::repeat) {
            out.append(reinterpret_cast<const char*>(step.accepted.ascii.data()), sizeof step.accepted.ascii);
            out += static_cast<char>(step.accepted.beyond_ascii);
            out += static_cast<char>(step.minimum);
            out += static_cast<char>(step.maximum);
        } else if (step.op != Op::end) {
            out += static_cast<char>(step.group);
        }
    }
    out.shrink_to_fit();
    return out;
}

// Length of the character at the start of `text` as RE2's "any character" sees it, 0 if it is none.
std::size_t character_length(std::string_view text) {
    auto lead = static_cast<unsigned char>(text.front());
    std::size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    return length;
}

}  // namespace

std::optional<SimplePattern> SimplePattern::compile(std::string_view pattern, std::vector<CaptureName>& names) {
    Compiler compiler(pattern, names);
    if (!compiler.run()) {
        names.clear();
        return std::nullopt;
    }
    return SimplePattern(compiler.program(), compiler.groups());
}

bool SimplePattern::match(std::string_view text, std::size_t from, Captures* captures) const {
    std::array<std::size_t, max_capture_groups + 1> begins;
    std::size_t at = from;
    for (const char* next = program_.data(); next != program_.data() + program_.size();) {
        switch (static_cast<Op>(*next++)) {
            case Op::literal: {
                std::size_t length = static_cast<std::uint8_t>(*next++);
                if (text.size() - at < length || std::memcmp(text.data() + at, next, length) != 0) return false;
                next += length;
                at += length;
                break;
            }
            case Op::repeat: {
                Class accepted;
                std::memcpy(accepted.ascii.data(), next, sizeof accepted.ascii);
                next += sizeof accepted.ascii;
                accepted.beyond_ascii = *next++ != 0;
                std::size_t minimum = static_cast<std::uint8_t>(*next++);
                std::size_t maximum = static_cast<std::uint8_t>(*next++);
                std::size_t count = 0;
                while (at < text.size() && (count < maximum || maximum == unbounded) &&
                       accepted.has(static_cast<unsigned char>(text[at]))) {
                    std::size_t length = character_length(text.substr(at));
                    if (length == 0) break;
                    at += length;
                    ++count;
                }
                if (count < minimum) return false;
                break;
            }
            case Op::open:
                begins[static_cast<std::uint8_t>(*next++)] = at;
                break;
            case Op::close: {
                std::size_t group = static_cast<std::uint8_t>(*next++);
                if (captures != nullptr) captures->groups[group] = text.substr(begins[group], at - begins[group]);
                break;
            }
            case Op::end:
                if (at != text.size()) return false;
                break;
        }
    }
    if (captures != nullptr) {
        captures->groups[0] = text.substr(from, at - from);
        captures->count = groups_ + 1;
    }
    return true;
}

}  // namespace route
