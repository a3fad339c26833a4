// RequestIds: 32 lower-case hex digits for X-Kong-Request-Id, $request_id and error bodies. One generator per core.
// Promise: no two alike within a core (until 2^64 of them), and 128 random bits between cores and processes. Not a
// secret: who sees one may guess the next.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace observe {

inline constexpr std::size_t request_id_size = 32;

// Fills the span with random bytes. A function pointer, so that the simulated loop brings its own seed.
using Entropy = void (*)(std::span<std::byte> into);
void system_entropy(std::span<std::byte> into);  // getrandom; aborts where the kernel has none

class RequestIds {
  public:
    explicit RequestIds(Entropy entropy = system_entropy);
    RequestIds(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

    // Writes request_id_size characters, no terminator.
    void write(char* at);
    std::array<char, request_id_size> next() {
        std::array<char, request_id_size> out;
        write(out.data());
        return out;
    }

  private:
    std::uint64_t high_;
    std::uint64_t low_;
};

}  // namespace observe
