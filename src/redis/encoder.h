// Encoder: commands to bytes, one behind the other in the same block, so that what one turn issues leaves in one piece.
// Each command is a Slice of its own, which can be kept to send it again elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/buffer.h"

namespace redis {

using Arguments = std::span<const std::string_view>;

// The bytes of a command: an array of bulk strings.
[[nodiscard]] std::size_t encoded_size(Arguments arguments);

class Encoder {
  public:
    explicit Encoder(net::BufferPool& pool) : pool_(pool) {}
    Encoder(const Encoder&) = delete;

    net::Slice encode(Arguments arguments);
    net::Slice joined(std::string_view first, std::string_view second);
    // Gives the block back; called when there is nothing to do.
    void rest() { draft_.reset(); }

  private:
    net::Draft& room_for(std::size_t size);

    net::BufferPool& pool_;
    std::optional<net::Draft> draft_;
};

}  // namespace redis
