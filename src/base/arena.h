// Arena: bump memory of one request. Everything allocated in it dies with it, without destructors.
// The first block is inline so that an ordinary request never allocates; bounded by the caller's own limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace base {

class Arena {
  public:
    Arena() : next_(first_), end_(first_ + sizeof first_) {}
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { release(); }

    void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
        auto at = (reinterpret_cast<std::uintptr_t>(next_) + alignment - 1) & ~(alignment - 1);
        if (at + size > reinterpret_cast<std::uintptr_t>(end_)) return allocate_slow(size, alignment);
        next_ = reinterpret_cast<char*>(at + size);
        return reinterpret_cast<void*>(at);
    }
    char* bytes(std::size_t size) { return static_cast<char*>(allocate(size, 1)); }
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* at = bytes(text.size());
        std::memcpy(at, text.data(), text.size());
        return {at, text.size()};
    }
    // a + b + ... in one piece.
    template <typename... Parts>
    std::string_view join(const Parts&... parts) {
        std::size_t total = (std::string_view(parts).size() + ... + 0);
        char* start = bytes(total);
        char* at = start;
        ((at = append(at, std::string_view(parts))), ...);
        return {start, total};
    }
    // Forgets everything; the inline block stays.
    void reset() {
        release();
        next_ = first_;
        end_ = first_ + sizeof first_;
    }

  private:
    struct Block {
        Block* previous;
    };
    static char* append(char* at, std::string_view part) {
        if (!part.empty()) std::memcpy(at, part.data(), part.size());
        return at + part.size();
    }
    void* allocate_slow(std::size_t size, std::size_t alignment) {
        std::size_t want = size + alignment + sizeof(Block);
        std::size_t block_size = want > 4096 ? want : 4096;
        auto* block = static_cast<Block*>(std::malloc(block_size));
        if (block == nullptr) throw std::bad_alloc();
        block->previous = blocks_;
        blocks_ = block;
        next_ = reinterpret_cast<char*>(block + 1);
        end_ = reinterpret_cast<char*>(block) + block_size;
        return allocate(size, alignment);
    }
    void release() {
        while (blocks_ != nullptr) {
            Block* previous = blocks_->previous;
            std::free(blocks_);
            blocks_ = previous;
        }
    }
    char* next_;
    char* end_;
    Block* blocks_ = nullptr;
    alignas(std::max_align_t) char first_[2048];
};

}  // namespace base
