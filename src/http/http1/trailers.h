// Which fields may stand in a trailer section: the same answer for reading one and for writing one.
#pragma once

#include "http/headers.h"

namespace http1 {

// RFC 9110 6.5.1 forbids framing, routing, request control, authentication, and what says how to read the content.
// Every name that the gateway itself gives a meaning to is among those or may be, so none of them passes.
[[nodiscard]] constexpr bool is_allowed_in_trailers(const http::Header& field) {
    return field.known == http::Known::none;
}

}  // namespace http1
