// Templates of request-transformer: compiled or refused with a reason, rendered within their bounds.
#include <cstddef>
#include <cstdint>

#include "plugin/template_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    plugin::check_template({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
