// Named bounds of the HTTP/1 codec. Nothing in it grows beyond them, whatever the other side sends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace http1 {

struct Limits {
    std::size_t request_line = 8 * 1024;       // Fault::request_line_too_long (414)
    std::size_t header_line = 8 * 1024;        // one field of a request: Fault::header_line_too_long
    std::size_t header_bytes = 32 * 1024;      // all fields of a request: Fault::headers_too_large
    std::size_t header_count = 1000;           // fields of a request or response: Fault::too_many_headers
    std::size_t response_head = 64 * 1024;     // whole head of a response: Fault::response_head_too_large
    std::size_t leading_empty_lines = 4;       // CRLFs before a request line that are skipped (RFC 9112 2.2)
    std::size_t chunk_line = 4 * 1024;         // size and extensions of one chunk: Fault::chunk_line_too_long
    std::size_t chunk_extensions = 16 * 1024;  // extensions of all chunks of a body: Fault::chunk_extensions_too_large
    std::size_t trailer_bytes = 8 * 1024;      // whole trailer section: Fault::trailers_too_large
    std::size_t trailer_count = 64;            // fields in it: Fault::too_many_trailers
};

}  // namespace http1
