#include "crypto/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

namespace crypto {
namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of a string that mean themselves: printable ASCII but `"` and `\`.
constexpr std::array<bool, 256> plain = [] {
    std::array<bool, 256> out{};
    for (int c = 0x20; c < 0x80; ++c) out[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
    return out;
}();

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char* put_utf8(char* out, std::uint32_t code) {
    auto byte = [&](std::uint32_t value) { *out++ = static_cast<char>(value); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xC0 | code >> 6);
        byte(0x80 | (code & 63));
    } else if (code < 0x10000) {
        byte(0xE0 | code >> 12);
        byte(0x80 | (code >> 6 & 63));
        byte(0x80 | (code & 63));
    } else {
        byte(0xF0 | code >> 18);
        byte(0x80 | (code >> 12 & 63));
        byte(0x80 | (code >> 6 & 63));
        byte(0x80 | (code & 63));
    }
    return out;
}

// Takes one thing after the other from a text; each function says whether it was there and whole.
class Scanner {
  public:
    Scanner(std::string_view text, base::Arena& arena, Object::Unique unique)
        : at_(text.data()), end_(text.data() + text.size()), arena_(arena), unique_(unique) {}

    [[nodiscard]] bool is_at_end() const { return at_ == end_; }
    [[nodiscard]] const char* place() const { return at_; }
    void skip_space() {
        while (at_ != end_ && is_space(*at_)) ++at_;
    }
    [[nodiscard]] bool take(char c) {
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }

    // The decoded text; only checked, and not decoded, where `out` is null.
    [[nodiscard]] bool string(std::string_view* out) {
        if (!take('"')) return false;
        const char* start = at_;
        bool has_escapes = false;
        for (;;) {
            while (at_ != end_ && plain[static_cast<unsigned char>(*at_)]) ++at_;
            if (at_ == end_) return false;
            if (*at_ == '"') break;
            if (*at_ == '\\') {
                has_escapes = true;
                if (std::uint32_t code = 0; !escape(code)) return false;
            } else if (!multibyte()) {
                return false;
            }
        }
        std::string_view raw(start, static_cast<std::size_t>(at_ - start));
        ++at_;
        if (out != nullptr) *out = has_escapes ? decoded(raw) : raw;
        return true;
    }

    [[nodiscard]] bool value(Value& out, std::size_t depth) {
        if (at_ == end_) return false;
        const char* start = at_;
        switch (*at_) {
            case '"':
                out.kind = Value::Kind::string;
                return string(&out.text);
            case '{':
                out.kind = Value::Kind::object;
                if (!nested_object(depth + 1)) return false;
                break;
            case '[':
                out.kind = Value::Kind::array;
                if (!nested_array(depth + 1)) return false;
                break;
            case 't':
                out.kind = Value::Kind::boolean;
                if (!word("true")) return false;
                break;
            case 'f':
                out.kind = Value::Kind::boolean;
                if (!word("false")) return false;
                break;
            case 'n':
                out.kind = Value::Kind::null;
                if (!word("null")) return false;
                break;
            default:
                out.kind = Value::Kind::number;
                if (!number()) return false;
        }
        out.text = {start, static_cast<std::size_t>(at_ - start)};
        return true;
    }

    // The members of an object whose '{' comes next; `member(name, value)` may refuse.
    template <typename Member>
    [[nodiscard]] bool object(std::size_t depth, Member member) {
        if (!take('{')) return false;
        skip_space();
        if (take('}')) return true;
        for (;;) {
            std::string_view name;
            if (!string(&name)) return false;
            skip_space();
            if (!take(':')) return false;
            skip_space();
            if (!member(name, depth)) return false;
            skip_space();
            if (take('}')) return true;
            if (!take(',')) return false;
            skip_space();
        }
    }

  private:
    // A value of which nobody reads anything but, in the end, its JSON text.
    [[nodiscard]] bool unread_value(std::size_t depth) {
        if (at_ != end_ && *at_ == '"') return string(nullptr);
        Value ignored;
        return value(ignored, depth);
    }

    [[nodiscard]] bool nested_object(std::size_t depth) {
        if (depth > Object::deepest) return false;
        if (unique_ == Object::Unique::here) {
            return object(depth, [&](std::string_view, std::size_t inner) { return unread_value(inner); });
        }
        std::array<std::string_view, Object::most_nested_members> names;
        std::size_t count = 0;
        return object(depth, [&](std::string_view name, std::size_t inner) {
            for (std::size_t i = 0; i < count; ++i) {
                if (names[i] == name) return false;
            }
            if (count == names.size()) return false;
            names[count++] = name;
            return unread_value(inner);
        });
    }

    [[nodiscard]] bool nested_array(std::size_t depth) {
        if (depth > Object::deepest || !take('[')) return false;
        skip_space();
        if (take(']')) return true;
        for (;;) {
            if (!unread_value(depth)) return false;
            skip_space();
            if (take(']')) return true;
            if (!take(',')) return false;
            skip_space();
        }
    }

    [[nodiscard]] bool word(std::string_view text) {
        if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) return false;
        at_ += text.size();
        return true;
    }

    [[nodiscard]] bool digits() {
        const char* start = at_;
        while (at_ != end_ && is_digit(*at_)) ++at_;
        return at_ != start;
    }
    [[nodiscard]] bool number() {  // RFC 8259 6
        (void)take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) (void)take('-');
            if (!digits()) return false;
        }
        return true;
    }

    [[nodiscard]] bool four_hex(std::uint32_t& out) {
        if (end_ - at_ < 4) return false;
        out = 0;
        for (int i = 0; i < 4; ++i) {
            int digit = hex_value(*at_++);
            if (digit < 0) return false;
            out = out << 4 | static_cast<std::uint32_t>(digit);
        }
        return true;
    }
    // From the backslash on. Half a surrogate pair is no character (RFC 3629 3), so it is refused.
    [[nodiscard]] bool escape(std::uint32_t& code) {
        ++at_;
        if (at_ == end_) return false;
        switch (*at_++) {
            case '"':
                code = '"';
                return true;
            case '\\':
                code = '\\';
                return true;
            case '/':
                code = '/';
                return true;
            case 'b':
                code = '\b';
                return true;
            case 'f':
                code = '\f';
                return true;
            case 'n':
                code = '\n';
                return true;
            case 'r':
                code = '\r';
                return true;
            case 't':
                code = '\t';
                return true;
            case 'u':
                break;
            default:
                return false;
        }
        if (!four_hex(code)) return false;
        if (code < 0xD800 || code > 0xDFFF) return true;
        std::uint32_t low = 0;
        if (code > 0xDBFF || !take('\\') || !take('u') || !four_hex(low) || low < 0xDC00 || low > 0xDFFF) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        return true;
    }
    // One character of two to four bytes (RFC 3629 4); control characters end up here too, and are refused.
    [[nodiscard]] bool multibyte() {
        auto byte = [&](int index) { return static_cast<unsigned char>(at_[index]); };
        unsigned char lead = byte(0);
        if (lead < 0xC2 || lead > 0xF4) return false;
        int size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        if (end_ - at_ < size) return false;
        unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (byte(1) < lowest || byte(1) > highest) return false;
        for (int i = 2; i < size; ++i) {
            if ((byte(i) & 0xC0) != 0x80) return false;
        }
        at_ += size;
        return true;
    }
    // What a checked string with escapes means: never longer than it is written.
    [[nodiscard]] std::string_view decoded(std::string_view raw) {
        char* start = arena_.bytes(raw.size());
        char* out = start;
        Scanner inside(raw, arena_, unique_);
        while (!inside.is_at_end()) {
            if (*inside.at_ != '\\') {
                *out++ = *inside.at_++;
                continue;
            }
            std::uint32_t code = 0;
            if (!inside.escape(code)) break;  // cannot be: the text was checked
            out = put_utf8(out, code);
        }
        return {start, static_cast<std::size_t>(out - start)};
    }

    const char* at_;
    const char* end_;
    base::Arena& arena_;
    Object::Unique unique_;
};

base::Error malformed() { return base::Error::client(base::Code::malformed, "invalid JSON"); }

}  // namespace

std::optional<double> Value::number() const {
    if (kind != Kind::number) return std::nullopt;
    double out = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

std::optional<std::string_view> Value::string() const {
    return kind == Kind::string ? std::optional(text) : std::nullopt;
}

// Collects the members of the outermost object; grows its array in the arena.
class ObjectReader {
  public:
    explicit ObjectReader(base::Arena& arena) : arena_(arena) {}

    [[nodiscard]] bool add(std::string_view name, const Value& value) {
        for (std::size_t i = 0; i < count_; ++i) {
            if (members_[i].name == name) return false;
        }
        if (count_ == room_ && !grow()) return false;
        members_[count_++] = {name, value};
        return true;
    }
    [[nodiscard]] Object take() const {
        Object out;
        out.members_ = members_;
        out.count_ = count_;
        return out;
    }

  private:
    static constexpr std::uint32_t first_room = 12;  // more than most tokens have
    [[nodiscard]] bool grow() {
        if (room_ >= Object::most_members) return false;
        std::uint32_t room = room_ == 0 ? first_room : std::min<std::uint32_t>(4 * room_, Object::most_members);
        auto* members = static_cast<Object::Member*>(arena_.allocate(room * sizeof(Object::Member)));
        std::uninitialized_copy_n(members_, count_, members);
        members_ = members;
        room_ = room;
        return true;
    }
    base::Arena& arena_;
    Object::Member* members_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t room_ = 0;
};

base::Result<Object> Object::parse(std::string_view text, base::Arena& arena, Unique unique) {
    Scanner scanner(text, arena, unique);
    ObjectReader reader(arena);
    scanner.skip_space();
    bool whole = scanner.object(1, [&](std::string_view name, std::size_t depth) {
        Value value;
        return scanner.value(value, depth) && reader.add(name, value);
    });
    if (!whole) return malformed();
    scanner.skip_space();
    if (!scanner.is_at_end()) return malformed();
    return reader.take();
}

const Value* Object::find(std::string_view name) const {
    for (std::size_t i = 0; i < count_; ++i) {
        if (members_[i].name == name) return &members_[i].value;
    }
    return nullptr;
}

std::optional<std::string_view> Object::string(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr ? value->string() : std::nullopt;
}

std::optional<double> Object::number(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr ? value->number() : std::nullopt;
}

Elements::Elements(const Value& array, base::Arena& arena) : arena_(arena) {
    if (!array.is(Value::Kind::array) || array.text.size() < 2) return;
    rest_ = array.text.substr(1, array.text.size() - 2);
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
}

std::optional<Value> Elements::next() {
    if (rest_.empty()) return std::nullopt;
    Scanner scanner(rest_, arena_, Object::Unique::here);
    Value out;
    bool whole = scanner.value(out, 1);
    scanner.skip_space();
    if (!whole || !(scanner.is_at_end() || scanner.take(','))) {
        rest_ = {};
        return std::nullopt;
    }
    scanner.skip_space();
    rest_.remove_prefix(static_cast<std::size_t>(scanner.place() - rest_.data()));
    return out;
}

}  // namespace crypto
