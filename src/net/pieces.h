// Pieces: up to `most` slices in order, for one send. Only those that are there are ever touched: a send of one piece
// costs one, not sixteen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "net/buffer.h"

namespace net {

class Pieces {
  public:
    static constexpr std::size_t most = 16;

    Pieces() {}  // NOLINT: the room stays as it is
    Pieces(const Pieces&) = delete;
    Pieces& operator=(const Pieces&) = delete;
    ~Pieces() { clear(); }

    void push(Slice piece) {
        ensure(last_ < most);
        new (&room_[last_++]) Slice(std::move(piece));
    }
    void pop_front() { room_[first_++].~Slice(); }
    void clear() {
        while (!empty()) pop_front();
        first_ = last_ = 0;
    }
    // Takes all of `other`; this one must be empty.
    void take(Pieces& other) {
        clear();
        for (Slice& piece : other) push(std::move(piece));
        other.clear();
    }
    [[nodiscard]] bool empty() const { return first_ == last_; }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(last_ - first_); }
    [[nodiscard]] Slice& front() { return room_[first_]; }
    [[nodiscard]] Slice* begin() { return room_ + first_; }
    [[nodiscard]] Slice* end() { return room_ + last_; }

  private:
    union {
        Slice room_[most];
    };
    std::uint8_t first_ = 0;
    std::uint8_t last_ = 0;
};

}  // namespace net
