#include "base/uuid.h"

namespace base {
namespace {

constexpr bool is_dash_place(std::size_t index) { return index == 8 || index == 13 || index == 18 || index == 23; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Error malformed() { return Error::us(Code::invalid, "expected a valid UUID"); }

}  // namespace

Result<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != text_size) return malformed();
    Uuid uuid;
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text_size; ++i) {
        if (is_dash_place(i)) {
            if (text[i] != '-') return malformed();
            continue;
        }
        int digit = hex_digit(text[i]);
        if (digit < 0) return malformed();
        auto& byte = uuid.bytes[digits / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | digit);
        ++digits;
    }
    return uuid;
}

std::string Uuid::text() const {
    std::string out(text_size, '\0');
    write(out.data());
    return out;
}

void Uuid::write(char* out) const {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::size_t at = 0;
    for (std::uint8_t byte : bytes) {
        if (is_dash_place(at)) out[at++] = '-';
        out[at++] = digits[byte >> 4];
        out[at++] = digits[byte & 15];
    }
}

}  // namespace base
