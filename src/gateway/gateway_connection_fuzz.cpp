// Any bytes as a client's whole connection to a gateway on the simulated loop; see connection_checks_for_tests.h.
#include <cstddef>
#include <cstdint>

#include "gateway/connection_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    gateway::check_connection({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
