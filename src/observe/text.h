// Text: appends to a fixed piece of memory and stops at its end; the escapes that keep a log line one line.
// Whatever a client sends, what leaves here is printable ASCII (log, combined) or valid UTF-8 JSON. Never allocates.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace observe {

enum class Escape : std::uint8_t {
    log,   // nginx's escape=default: `"`, `\` and everything outside printable ASCII as \xNN
    json,  // RFC 8259 7; bytes that are no UTF-8 become U+FFFD
};

class Text {
  public:
    Text(char* at, std::size_t size) : start_(at), at_(at), end_(at + size) {}

    void put(char byte) {
        if (at_ != end_) *at_++ = byte;
    }
    void put(std::string_view text) {
        std::size_t size = text.size() < room() ? text.size() : room();
        if (size != 0) std::memcpy(at_, text.data(), size);
        at_ += size;
    }
    template <typename Number>
    void number(Number value) {
        auto [end, error] = std::to_chars(at_, end_, value);
        if (error == std::errc()) at_ = end;
    }
    // Three decimals, as nginx prints seconds.
    void seconds(std::int64_t milliseconds);
    void padded(unsigned value, int digits);
    // At most `limit` bytes leave here; where the value had to be cut, "..." says so.
    void escaped(std::string_view text, Escape escape, std::size_t limit);
    // key=value: quoted only if it would be read as something else without.
    void value(std::string_view text, std::size_t limit);

    [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(end_ - at_); }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - start_); }
    [[nodiscard]] std::string_view view() const { return {start_, size()}; }

  private:
    char* start_;
    char* at_;
    char* end_;
};

// `text` as a JSON string with its quotes, of any length.
void put_json_string(std::string& out, std::string_view text);

}  // namespace observe
