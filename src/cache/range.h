// A Range answered from a stored complete response (RFC 9110 14): one range of bytes. Several ranges, other units and
// what cannot be read get the whole, as the rule allows. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "http/headers.h"
#include "http/message.h"

namespace cache {

struct RangeChoice {
    enum class Kind : std::uint8_t {
        whole,          // 200
        part,           // 206 with bytes first..last
        unsatisfiable,  // 416
    };
    Kind kind = Kind::whole;
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // inclusive
    [[nodiscard]] std::uint64_t size() const { return last - first + 1; }
};

// For a request answered by a stored response of `status` and `size` bytes. If-Range is judged (RFC 9110 13.1.5).
[[nodiscard]] RangeChoice choose_range(const http::RequestHead& request, int status, const http::Headers& stored,
                                       std::uint64_t size);
// "bytes 0-4/10", or "bytes */10" if unsatisfiable.
[[nodiscard]] std::string content_range(const RangeChoice& choice, std::uint64_t size);

}  // namespace cache
