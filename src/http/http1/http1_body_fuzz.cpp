// Bodies: any split of the bytes gives the same content, trailers, end and verdict. The first byte is the size of the
// pieces, the second chooses the framing (and is the length).
#include <cstddef>
#include <cstdint>

#include "http/http1/body_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    http::BodyFraming framing = bytes[1] >= 128 ? http::BodyFraming::chunked : http::BodyFraming::length;
    http1::check_body({reinterpret_cast<const char*>(bytes) + 2, size - 2}, framing, bytes[1],
                      bytes[0] + std::size_t{1});
    return 0;
}
