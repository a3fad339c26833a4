// UUIDs (RFC 9562) as plain 16-byte values: parsed and printed in the canonical lower-case form, compared as bytes.
// Used for entity ids, which outlive a reload, and by the router, which breaks ties on them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    // 8-4-4-4-12 hexadecimal digits of either case; nothing else.
    static Result<Uuid> parse(std::string_view text);
    [[nodiscard]] std::string text() const;
    // Exactly text_size characters to `out`.
    static constexpr std::size_t text_size = 36;
    void write(char* out) const;
    [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
    auto operator<=>(const Uuid&) const = default;
};

}  // namespace base
