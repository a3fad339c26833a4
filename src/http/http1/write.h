// Typed heads back to bytes: the one place where HTTP/1 heads and chunk framing are written. Canonical ("name: value",
// CRLF, one Content-Length or Transfer-Encoding written from the framing, never copied), and safe: a field that would
// break the message makes the whole head fail, whoever made it up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/headers.h"
#include "http/message.h"

namespace http1 {

// What stands in place of the received framing fields.
struct Framing {
    http::BodyFraming framing = http::BodyFraming::none;
    // With framing length: the length. With framing none in a response: Content-Length of the body that HEAD or 304
    // leave out, if known.
    std::optional<std::uint64_t> length;

    static Framing none() { return {}; }
    static Framing of_length(std::uint64_t length) { return {http::BodyFraming::length, length}; }
    static Framing chunked() { return {http::BodyFraming::chunked, {}}; }
    static Framing until_close() { return {http::BodyFraming::until_close, {}}; }
};

// Writes one head into memory of the caller. A call that does not fit or would be unsafe writes nothing and spoils the
// writer: finish() then gives 0, so only the end needs checking.
class HeadWriter {
  public:
    explicit HeadWriter(std::span<char> into)
        : start_(into.data()), at_(into.data()), end_(into.data() + into.size()) {}

    void request_line(std::string_view method, std::string_view target);
    // Without `reason` the registered phrase stands there.
    void status_line(int status, std::optional<std::string_view> reason = {});
    // One field; Content-Length and Transfer-Encoding are left out, since framing() writes them.
    void header(const http::Header& header);
    void header(std::string_view name, std::string_view value) {
        header(http::Header{name, value, http::recognise(name)});
    }
    void headers(const http::Headers& headers);
    void framing(const Framing& framing);
    // The last empty line. How many bytes the head has; 0 if anything did not fit or was unsafe.
    [[nodiscard]] std::size_t finish();
    [[nodiscard]] bool failed() const { return failed_; }

  private:
    bool reserve(std::size_t size);

    char* start_;
    char* at_;
    char* end_;
    bool failed_ = false;
};

// Room that is enough for a head with these parts (not more than 64 bytes too much). For fields written with
// HeadWriter::header add field_size of each.
[[nodiscard]] std::size_t request_head_size(std::string_view method, std::string_view target,
                                            const http::Headers& headers);
[[nodiscard]] std::size_t response_head_size(int status, std::optional<std::string_view> reason,
                                             const http::Headers& headers);
[[nodiscard]] constexpr std::size_t field_size(std::string_view name, std::string_view value) {
    return name.size() + value.size() + 4;
}

// A whole head at once; the size, or 0 if it does not fit or is unsafe (a control character or a blank where none may
// be).
[[nodiscard]] std::size_t write_request_head(std::string_view method, std::string_view target,
                                             const http::Headers& headers, const Framing& framing,
                                             std::span<char> into);
// Status 1xx and 204 get no framing field at all (RFC 9110 8.6, RFC 9112 6.1).
[[nodiscard]] std::size_t write_response_head(int status, std::optional<std::string_view> reason,
                                              const http::Headers& headers, const Framing& framing,
                                              std::span<char> into);

// "<hex>\r\n" before a chunk of `size` > 0 bytes; behind them goes chunk_end.
inline constexpr std::size_t chunk_prefix_capacity = 18;
[[nodiscard]] std::string_view write_chunk_prefix(std::uint64_t size, std::span<char, chunk_prefix_capacity> into);
inline constexpr std::string_view chunk_end = "\r\n";

// The end of a chunked body without trailers; with them: last_chunk_size bytes of room, the size written or 0 as above.
// Fields that may not stand in a trailer section are left out.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
[[nodiscard]] std::size_t last_chunk_size(const http::Headers& trailers);
[[nodiscard]] std::size_t write_last_chunk(const http::Headers& trailers, std::span<char> into);

}  // namespace http1
