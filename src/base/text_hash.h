// TextHash: for tables by text that outsiders fill (identifiers, tokens): seeded anew by each process, so that nobody
// can choose texts that fall into one bucket. Looks up a std::string_view in a table of std::string without a copy.
#pragma once

#include <cstddef>
#include <random>
#include <string_view>

#include "base/hash.h"

namespace base {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash64(text, seed()); }

  private:
    static std::uint64_t seed() {
        static const std::uint64_t value = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
        return value;
    }
};

}  // namespace base
