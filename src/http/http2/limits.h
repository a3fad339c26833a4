// Named bounds of one HTTP/2 connection. Nothing in it grows beyond them, whatever the other side sends.
#pragma once

#include <cstdint>

#include "http/http1/limits.h"

namespace http2 {

// What the other side may do `burst` times at once and `per_second` times from then on.
struct Allowance {
    std::uint32_t burst = 0;
    std::uint32_t per_second = 0;
};

struct Limits {
    http1::Limits message;                   // heads and trailers: the same bounds as in HTTP/1, cookie crumbs counted
    std::uint32_t concurrent_streams = 128;  // SETTINGS_MAX_CONCURRENT_STREAMS; more: REFUSED_STREAM
    std::int32_t stream_window = 64 * 1024;  // request body bytes of a stream that nobody has taken yet
    std::int32_t connection_window = 1024 * 1024;  // ... of all streams
    // Streams that end before their answer does, by the client's RST_STREAM (rapid reset) or by ours for its mistake
    // (made-you-reset). Each stream that is answered in full earns one more.
    Allowance resets{200, 20};
    // Frames that carry nothing: SETTINGS, PING, PRIORITY, PRIORITY_UPDATE, empty DATA, unknown types.
    Allowance idle_frames{1000, 100};
    // WINDOW_UPDATE; each DATA frame of ours earns four more.
    Allowance window_updates{4000, 1000};
    std::uint32_t continuations = 8;     // CONTINUATION frames of one header block
    std::uint32_t queued_answers = 100;  // acknowledgements of PING and SETTINGS that the client does not take
    std::uint32_t queued_frames = 2000;  // frames of any kind but DATA that it does not take
    std::uint8_t interim_heads = 32;     // 1xx of one stream, from an upstream
};

// Of connections to upstreams.
[[nodiscard]] constexpr Limits upstream_limits(const http1::Limits& message) {
    Limits out;
    out.message = message;
    out.concurrent_streams = 100;  // of ours, on one connection
    // Whole answers may wait for slow clients without holding up the other streams: the connection's window is as large
    // as all of theirs together.
    out.stream_window = 128 * 1024;
    out.connection_window = 100 * 128 * 1024;
    return out;
}

}  // namespace http2
