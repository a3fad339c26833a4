// Any pattern on any text: see check_pattern.
#include <cstddef>
#include <cstdint>

#include "route/pattern_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    route::check_pattern({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
