// WallClock: how this folder learns the time of day. A function pointer, so that tests and the simulated loop replace
// it.
#pragma once

#include <chrono>

namespace observe {

using WallTime = std::chrono::system_clock::time_point;
using WallClock = WallTime (*)();

inline WallTime system_wall_clock() { return std::chrono::system_clock::now(); }

}  // namespace observe
