// HTTP/2 frames by hand, for tests that do what no library would: written byte by byte, and read back from what a
// session sends.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http2 {

inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : std::uint8_t {
    data,
    headers,
    priority,
    rst_stream,
    settings,
    push_promise,
    ping,
    goaway,
    window_update,
    continuation,
    priority_update = 16,
};
inline constexpr std::uint8_t end_stream = 1;
inline constexpr std::uint8_t acknowledge = 1;
inline constexpr std::uint8_t end_headers = 4;

inline std::string number(std::uint64_t value, std::size_t bytes) {
    std::string out(bytes, '\0');
    for (std::size_t i = bytes; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 255);
    return out;
}

inline std::string frame(FrameType type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
    return number(payload.size(), 3) + number(static_cast<std::uint8_t>(type), 1) + number(flags, 1) +
           number(stream, 4) + std::string(payload);
}

// HPACK: a literal without indexing and without Huffman code (RFC 7541 6.2.2).
inline std::string hpack_length(std::size_t size) {
    if (size < 127) return number(size, 1);
    std::string out = number(127, 1);
    for (size -= 127; size >= 128; size /= 128) out += number(size % 128 + 128, 1);
    return out + number(size, 1);
}
inline std::string literal(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + hpack_length(name.size()) + std::string(name) + hpack_length(value.size()) +
           std::string(value);
}
using Fields = std::vector<std::pair<std::string, std::string>>;
inline std::string block(const Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) out += literal(name, value);
    return out;
}
inline Fields get_fields(std::string_view path = "/", const Fields& more = {}) {
    Fields out{{":method", "GET"}, {":scheme", "http"}, {":path", std::string(path)}, {":authority", "a.test"}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}
inline std::string get(std::uint32_t stream, std::string_view path = "/", const Fields& more = {}) {
    return frame(FrameType::headers, end_headers | end_stream, stream, block(get_fields(path, more)));
}
inline std::string hello() { return std::string(preface) + frame(FrameType::settings, 0, 0); }
inline std::string rst_stream(std::uint32_t stream, std::uint32_t code = 8) {
    return frame(FrameType::rst_stream, 0, stream, number(code, 4));
}

struct Frame {
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
    [[nodiscard]] std::uint32_t word(std::size_t at) const {
        std::uint32_t out = 0;
        for (std::size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<std::uint8_t>(payload.at(at + i));
        return out;
    }
};

// Takes whole frames off the front of `bytes`.
inline std::vector<Frame> take_frames(std::string& bytes) {
    std::vector<Frame> out;
    std::size_t at = 0;
    auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[at + i])); };
    while (bytes.size() - at >= 9) {
        std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
        if (bytes.size() - at - 9 < size) break;
        Frame one;
        one.type = static_cast<FrameType>(byte(3));
        one.flags = static_cast<std::uint8_t>(byte(4));
        one.stream = (byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)) & 0x7fffffff;
        one.payload = bytes.substr(at + 9, size);
        out.push_back(std::move(one));
        at += 9 + size;
    }
    bytes.erase(0, at);
    return out;
}

}  // namespace http2
