#include "plugin/json_edit.h"

#include <bitset>
#include <cstring>
#include <memory>
#include <new>

#include "http/characters.h"

namespace plugin {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads JSON as widely as upstreams might, where that does no harm: control characters in strings, members that stand
// twice, odd numbers. What is refused here goes on unedited, so a client must not be able to hide a member from us.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    [[nodiscard]] const char* at() const { return at_; }
    [[nodiscard]] bool is_done() const { return at_ == end_; }
    [[nodiscard]] char peek() const { return at_ == end_ ? '\0' : *at_; }
    void skip_blanks() {
        while (at_ != end_ && is_blank(*at_)) ++at_;
    }
    bool take(char c) {
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }

    bool string(bool& has_escape) {
        if (!take('"')) return false;
        for (; at_ != end_; ++at_) {
            if (*at_ == '"') {
                ++at_;
                return true;
            }
            if (*at_ != '\\') continue;
            has_escape = true;
            if (++at_ == end_) return false;
            if (*at_ == 'u') {
                if (end_ - at_ < 5) return false;
                for (int i = 1; i <= 4; ++i) {
                    if (http::hex_value(at_[i]) < 0) return false;
                }
                at_ += 4;
            } else if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
                return false;
            }
        }
        return false;
    }

    // Any value, nested ones by a stack of bits (1: in an object).
    bool value() {
        std::bitset<max_json_depth> is_object;
        std::size_t depth = 0;
        for (;;) {
            skip_blanks();
            char c = peek();
            if (c == '{' || c == '[') {
                if (depth == max_json_depth) return false;
                ++at_;
                is_object[depth++] = c == '{';
                skip_blanks();
                if (take(c == '{' ? '}' : ']')) {
                    --depth;
                } else {
                    if (c == '{' && !name()) return false;
                    continue;
                }
            } else if (!scalar()) {
                return false;
            }
            // A value has ended: on to the next one of what it stands in, or out of it.
            for (;; --depth) {
                if (depth == 0) return true;
                skip_blanks();
                if (take(',')) {
                    if (is_object[depth - 1] && !name()) return false;
                    break;
                }
                if (!take(is_object[depth - 1] ? '}' : ']')) return false;
            }
        }
    }

  private:
    bool name() {
        bool has_escape = false;
        skip_blanks();
        if (!string(has_escape)) return false;
        skip_blanks();
        return take(':');
    }
    bool scalar() {
        bool has_escape = false;
        char c = peek();
        if (c == '"') return string(has_escape);
        const char* start = at_;
        while (at_ != end_ && (http::character::is_alphanumeric(*at_) || *at_ == '.' || *at_ == '+' || *at_ == '-')) {
            ++at_;
        }
        std::string_view word(start, static_cast<std::size_t>(at_ - start));
        if (is_digit(c)) return true;
        if (c == '-' || c == '+') word.remove_prefix(1);
        if (c == '-' && !word.empty() && is_digit(word[0])) return true;
        for (std::string_view known : {"true", "false", "null", "nan", "inf", "infinity"}) {
            if (http::equals_ignore_case(word, known)) return true;
        }
        return false;
    }

    const char* at_;
    const char* end_;
};

char* put_utf8(char* at, std::uint32_t code) {
    if (code < 0x80) {
        *at++ = static_cast<char>(code);
    } else if (code < 0x800) {
        *at++ = static_cast<char>(0xc0 | code >> 6);
        *at++ = static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *at++ = static_cast<char>(0xe0 | code >> 12);
        *at++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
        *at++ = static_cast<char>(0x80 | (code & 0x3f));
    } else {
        *at++ = static_cast<char>(0xf0 | code >> 18);
        *at++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
        *at++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
        *at++ = static_cast<char>(0x80 | (code & 0x3f));
    }
    return at;
}

std::uint32_t hex4(const char* at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value * 16 + static_cast<std::uint32_t>(http::hex_value(at[i]));
    return value;
}

// The plain text of a scanned string, given without its quotes. It never gets longer.
std::string_view decode(std::string_view raw, base::Arena& arena) {
    static constexpr std::string_view names = "bfnrt";
    static constexpr std::string_view bytes = "\b\f\n\r\t";
    char* start = arena.bytes(raw.size());
    char* to = start;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '\\') {
            *to++ = raw[i];
            continue;
        }
        char c = raw[++i];
        if (c != 'u') {
            std::size_t found = names.find(c);
            *to++ = found == names.npos ? c : bytes[found];
            continue;
        }
        std::uint32_t code = hex4(raw.data() + i + 1);
        i += 4;
        bool is_high = code >= 0xd800 && code < 0xdc00;
        if (is_high && raw.size() - i > 6 && raw[i + 1] == '\\' && raw[i + 2] == 'u') {
            std::uint32_t low = hex4(raw.data() + i + 3);
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                i += 6;
            }
        }
        to = put_utf8(to, code);
    }
    return {start, static_cast<std::size_t>(to - start)};
}

// A member in pieces: blanks, name with quotes, colon and blanks, value, blanks. An edit exchanges name or value.
struct Member {
    std::string_view lead, raw_name, middle, value, trail;
    std::string_view name;  // plain
    bool is_gone = false;
};

std::string_view between(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

// The object of one text, its members in their order.
class Object {
  public:
    Object(std::string_view text, base::Arena& arena) : text_(text), arena_(arena) {}

    using Outcome = JsonEdited::Outcome;

    // `unchanged` if it could be read.
    Outcome read() {
        Scanner scanner(text_);
        scanner.skip_blanks();
        if (!scanner.take('{')) return scanner.is_done() ? make_empty() : Outcome::refused;
        Scanner inside = scanner;
        scanner.skip_blanks();
        if (scanner.peek() == '}') {
            before_ = between(text_.data(), scanner.at());
        } else {
            scanner = inside;
            before_ = between(text_.data(), scanner.at());
            do {
                if (count_ == max_json_members) return Outcome::too_large;
                Member member;
                if (!read_member(scanner, member)) return Outcome::refused;
                add_member(member);
            } while (scanner.take(','));
        }
        after_ = between(scanner.at(), text_.data() + text_.size());
        if (!scanner.take('}')) return Outcome::refused;
        scanner.skip_blanks();
        return scanner.is_done() ? Outcome::unchanged : Outcome::refused;
    }

    void apply(const JsonEdit& edit) {
        using Kind = JsonEdit::Kind;
        Member* member = edit.kind == Kind::add ? find(edit.name) : find_only(edit.name);
        switch (edit.kind) {
            case Kind::remove:
                if (member != nullptr) remove(*member);
                break;
            case Kind::rename:
                if (member != nullptr && edit.value != edit.name) rename(edit, member);
                break;
            case Kind::replace:
                if (member != nullptr) set_value(*member, edit.value);
                break;
            case Kind::add:
                if (member == nullptr) add_new(edit.name, edit.value);
                break;
            case Kind::append:
                if (member == nullptr) {
                    add_new(edit.name, arena_.join("[", edit.value, "]"));
                } else {
                    append(*member, edit.value);
                }
                break;
        }
    }

    [[nodiscard]] bool is_changed() const { return is_changed_; }

    [[nodiscard]] std::string_view written() const {
        std::size_t size = before_.size() + after_.size();
        for (const Member* member = members_; member != members_ + count_; ++member) size += size_of(*member) + 1;
        char* start = arena_.bytes(size);
        char* at = put(start, before_);
        bool is_first = true;
        for (const Member* member = members_; member != members_ + count_; ++member) {
            if (member->is_gone) continue;
            if (!is_first) *at++ = ',';
            is_first = false;
            for (std::string_view part :
                 {member->lead, member->raw_name, member->middle, member->value, member->trail}) {
                at = put(at, part);
            }
        }
        at = put(at, after_);
        return {start, static_cast<std::size_t>(at - start)};
    }

  private:
    static char* put(char* at, std::string_view text) {
        if (!text.empty()) std::memcpy(at, text.data(), text.size());
        return at + text.size();
    }
    static std::size_t size_of(const Member& member) {
        return member.lead.size() + member.raw_name.size() + member.middle.size() + member.value.size() +
               member.trail.size();
    }

    Outcome make_empty() {
        if (!text_.empty()) return Outcome::refused;  // blanks alone are no JSON
        before_ = "{";
        after_ = "}";
        return Outcome::unchanged;
    }

    bool read_member(Scanner& scanner, Member& member) {
        const char* lead_at = scanner.at();
        scanner.skip_blanks();
        const char* name_at = scanner.at();
        bool has_escape = false;
        if (!scanner.string(has_escape)) return false;
        const char* middle_at = scanner.at();
        scanner.skip_blanks();
        if (!scanner.take(':')) return false;
        scanner.skip_blanks();
        const char* value_at = scanner.at();
        if (!scanner.value()) return false;
        const char* trail_at = scanner.at();
        scanner.skip_blanks();
        member.lead = between(lead_at, name_at);
        member.raw_name = between(name_at, middle_at);
        member.middle = between(middle_at, value_at);
        member.value = between(value_at, trail_at);
        member.trail = between(trail_at, scanner.at());
        member.name = member.raw_name.substr(1, member.raw_name.size() - 2);
        if (has_escape) member.name = decode(member.name, arena_);
        return true;
    }

    void add_member(const Member& member) {
        if (count_ == capacity_) {
            capacity_ = capacity_ == 0 ? 16 : capacity_ * 2;
            auto* more = static_cast<Member*>(arena_.allocate(capacity_ * sizeof(Member), alignof(Member)));
            std::uninitialized_copy(members_, members_ + count_, more);
            members_ = more;
        }
        new (members_ + count_++) Member(member);
    }
    void add_new(std::string_view name, std::string_view value) {
        is_changed_ = true;
        add_member({.raw_name = json_text(name, arena_), .middle = ":", .value = value, .name = name});
    }

    // The last member of that name.
    Member* find(std::string_view name) {
        for (std::size_t i = count_; i > 0; --i) {
            Member& member = members_[i - 1];
            if (!member.is_gone && member.name == name) return &member;
        }
        return nullptr;
    }
    // The same; others of the name go.
    Member* find_only(std::string_view name) {
        Member* last = find(name);
        for (Member* member = members_; last != nullptr && member != last; ++member) {
            if (!member->is_gone && member->name == name) remove(*member);
        }
        return last;
    }

    void remove(Member& member) {
        is_changed_ = true;
        member.is_gone = true;
    }
    void rename(const JsonEdit& edit, Member* member) {
        if (Member* other = find_only(edit.value)) remove(*other);
        is_changed_ = true;
        member->name = edit.value;
        member->raw_name = json_text(edit.value, arena_);
    }
    void set_value(Member& member, std::string_view value) {
        if (member.value == value) return;
        is_changed_ = true;
        member.value = value;
    }
    void append(Member& member, std::string_view value) {
        std::string_view old = member.value;
        if (old[0] == '{') return;
        if (old[0] == '"') {
            set_value(member, arena_.join("[", old, ",", value, "]"));
        } else if (old[0] != '[') {
            set_value(member, arena_.join("[", value, "]"));
        } else {
            std::string_view kept = old.substr(0, old.size() - 1);
            bool is_empty = kept.find_first_not_of(" \t\r\n", 1) == kept.npos;
            set_value(member, arena_.join(kept, is_empty ? "" : ",", value, "]"));
        }
    }

    std::string_view text_;
    base::Arena& arena_;
    Member* members_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
    std::string_view before_;  // up to the opening brace; with the blanks of an object without members
    std::string_view after_;   // from the closing brace on
    bool is_changed_ = false;
};

}  // namespace

JsonEdited edit_json(std::string_view text, std::span<const JsonEdit> edits, base::Arena& arena) {
    if (edits.empty()) return {JsonEdited::Outcome::unchanged, text};
    Object object(text, arena);
    JsonEdited::Outcome outcome = object.read();
    if (outcome != JsonEdited::Outcome::unchanged) return {outcome, text};
    for (const JsonEdit& edit : edits) object.apply(edit);
    if (!object.is_changed()) return {JsonEdited::Outcome::unchanged, text};
    return {JsonEdited::Outcome::edited, object.written()};
}

std::string_view json_text(std::string_view text, base::Arena& arena) {
    static constexpr std::string_view digits = "0123456789abcdef";
    static constexpr std::string_view bytes = "\"\\\b\f\n\r\t";
    static constexpr std::string_view names = "\"\\bfnrt";
    char* start = arena.bytes(text.size() * 6 + 2);
    char* at = start;
    *at++ = '"';
    for (char c : text) {
        auto code = static_cast<unsigned char>(c);
        std::size_t found = bytes.find(c);
        if (found != bytes.npos) {
            *at++ = '\\';
            *at++ = names[found];
        } else if (code < 0x20) {
            for (char part : {'\\', 'u', '0', '0', digits[code >> 4], digits[code & 15]}) *at++ = part;
        } else {
            *at++ = c;
        }
    }
    *at++ = '"';
    return {start, static_cast<std::size_t>(at - start)};
}

}  // namespace plugin
