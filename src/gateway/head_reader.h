// HeadReader: collects the bytes of one message head from the pieces that a socket delivers. A head that comes in one
// piece, as nearly all do, is read where it lies; one that is spread over pieces is copied together, within the limits.
#pragma once

#include <optional>
#include <string_view>

#include "http/http1/head_scanner.h"
#include "net/buffer.h"

namespace gateway {

class HeadReader {
  public:
    using State = http1::HeadScanner::State;

    explicit HeadReader(http1::MessageKind kind) : scanner_(kind) {}

    // Takes the next piece in. After `complete` or `fault` it wants no more.
    State take(net::Slice piece, net::BufferPool& buffers, const http1::Limits& limits);

    // Anything but empty lines seen?
    [[nodiscard]] bool has_begun() const { return scanner_.has_begun(bytes_.text()); }
    [[nodiscard]] bool is_complete() const { return state_ == State::complete; }
    [[nodiscard]] http1::Fault fault() const { return scanner_.fault(); }
    // After `complete`: the head, and what came behind it. Both views live as long as bytes().
    [[nodiscard]] std::string_view head() const { return scanner_.head(bytes_.text()); }
    [[nodiscard]] net::Slice rest() const {
        return bytes_.part(scanner_.consumed(), bytes_.size() - scanner_.consumed());
    }
    [[nodiscard]] const net::Slice& bytes() const { return bytes_; }

  private:
    http1::HeadScanner scanner_;
    State state_ = State::more;
    net::Slice bytes_;
    std::optional<net::Draft> own_;  // what bytes_ looks into once there were two pieces
};

}  // namespace gateway
