#include "observe/text.h"

namespace observe {

namespace {
constexpr char digits_of[] = "0123456789abcdef";
constexpr std::string_view cut = "...";
constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

// Length of the UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629 4: no overlong forms, no
// surrogates).
std::size_t sequence(std::string_view text) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
        return i < text.size() && byte(i) >= low && byte(i) <= high;
    };
    unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        unsigned low = first == 0xe0 ? 0xa0 : 0x80;
        unsigned high = first == 0xed ? 0x9f : 0xbf;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        unsigned low = first == 0xf0 ? 0x90 : 0x80;
        unsigned high = first == 0xf4 ? 0x8f : 0xbf;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

bool is_plain(char letter) {
    auto byte = static_cast<unsigned char>(letter);
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

// One escaped character; `used` says how much of `text` it stands for.
std::string_view escape_one(std::string_view text, Escape escape, std::size_t& used, char (&buffer)[6]) {
    auto byte = static_cast<unsigned char>(text[0]);
    used = 1;
    if (is_plain(text[0])) return text.substr(0, 1);
    if (escape == Escape::log) {
        buffer[0] = '\\';
        buffer[1] = 'x';
        buffer[2] = digits_of[byte >> 4];
        buffer[3] = digits_of[byte & 15];
        return {buffer, 4};
    }
    if (byte >= 0x80) {
        std::size_t size = sequence(text);
        if (size == 0) return replacement;
        used = size;
        return text.substr(0, size);
    }
    char known = byte == '"' || byte == '\\' ? text[0]
                 : byte == '\n'              ? 'n'
                 : byte == '\r'              ? 'r'
                 : byte == '\t'              ? 't'
                                             : '\0';
    buffer[0] = '\\';
    if (known != '\0') {
        buffer[1] = known;
        return {buffer, 2};
    }
    std::memcpy(buffer + 1, "u00", 3);
    buffer[4] = digits_of[byte >> 4];
    buffer[5] = digits_of[byte & 15];
    return {buffer, 6};
}
}  // namespace

void Text::seconds(std::int64_t milliseconds) {
    if (milliseconds < 0) milliseconds = 0;
    number(milliseconds / 1000);
    put('.');
    padded(static_cast<unsigned>(milliseconds % 1000), 3);
}

void Text::padded(unsigned value, int digits) {
    char out[10];
    for (int i = digits; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
    put(std::string_view(out, static_cast<std::size_t>(digits)));
}

void Text::escaped(std::string_view text, Escape escape, std::size_t limit) {
    if (limit > room()) limit = room();
    char* start = at_;
    // Most values are plain from end to end: those go over in one piece.
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    if (plain == text.size() && plain <= limit) return put(text);
    char* fits = at_;  // where "..." can still follow
    char buffer[6];
    while (!text.empty()) {
        std::size_t used = 0;
        std::string_view piece = escape_one(text, escape, used, buffer);
        std::size_t size = static_cast<std::size_t>(at_ - start);
        if (size + piece.size() > limit) {
            at_ = fits;
            put(cut.substr(0, limit));
            return;
        }
        put(piece);
        text.remove_prefix(used);
        if (static_cast<std::size_t>(at_ - start) + cut.size() <= limit) fits = at_;
    }
}

void Text::value(std::string_view text, std::size_t limit) {
    bool plain = !text.empty();
    for (char letter : text)
        if (letter <= ' ' || letter == '"' || letter == '=' || letter == '\\' || letter >= 0x7f) plain = false;
    if (!plain) put('"');
    escaped(text, Escape::log, limit);
    if (!plain) put('"');
}

void put_json_string(std::string& out, std::string_view text) {
    out += '"';
    char buffer[6];
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && is_plain(text[plain])) ++plain;
        out.append(text, 0, plain);
        text.remove_prefix(plain);
        if (text.empty()) break;
        std::size_t used = 0;
        out.append(escape_one(text, Escape::json, used, buffer));
        text.remove_prefix(used);
    }
    out += '"';
}

}  // namespace observe
