// Field lines (RFC 9112 5) and the framing fields (RFC 9112 6): what request heads, response heads and trailer sections
// have in common. For the parsers of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/headers.h"
#include "http/http1/fault.h"

namespace http1 {

struct FieldLimits {
    std::size_t line = 0;
    std::size_t count = 0;
    Fault too_many = Fault::too_many_headers;
};

// Reads field lines up to and with the empty line that must end `lines`, and adds them to `out`. `repeated` gets the
// bit of every known name that came more than once.
[[nodiscard]] Fault parse_fields(std::string_view lines, const FieldLimits& limits, http::Headers& out,
                                 std::uint64_t& repeated);

// RFC 9110 8.6: 1*DIGIT. Nothing if it is not that, or not below 2^59 (half an exbibyte).
[[nodiscard]] std::optional<std::uint64_t> parse_content_length(std::string_view value);

// Is Transfer-Encoding exactly one `chunked`? Else why not: unsupported_transfer_encoding for well-formed lists that
// end the message somewhere else or need a coding that we do not speak, bad_transfer_encoding for the rest.
[[nodiscard]] Fault check_transfer_encoding(const http::Headers& headers);

}  // namespace http1
