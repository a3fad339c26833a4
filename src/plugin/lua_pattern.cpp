#include "plugin/lua_pattern.h"

namespace plugin {
namespace {

constexpr char escape = '%';

bool is_between(unsigned char c, unsigned char low, unsigned char high) { return c >= low && c <= high; }
bool is_letter(unsigned char c) { return is_between(c | 0x20, 'a', 'z'); }
bool is_digit(unsigned char c) { return is_between(c, '0', '9'); }
bool is_graphic(unsigned char c) { return is_between(c, 0x21, 0x7e); }

// `name` is the letter behind '%'; one that is no class stands for itself.
bool is_of_class(unsigned char c, unsigned char name) {
    bool is_member = false;
    switch (name | 0x20) {
        case 'a':
            is_member = is_letter(c);
            break;
        case 'c':
            is_member = c < 0x20 || c == 0x7f;
            break;
        case 'd':
            is_member = is_digit(c);
            break;
        case 'g':
            is_member = is_graphic(c);
            break;
        case 'l':
            is_member = is_between(c, 'a', 'z');
            break;
        case 'p':
            is_member = is_graphic(c) && !is_letter(c) && !is_digit(c);
            break;
        case 's':
            is_member = c == ' ' || is_between(c, '\t', '\r');
            break;
        case 'u':
            is_member = is_between(c, 'A', 'Z');
            break;
        case 'w':
            is_member = is_letter(c) || is_digit(c);
            break;
        case 'x':
            is_member = is_digit(c) || is_between(c | 0x20, 'a', 'f');
            break;
        case 'z':
            is_member = c == 0;
            break;
        default:
            return c == name;
    }
    if (!is_letter(name)) return c == name;
    return is_between(name, 'A', 'Z') ? !is_member : is_member;
}

unsigned char byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

LuaPattern::LuaPattern(std::string_view pattern, std::string_view text, std::size_t& steps)
    : pattern_(pattern), text_(text), steps_(steps), anchored_(pattern.starts_with('^')) {}

LuaPattern::Outcome LuaPattern::find(std::size_t from) {
    for (std::size_t at = from; at <= text_.size(); ++at) {
        Outcome outcome = match_at(at);
        if (outcome != Outcome::differs || anchored_) return outcome;
    }
    return Outcome::differs;
}

LuaPattern::Outcome LuaPattern::match_at(std::size_t from) {
    trouble_ = Outcome::matches;
    depth_ = 0;
    count_ = 0;
    std::size_t end = match(from, anchored_ ? 1 : 0);
    if (trouble_ != Outcome::matches) return trouble_;
    if (end == none) return Outcome::differs;
    begin_ = from;
    end_ = end;
    for (std::size_t i = 0; i < count_; ++i) {
        if (groups_[i].length == unclosed) return Outcome::malformed;
    }
    return Outcome::matches;
}

LuaCapture LuaPattern::capture(std::size_t index) const {
    const Group& group = groups_[index];
    if (group.length == position) return {{}, group.begin + 1, true};
    return {text_.substr(group.begin, group.length), 0, false};
}

std::size_t LuaPattern::fail(Outcome why) {
    if (trouble_ == Outcome::matches) trouble_ = why;
    return none;
}

bool LuaPattern::pay() {
    if (steps_ == 0) {
        fail(Outcome::limited);
        return false;
    }
    --steps_;
    return true;
}

std::size_t LuaPattern::match(std::size_t s, std::size_t p) {
    if (depth_ == max_depth) return fail(Outcome::limited);
    ++depth_;
    std::size_t end = none;
    while (pay()) {
        if (p == pattern_.size()) {
            end = s;
            break;
        }
        bool handled = false;
        std::size_t next = match_special(s, p, handled);
        if (handled) {
            // A special item that matched says where; the rest of the pattern was matched by it, or goes on here.
            end = next;
            break;
        }
        std::size_t after = class_end(p);
        if (trouble_ != Outcome::matches) break;
        char repeat = after < pattern_.size() ? pattern_[after] : '\0';
        bool has_repeat = after < pattern_.size();
        if (has_repeat && repeat == '?') {
            if (is_single(s, p, after)) {
                end = match(s + 1, after + 1);
                if (end != none || trouble_ != Outcome::matches) break;
            }
            p = after + 1;
        } else if (has_repeat && repeat == '*') {
            end = expand_most(s, p, after);
            break;
        } else if (has_repeat && repeat == '+') {
            end = is_single(s, p, after) ? expand_most(s + 1, p, after) : none;
            break;
        } else if (has_repeat && repeat == '-') {
            end = expand_least(s, p, after);
            break;
        } else {
            if (!is_single(s, p, after)) break;
            ++s;
            p = after;
        }
    }
    --depth_;
    return trouble_ == Outcome::matches ? end : none;
}

// Items that are not a single character with an optional repetition.
std::size_t LuaPattern::match_special(std::size_t s, std::size_t p, bool& handled) {
    handled = true;
    char c = pattern_[p];
    if (c == '(') {
        bool is_position = p + 1 < pattern_.size() && pattern_[p + 1] == ')';
        return is_position ? open_group(s, p + 2, position) : open_group(s, p + 1, unclosed);
    }
    if (c == ')') return close_group(s, p + 1);
    if (c == '$' && p + 1 == pattern_.size()) return s == text_.size() ? s : none;
    if (c == escape && p + 1 < pattern_.size()) {
        char kind = pattern_[p + 1];
        if (kind == 'b') return match_balance(s, p + 2);
        if (kind == 'f') return match_frontier(s, p + 2);
        if (is_digit(static_cast<unsigned char>(kind))) return match_back_reference(s, p);
    }
    handled = false;
    return none;
}

std::size_t LuaPattern::expand_most(std::size_t s, std::size_t p, std::size_t after) {
    std::size_t count = 0;
    while (is_single(s + count, p, after)) {
        if (!pay()) return none;
        ++count;
    }
    for (;;) {
        std::size_t end = match(s + count, after + 1);
        if (end != none || trouble_ != Outcome::matches || count == 0) return end;
        --count;
    }
}

std::size_t LuaPattern::expand_least(std::size_t s, std::size_t p, std::size_t after) {
    for (;; ++s) {
        std::size_t end = match(s, after + 1);
        if (end != none || trouble_ != Outcome::matches) return end;
        if (!is_single(s, p, after)) return none;
    }
}

std::size_t LuaPattern::open_group(std::size_t s, std::size_t p, std::size_t kind) {
    if (count_ == max_captures) return fail(Outcome::malformed);
    groups_[count_++] = {s, kind};
    std::size_t end = match(s, p);
    if (end == none) --count_;
    return end;
}

std::size_t LuaPattern::close_group(std::size_t s, std::size_t p) {
    std::size_t index = count_;
    while (index > 0 && groups_[index - 1].length != unclosed) --index;
    if (index == 0) return fail(Outcome::malformed);
    Group& group = groups_[index - 1];
    group.length = s - group.begin;
    std::size_t end = match(s, p);
    if (end == none) group.length = unclosed;
    return end;
}

std::size_t LuaPattern::match_balance(std::size_t s, std::size_t p) {
    if (p + 1 >= pattern_.size()) return fail(Outcome::malformed);
    if (s == text_.size() || text_[s] != pattern_[p]) return none;
    char open = pattern_[p];
    char close = pattern_[p + 1];
    std::size_t nesting = 1;
    for (std::size_t at = s + 1; at < text_.size(); ++at) {
        if (!pay()) return none;
        if (text_[at] == close) {
            if (--nesting == 0) return match(at + 1, p + 2);
        } else if (text_[at] == open) {
            ++nesting;
        }
    }
    return none;
}

std::size_t LuaPattern::match_back_reference(std::size_t s, std::size_t p) {
    std::size_t index = static_cast<std::size_t>(pattern_[p + 1] - '0');
    if (index == 0 || index > count_) return fail(Outcome::malformed);
    const Group& group = groups_[index - 1];
    if (group.length == unclosed || group.length == position) return fail(Outcome::malformed);
    std::string_view wanted = text_.substr(group.begin, group.length);
    std::size_t cost = wanted.size();
    if (cost > steps_) return fail(Outcome::limited);
    steps_ -= cost;
    return text_.substr(s).starts_with(wanted) ? match(s + wanted.size(), p + 2) : none;
}

std::size_t LuaPattern::match_frontier(std::size_t s, std::size_t p) {
    if (p >= pattern_.size() || pattern_[p] != '[') return fail(Outcome::malformed);
    std::size_t after = class_end(p);
    if (trouble_ != Outcome::matches) return none;
    unsigned char before = s == 0 ? 0 : byte(text_, s - 1);
    unsigned char here = s == text_.size() ? 0 : byte(text_, s);
    if (is_in_set(before, p, after - 1) || !is_in_set(here, p, after - 1)) return none;
    return match(s, after);
}

std::size_t LuaPattern::class_end(std::size_t p) {
    char c = pattern_[p++];
    if (c == escape) {
        if (p == pattern_.size()) {
            fail(Outcome::malformed);
            return p;
        }
        return p + 1;
    }
    if (c != '[') return p;
    if (p < pattern_.size() && pattern_[p] == '^') ++p;
    bool is_first = true;
    for (; is_first || p >= pattern_.size() || pattern_[p] != ']'; is_first = false) {
        if (p >= pattern_.size()) {
            fail(Outcome::malformed);
            return p;
        }
        if (pattern_[p++] == escape) ++p;
    }
    return p + 1;
}

bool LuaPattern::is_single(std::size_t s, std::size_t p, std::size_t after) const {
    if (s >= text_.size()) return false;
    unsigned char c = byte(text_, s);
    switch (pattern_[p]) {
        case '.':
            return true;
        case escape:
            return is_of_class(c, byte(pattern_, p + 1));
        case '[':
            return is_in_set(c, p, after - 1);
        default:
            return byte(pattern_, p) == c;
    }
}

// The set of pattern_[p] '[' to pattern_[last] ']'.
bool LuaPattern::is_in_set(unsigned char c, std::size_t p, std::size_t last) const {
    bool wanted = true;
    if (pattern_[p + 1] == '^') {
        wanted = false;
        ++p;
    }
    while (++p < last) {
        if (pattern_[p] == escape) {
            ++p;
            if (is_of_class(c, byte(pattern_, p))) return wanted;
        } else if (p + 2 < last && pattern_[p + 1] == '-') {
            if (is_between(c, byte(pattern_, p), byte(pattern_, p + 2))) return wanted;
            p += 2;
        } else if (byte(pattern_, p) == c) {
            return wanted;
        }
    }
    return !wanted;
}

std::string_view LuaPattern::fault(std::string_view pattern) {
    std::size_t open = 0;
    std::size_t groups = 0;
    std::array<bool, max_captures> closed{};
    std::array<std::size_t, max_captures> stack{};
    std::size_t steps = 0;
    LuaPattern reader(pattern, {}, steps);
    for (std::size_t p = reader.anchored_ ? 1 : 0; p < pattern.size();) {
        char c = pattern[p];
        char kind = p + 1 < pattern.size() ? pattern[p + 1] : '\0';
        if (c == '(') {
            if (groups == max_captures) return "too many captures";
            if (kind == ')') {
                ++groups;
                p += 2;
                continue;
            }
            stack[open++] = groups++;
            ++p;
        } else if (c == ')') {
            if (open == 0) return "a ')' without its '('";
            closed[stack[--open]] = true;
            ++p;
        } else if (c == escape && kind == 'b') {
            if (p + 3 >= pattern.size()) return "%b needs two characters";
            p += 4;
        } else if (c == escape && kind == 'f' && (p + 2 >= pattern.size() || pattern[p + 2] != '[')) {
            return "%f needs a set";
        } else if (c == escape && is_digit(static_cast<unsigned char>(kind))) {
            std::size_t index = static_cast<std::size_t>(kind - '0');
            if (index == 0 || index > groups || !closed[index - 1]) return "%1 to %9 need a closed capture before them";
            p += 2;
        } else {
            if (c == escape && kind == 'f') p += 2;
            p = reader.class_end(p);
            if (reader.trouble_ != Outcome::matches) {
                return c == escape && kind == '\0' ? "ends with '%'" : "a '[' without its ']'";
            }
        }
    }
    return open == 0 ? std::string_view() : "a '(' without its ')'";
}

}  // namespace plugin
