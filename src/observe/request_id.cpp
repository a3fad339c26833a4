#include "observe/request_id.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/ensure.h"

namespace observe {

namespace {
constexpr std::uint64_t odd_step = 0x9e3779b97f4a7c15;  // odd, so adding it visits all 2^64 values

// SplitMix64's finisher: one-to-one, so that different counters give different halves.
std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

// "00" to "ff".
constexpr auto hex_pairs = [] {
    constexpr char digits[] = "0123456789abcdef";
    std::array<char, 512> out{};
    for (std::size_t i = 0; i < 256; ++i) {
        out[2 * i] = digits[i >> 4];
        out[2 * i + 1] = digits[i & 15];
    }
    return out;
}();

void write_hex(char* at, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8, at += 2) std::memcpy(at, &hex_pairs[2 * ((value >> shift) & 0xff)], 2);
}
}  // namespace

void system_entropy(std::span<std::byte> into) {
    while (!into.empty()) {
        ssize_t got = ::getrandom(into.data(), into.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        ensure(got > 0, errno);
        into = into.subspan(static_cast<std::size_t>(got));
    }
}

RequestIds::RequestIds(Entropy entropy) {
    std::array<std::uint64_t, 2> seed;
    entropy(std::as_writable_bytes(std::span(seed)));
    high_ = seed[0];
    low_ = seed[1];
}

void RequestIds::write(char* at) {
    high_ += odd_step;
    low_ += odd_step;
    write_hex(at, mixed(high_));
    write_hex(at + 16, mixed(low_));
}

}  // namespace observe
