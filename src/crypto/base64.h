// base64 (RFC 4648 4) and base64url (RFC 4648 5), strict: no other characters, no unused bit set, and '=' only where
// the caller lets it be. So a text that decodes is the only one of its bytes (but for optional padding).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"

namespace crypto {

enum class Padding : std::uint8_t { required, forbidden, optional };

// At most this many bytes come out of a text of that size.
constexpr std::size_t decoded_bound(std::size_t text_size) { return text_size / 4 * 3 + 3; }

// Into `out`, which has room for decoded_bound(text.size()); the number of bytes written, or nothing.
[[nodiscard]] std::optional<std::size_t> decode_base64(std::string_view text, Padding padding, char* out);
[[nodiscard]] std::optional<std::size_t> decode_base64url(std::string_view text, Padding padding, char* out);

[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text, Padding padding = Padding::required);
// As in JWS (RFC 7515 2): without padding.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text, Padding padding = Padding::forbidden);
[[nodiscard]] std::optional<std::string_view> decode_base64url(std::string_view text, base::Arena& arena);

[[nodiscard]] std::string base64(std::string_view bytes);     // padded
[[nodiscard]] std::string base64url(std::string_view bytes);  // not padded

}  // namespace crypto
