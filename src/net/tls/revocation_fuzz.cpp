// Answers of whoever sits on the way to an authority, lists, and certificates of clients.
#include <cstddef>
#include <cstdint>

#include "net/tls/revocation_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    net::tls::check_hostile({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
