// Any heads: see check_control.
#include <cstddef>
#include <cstdint>

#include "cache/cache_control_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    cache::check_control({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
