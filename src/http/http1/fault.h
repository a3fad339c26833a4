// Fault: why bytes are no acceptable HTTP/1 message. The codec names the rule; the dialect may choose another status.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace http1 {

enum class Fault : std::uint8_t {
    none,
    // Not HTTP/1 at all.
    tls_hello,
    http2_preface,
    garbage,
    // Lines.
    bare_cr,
    bare_lf,
    control_character,
    // Request line.
    empty_request_line,
    bad_request_line,
    bad_method,
    bad_target,
    fragment_in_target,
    userinfo_in_target,
    target_form_mismatch,
    missing_version,
    bad_version,
    unsupported_version,
    // Status line.
    bad_status_line,
    // Fields.
    bad_header_name,
    space_before_colon,
    missing_colon,
    folded_header,
    bad_header_value,
    missing_host,
    duplicate_host,
    bad_host,
    bad_connection,
    disguised_framing_field,
    // Framing.
    bad_content_length,
    duplicate_content_length,
    length_and_transfer_encoding,
    bad_transfer_encoding,
    unsupported_transfer_encoding,
    transfer_encoding_in_http10,
    // Bodies.
    bad_chunk_size,
    bad_chunk_extension,
    bad_chunk_end,
    incomplete_body,
    // Limits.
    request_line_too_long,
    header_line_too_long,
    headers_too_large,
    too_many_headers,
    response_head_too_large,
    chunk_line_too_long,
    chunk_extensions_too_large,
    trailers_too_large,
    too_many_trailers,
    count_,
};

// The identifier itself ("bare_lf"), for logs and metrics.
[[nodiscard]] std::string_view name(Fault fault);
// One sentence naming the rule and its source.
[[nodiscard]] std::string_view message(Fault fault);
// What a server answers to a request with that fault (RFC 9110 15); 502 is the caller's choice for responses.
[[nodiscard]] std::uint16_t status(Fault fault);
[[nodiscard]] bool is_limit(Fault fault);

// The fault as an Error of the client (with its status) or of the upstream.
[[nodiscard]] base::Error client_error(Fault fault);
[[nodiscard]] base::Error upstream_error(Fault fault);

}  // namespace http1
