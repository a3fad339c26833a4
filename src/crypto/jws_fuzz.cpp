// A token from anybody: taking it apart is bounded and touches nothing outside it, what came apart says the same when
// it is read again, and no secret but the right one makes a signature of it.
#include <cstddef>
#include <cstdint>

#include "crypto/token_checks_for_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    crypto::check_token_input({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
