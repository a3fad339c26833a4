// The first bytes of a connection that a proxy carries on.
#include <cstddef>
#include <cstdint>

#include "net/proxy_header_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    net::check_proxy_header({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
