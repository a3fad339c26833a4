// A key set from an issuer who means us no good, or an answer that is none: bounded, and what is kept can be used.
#include <cstddef>
#include <cstdint>

#include "crypto/token_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    crypto::check_key_set({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
