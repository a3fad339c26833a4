// Assembler: puts together what one send will carry. Small things (heads, chunk framing, short bodies) are copied into
// one block so that the send is a plain one; large pieces go by reference, without a copy.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "net/buffer.h"
#include "net/pieces.h"

namespace net {

class Assembler {
  public:
    static constexpr std::size_t copied_up_to = 4096;        // pieces of this size are copied if they fit
    static constexpr std::size_t enough_bytes = 256 * 1024;  // of one send

    explicit Assembler(BufferPool& buffers) : buffers_(buffers) {}

    // Room for `size` bytes to be written in place; follow with grew().
    [[nodiscard]] std::span<char> room(std::size_t size);
    void grew(std::size_t size) {
        draft_->grew(size);
        bytes_ += size;
    }
    void copy(std::string_view text);
    // By reference, or copied if it is small.
    void add(Slice piece);

    // What may be added between two looks at is_full(), at the worst: a draft that ran out, the draft before a piece,
    // the piece, the draft behind it, and the trailers' own.
    static constexpr std::size_t most_added = 5;
    [[nodiscard]] bool is_full(std::size_t added = most_added) const {
        return pieces_.size() + added > Pieces::most || bytes_ >= enough_bytes;
    }
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // Everything, in order, to be taken by a send. Then it may be filled anew.
    [[nodiscard]] Pieces& finish();

  private:
    void close_draft();
    BufferPool& buffers_;
    Pieces pieces_;
    std::size_t bytes_ = 0;
    std::optional<Draft> draft_;
    std::size_t draft_used_ = 0;  // bytes of the draft that are pieces already
};

}  // namespace net
