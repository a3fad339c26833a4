#include "net/buffer.h"

#include <cstdlib>
#include <new>

namespace net {

namespace {
// Blocks of one class follow each other at a distance that is no multiple of 4 KiB: their first lines, which every
// request touches, then fall into different cache sets.
constexpr std::size_t stride(std::uint32_t size) { return sizeof(Block) + size + 64; }
constexpr std::size_t most_at_once = 16;
}  // namespace

BufferPool::~BufferPool() {
    for (char* chunk : chunks_) std::free(chunk);
}

Block* BufferPool::grow(std::uint32_t size, std::size_t count, Block*& list) {
    if (size == large_size && large_.size() + count > most_large) return nullptr;
    char* memory = static_cast<char*>(std::aligned_alloc(64, (stride(size) * count + 63) / 64 * 64));
    if (memory == nullptr) throw std::bad_alloc();
    chunks_.push_back(memory);
    for (std::size_t i = count; i-- > 0;) {
        auto* block = new (memory + i * stride(size)) Block{this, 0, size, 0, list};
        list = block;
    }
    if (size == large_size)
        for (std::size_t i = 0; i < count; ++i) {
            auto* block = reinterpret_cast<Block*>(memory + i * stride(size));
            block->id = static_cast<std::uint16_t>(large_.size());
            large_.push_back(block);
        }
    return list;
}

Block* BufferPool::large() {
    if (free_large_ == nullptr && grow(large_size, most_at_once, free_large_) == nullptr) return nullptr;
    Block* block = free_large_;
    free_large_ = block->next_free;
    block->references = 1;
    ++in_use_;
    return block;
}

Block* BufferPool::small() {
    if (free_small_ == nullptr) grow(small_size, most_at_once, free_small_);
    Block* block = free_small_;
    free_small_ = block->next_free;
    block->references = 1;
    ++in_use_;
    return block;
}

Block* BufferPool::at_least(std::size_t size) {
    if (size <= small_size) return small();
    if (size <= large_size)
        if (Block* block = large()) return block;
    void* memory = std::aligned_alloc(64, (sizeof(Block) + size + 63) / 64 * 64);
    if (memory == nullptr) throw std::bad_alloc();
    ++in_use_;
    return new (memory) Block{this, 1, static_cast<std::uint32_t>(size), 0, nullptr};
}

void BufferPool::recycle(Block* block) {
    --in_use_;
    if (block->capacity == large_size && block->id < large_.size() && large_[block->id] == block) {
        block->next_free = free_large_;
        free_large_ = block;
    } else if (block->capacity == small_size) {
        block->next_free = free_small_;
        free_small_ = block;
    } else {
        std::free(block);
    }
}

}  // namespace net
