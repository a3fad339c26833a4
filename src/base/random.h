// Random: a small, fast generator, one per core or per test, so that a seed repeats a run. Not for secrets.
#pragma once

#include <cstdint>

#include "base/hash.h"

namespace base {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(mixed(seed + 1)) {}

    std::uint64_t next() { return mixed(state_ += 0x9e3779b97f4a7c15U); }
    // Uniform in [0, limit) but for a bias below limit / 2^32; limit > 0.
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(((next() >> 32) * limit) >> 32); }
    // Uniform in [0, 1).
    double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  private:
    std::uint64_t state_;
};

}  // namespace base
