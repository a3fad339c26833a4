// HeadScanner: finds the end of a message head while bytes arrive, looking at each byte once, and refuses early what
// can no longer become a head. It promises that a complete head has CRLF line ends only, no NUL, and lines within the
// limits; parse_request_head and parse_response_head do the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/http1/fault.h"
#include "http/http1/limits.h"

namespace http1 {

enum class MessageKind : std::uint8_t { request, response };

class HeadScanner {
  public:
    enum class State : std::uint8_t { more, complete, fault };

    explicit HeadScanner(MessageKind kind) : kind_(kind) {}

    // `received` is all that came since the head began: the bytes of the last call and more behind them (they may have
    // moved). More bytes than the head are no harm: they stay for the body or the next request.
    [[nodiscard]] State scan(std::string_view received, const Limits& limits);

    // After `complete`: the head with its last empty line; empty lines before it are cut off.
    [[nodiscard]] std::string_view head(std::string_view received) const {
        return received.substr(start_, position_ - start_);
    }
    // After `complete`: how many bytes of `received` are used up.
    [[nodiscard]] std::size_t consumed() const { return position_; }
    // Has anything but empty lines arrived? An idle connection that closes with nothing is no error.
    [[nodiscard]] bool has_begun(std::string_view received) const { return received.size() > start_; }
    [[nodiscard]] Fault fault() const { return fault_; }
    void reset() {
        start_ = line_start_ = fields_start_ = position_ = 0;
        empty_lines_ = 0;
        fault_ = Fault::none;
        begun_ = false;
    }

  private:
    enum class Line : std::uint8_t { next, last, wrong };

    State refuse(Fault fault);
    State skip_empty_lines(std::string_view received, const Limits& limits);
    Fault check_beginning(std::string_view received) const;
    Line end_line(std::string_view received, std::size_t line_feed, const Limits& limits);
    Fault check_length(std::size_t end, const Limits& limits) const;

    std::size_t start_ = 0;         // where the head begins, behind empty lines
    std::size_t line_start_ = 0;    // where the current line begins
    std::size_t fields_start_ = 0;  // where the line behind the first begins
    std::size_t position_ = 0;      // everything before it has been looked at
    std::uint32_t empty_lines_ = 0;
    MessageKind kind_;
    Fault fault_ = Fault::none;
    bool begun_ = false;
};

}  // namespace http1
