// Complete HTTP/1 heads to typed heads (RFC 9112 3 to 6, RFC 9110 5 and 7). Strict: a head that two parsers could read
// in two ways is refused. No allocation for up to Headers::inline_capacity fields.
#pragma once

#include <string_view>

#include "http/http1/fault.h"
#include "http/http1/limits.h"
#include "http/message.h"

namespace http1 {

// `head` must be complete, with its last empty line, as HeadScanner gives it. `out` is reset first and its views point
// into `head` (or static text). On a fault `out` holds what had been read and is good for logging only.
[[nodiscard]] Fault parse_request_head(std::string_view head, const Limits& limits, http::RequestHead& out);

// `method` is that of the request which this answers: responses to HEAD have no body, 2xx to CONNECT begin a tunnel.
[[nodiscard]] Fault parse_response_head(std::string_view head, const Limits& limits, http::Method method,
                                        http::ResponseHead& out);

}  // namespace http1
