// Any bytes as the frames of a server's whole HTTP/2 connection; see client_session_for_tests.h. The first byte is the
// size of the pieces.
#include <cstddef>
#include <cstdint>

#include "http/http2/client_session_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    http2::check_client_session({reinterpret_cast<const char*>(bytes) + 1, size - 1}, bytes[0] + std::size_t{1});
    return 0;
}
