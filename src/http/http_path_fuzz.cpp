// Normalising a path: idempotent, absolute, free of dot segments, and what is sent of it reads back as the same path.
#include <cstddef>
#include <cstdint>

#include "http/path_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    http::check_path({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
