// JSON bodies that plugins edit: refused and left alone, or edited to what reads as JSON again.
#include <cstddef>
#include <cstdint>

#include "plugin/json_edit_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    plugin::check_json_edit({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
