#include "route/literal.h"

#include <algorithm>

namespace route {
namespace {

struct Piece {
    enum class Kind : std::uint8_t {
        literal,      // exactly one byte
        other,        // one atom that is no literal: a class, a group, an anchor
        opaque,       // changes or hides the meaning of what follows; the structure can still be read
        alternative,  // '|'
        end,
        unreadable,  // the structure itself is in doubt
    };
    Kind kind = Kind::unreadable;
    char byte = 0;
    bool repeated = false;  // a quantifier follows
    std::size_t begin = 0;
};

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Reads a pattern atom by atom in the grammar that RE2 and PCRE2 share.
class Reader {
  public:
    explicit Reader(std::string_view pattern) : pattern_(pattern) {}

    Piece next() {
        Piece piece;
        piece.begin = at_;
        piece.kind = atom(piece.byte);
        bool is_atom = piece.kind == Kind::literal || piece.kind == Kind::other || piece.kind == Kind::opaque;
        piece.repeated = is_atom && skip_quantifiers();
        return piece;
    }

  private:
    using Kind = Piece::Kind;
    bool done() const { return at_ >= pattern_.size(); }
    bool follows(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

    Kind atom(char& byte) {
        if (done()) return Kind::end;
        char c = pattern_[at_++];
        switch (c) {
            case '\\':
                return escape(byte);
            case '[':
                return skip_class() ? Kind::other : Kind::unreadable;
            case '(':
                return group();
            case '|':
                return Kind::alternative;
            case ')':
            case '*':
            case '+':
            case '?':
                return Kind::unreadable;
            case '.':
            case '^':
            case '$':
            case '{':
                return Kind::other;
            default:
                break;
        }
        if (!is_ascii(c)) return Kind::opaque;  // one character of several bytes: a quantifier would bind to all of it
        byte = c;
        return Kind::literal;
    }

    Kind escape(char& byte) {
        if (done()) return Kind::unreadable;
        char c = pattern_[at_++];
        if (!is_alphanumeric(c) && is_ascii(c)) {
            byte = c;
            return Kind::literal;
        }
        if (c == 'Q' || c == 'E' || c == 'c') return Kind::unreadable;  // quoting; \cX takes any byte
        static constexpr std::string_view whole = "dDwWsSbBAzZnrtf";    // complete without arguments
        return whole.find(c) != whole.npos ? Kind::other : Kind::opaque;
    }

    bool skip_class() {
        if (follows("^")) ++at_;
        if (follows("]")) ++at_;
        while (!done()) {
            char c = pattern_[at_++];
            if (c == ']') return true;
            if (c == '\\') {
                if (done() || pattern_[at_] == 'Q' || pattern_[at_] == 'E' || pattern_[at_] == 'c') return false;
                ++at_;
            } else if (c == '[' && follows(":")) {
                std::size_t close = pattern_.find(":]", at_ + 1);
                // "[[:x]" is not a POSIX class, yet engines differ in how they say so.
                if (close == pattern_.npos) return false;
                std::string_view name = pattern_.substr(at_ + 1, close - at_ - 1);
                if (!std::ranges::all_of(name, [](char n) { return is_alphanumeric(n) || n == '^'; })) return false;
                at_ = close + 2;
            }
        }
        return false;
    }

    // Behind "(". Groups nest in the pattern text, so the depth is counted here rather than by recursion.
    Kind group() {
        std::size_t depth = 1;
        Kind kind = open_group();
        if (kind == Kind::opaque) {
            skip_setting();
            // RE2 lets "a(?i)+" repeat the "a".
            bool repeats = !done() && std::string_view("*+?{").find(pattern_[at_]) != std::string_view::npos;
            return repeats ? Kind::unreadable : Kind::opaque;
        }
        if (kind == Kind::unreadable) return kind;
        char unused = 0;
        while (!done()) {
            char c = pattern_[at_++];
            if (c == ')') {
                if (--depth == 0) return Kind::other;
            } else if (c == '(') {
                Kind inner = open_group();
                if (inner == Kind::unreadable) return inner;
                if (inner == Kind::opaque) {
                    skip_setting();
                } else {
                    ++depth;
                }
            } else if (c == '[') {
                if (!skip_class()) return Kind::unreadable;
            } else if (c == '\\') {
                if (escape(unused) == Kind::unreadable) return Kind::unreadable;
            }
        }
        return Kind::unreadable;
    }

    // other: a group that lasts to its ")"; opaque: a setting such as "(?i)", which ends at the next ")".
    Kind open_group() const {
        if (follows("*")) return Kind::unreadable;  // PCRE2 verbs
        if (!follows("?")) return Kind::other;
        std::size_t at = at_ + 1;
        bool verbose = false;
        while (at < pattern_.size() && (is_alphanumeric(pattern_[at]) || pattern_[at] == '-' || pattern_[at] == '^')) {
            verbose |= pattern_[at] == 'x';
            ++at;
        }
        if (at >= pattern_.size() || follows("?C") || follows("?#")) return Kind::unreadable;
        if (pattern_[at] == ')') return verbose ? Kind::unreadable : Kind::opaque;
        if (pattern_[at] == ':') return verbose ? Kind::unreadable : Kind::other;
        return Kind::other;
    }
    void skip_setting() { at_ = std::min(pattern_.find(')', at_), pattern_.size() - 1) + 1; }

    bool skip_quantifiers() {
        bool any = false;
        while (!done()) {
            char c = pattern_[at_];
            if (c == '*' || c == '+' || c == '?') {
                ++at_;
            } else if (c == '{') {
                std::size_t close = pattern_.find_first_not_of("0123456789, ", at_ + 1);
                bool counted = close != pattern_.npos && pattern_[close] == '}';
                at_ = counted ? close + 1 : at_ + 1;
            } else {
                break;
            }
            any = true;
        }
        return any;
    }

    std::string_view pattern_;
    std::size_t at_ = 0;
};

}  // namespace

LiteralPrefix literal_prefix(std::string_view pattern) {
    LiteralPrefix prefix;
    std::size_t rest = pattern.npos;
    for (Reader reader(pattern);;) {
        Piece piece = reader.next();
        if (piece.kind == Piece::Kind::end) break;
        // With alternatives at the top every branch has its own beginning.
        if (piece.kind == Piece::Kind::alternative || piece.kind == Piece::Kind::unreadable) return {"", pattern};
        if (rest != pattern.npos) continue;
        if (piece.kind == Piece::Kind::literal && !piece.repeated) {
            prefix.text += piece.byte;
        } else {
            rest = piece.begin;
        }
    }
    if (rest != pattern.npos) prefix.rest = pattern.substr(rest);
    return prefix;
}

std::vector<std::string> required_literals(std::string_view pattern) {
    std::vector<std::string> runs;
    std::string run;
    bool readable = true;
    for (Reader reader(pattern);;) {
        Piece piece = reader.next();
        if (piece.kind == Piece::Kind::alternative || piece.kind == Piece::Kind::unreadable) return {};
        if (piece.kind == Piece::Kind::opaque) readable = false;
        if (readable && piece.kind == Piece::Kind::literal && !piece.repeated) {
            run += piece.byte;
            continue;
        }
        if (!run.empty()) runs.push_back(std::move(run));
        run.clear();
        if (piece.kind == Piece::Kind::end) return runs;
    }
}

}  // namespace route
