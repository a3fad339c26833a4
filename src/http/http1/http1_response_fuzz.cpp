// Responses, head and body: the same verdict however the bytes are split, and what is accepted can be written anew.
// The first byte is the size of the pieces, the second chooses the method of the request.
#include <cstddef>
#include <cstdint>

#include "http/http1/responses_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    http::Method method = bytes[1] % 4 == 0   ? http::Method::head
                          : bytes[1] % 4 == 1 ? http::Method::connect
                                              : http::Method::get;
    http1::check_response({reinterpret_cast<const char*>(bytes) + 2, size - 2}, method, bytes[0] + std::size_t{1});
    return 0;
}
