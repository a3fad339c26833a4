// The binary form of a stored response, as a broken or hostile Redis could give it: see check_binary.
#include <cstddef>
#include <cstdint>

#include "cache/entry_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    cache::check_binary({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
