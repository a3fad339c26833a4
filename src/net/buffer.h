// Receive and send memory of one loop: reference-counted blocks in two sizes, recycled last-in first-out so that the
// hot ones stay few. A Slice is a view into a block that keeps it alive. One thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ensure.h"

namespace net {

class BufferPool;

struct Block {
    BufferPool* pool;
    std::uint32_t references;
    std::uint32_t capacity;
    std::uint16_t id;  // of large blocks: the buffer id that io_uring knows it by
    Block* next_free;
    [[nodiscard]] char* data() { return reinterpret_cast<char*>(this + 1); }
};

class BufferPool {
  public:
    static constexpr std::uint32_t large_size = 32 * 1024;
    static constexpr std::uint32_t small_size = 8 * 1024;
    static constexpr std::uint32_t most_large = 32 * 1024;  // ids are 15 bits: 1 GiB

    BufferPool() = default;
    BufferPool(const BufferPool&) = delete;
    ~BufferPool();

    // One reference, owned by the caller. Null only if the pool's bound is reached.
    Block* large();
    Block* small();
    // A block of at least `size`, taken from neither class if it is larger than both.
    Block* at_least(std::size_t size);
    void recycle(Block* block);

    [[nodiscard]] Block* by_id(std::uint16_t id) const { return large_[id]; }
    [[nodiscard]] std::size_t in_use() const { return in_use_; }

  private:
    Block* grow(std::uint32_t size, std::size_t count, Block*& list);

    Block* free_large_ = nullptr;
    Block* free_small_ = nullptr;
    std::vector<Block*> large_;
    std::vector<char*> chunks_;
    std::size_t in_use_ = 0;
};

class Slice {
  public:
    Slice() = default;
    // Takes over one reference of `block`.
    Slice(Block* block, const char* data, std::size_t size)
        : block_(block), data_(data), size_(static_cast<std::uint32_t>(size)) {}
    // Memory that outlives every use (constants).
    static Slice constant(std::string_view text) { return Slice(nullptr, text.data(), text.size()); }
    Slice(const Slice& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
        if (block_ != nullptr) ++block_->references;
    }
    Slice(Slice&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    Slice& operator=(Slice other) noexcept {
        std::swap(block_, other.block_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Slice() { reset(); }

    void reset() {
        if (block_ != nullptr && --block_->references == 0) block_->pool->recycle(block_);
        block_ = nullptr;
        data_ = nullptr;
        size_ = 0;
    }
    [[nodiscard]] const char* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::string_view text() const { return {data_, size_}; }
    [[nodiscard]] Slice part(std::size_t from, std::size_t size) const {
        Slice out = *this;
        out.data_ += from;
        out.size_ = static_cast<std::uint32_t>(size);
        return out;
    }
    void remove_prefix(std::size_t count) {
        ensure(count <= size_, count, size_);
        data_ += count;
        size_ -= static_cast<std::uint32_t>(count);
    }
    // Whether both look into the same block (so that views into one stay valid while the other lives).
    [[nodiscard]] bool shares_block_with(const Slice& other) const { return block_ == other.block_; }

  private:
    Block* block_ = nullptr;
    const char* data_ = nullptr;
    std::uint32_t size_ = 0;
};

// A block that is being filled from the front, then handed on as a Slice.
class Draft {
  public:
    explicit Draft(Block* block) : block_(block) {}
    Draft(Draft&& other) noexcept : block_(std::exchange(other.block_, nullptr)), size_(other.size_) {}
    Draft(const Draft&) = delete;
    Draft& operator=(Draft&&) = delete;
    ~Draft() {
        if (block_ != nullptr && --block_->references == 0) block_->pool->recycle(block_);
    }
    [[nodiscard]] char* begin() { return block_->data(); }
    [[nodiscard]] char* end() { return block_->data() + size_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t room() const { return block_->capacity - size_; }
    void grew(std::size_t count) {
        ensure(count <= room(), count, room());
        size_ += count;
    }
    void append(std::string_view text) {
        ensure(text.size() <= room(), text.size(), room());
        std::memcpy(end(), text.data(), text.size());
        size_ += text.size();
    }
    [[nodiscard]] std::string_view text() { return {begin(), size_}; }
    // What is filled so far (from `from` on); the block goes on being filled behind it.
    [[nodiscard]] Slice slice(std::size_t from = 0) const {
        ++block_->references;
        return Slice(block_, block_->data() + from, size_ - from);
    }
    Slice finish() && {
        Block* block = std::exchange(block_, nullptr);
        return Slice(block, block->data(), size_);
    }

  private:
    Block* block_;
    std::size_t size_ = 0;
};

}  // namespace net
