// The first bytes of a client on a TLS port that asks some of them for a certificate.
#include <cstddef>
#include <cstdint>

#include "net/tls/client_hello_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    net::tls::check_client_hello({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
