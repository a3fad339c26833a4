// Requests of a whole connection, head and body: the same verdict however the bytes are split, and whatever is accepted
// is sent on as exactly one message of the same meaning. The first byte is the size of the pieces.
#include <cstddef>
#include <cstdint>

#include "http/http1/requests_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    http1::check_requests({reinterpret_cast<const char*>(bytes) + 1, size - 1}, bytes[0] + std::size_t{1});
    return 0;
}
