// Key sets from a server that may be anybody's: parsing refuses or gives a bounded set.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ensure.h"
#include "crypto/jwks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto keys = crypto::KeySet::parse({reinterpret_cast<const char*>(data), size});
    if (!keys) return 0;
    ensure(keys->size() <= crypto::KeySetRules().most_keys);
    (void)keys->find("a", crypto::Algorithm::rs256);
    return 0;
}
