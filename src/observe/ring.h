// Ring: a bounded queue of byte records from one thread to one other, without locks and without allocation after
// construction. A record is contiguous; a full ring refuses (the caller counts the loss) and never waits. Used by
// writer.h, one per core and log.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace observe {

class Ring {
  public:
    explicit Ring(std::size_t bytes)
        : capacity_(std::bit_ceil(bytes < 1024 ? 1024 : bytes)), bytes_(new char[capacity_]) {}
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // Producer. Room for a record of at most `size` bytes, or nullptr when there is none; commit() ends it, or nothing
    // does.
    char* reserve(std::size_t size) {
        std::size_t need = header_size + padded(size);
        if (need > capacity_ / 2) return nullptr;
        std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        std::size_t offset = tail & (capacity_ - 1);
        skipped_ = need > capacity_ - offset ? capacity_ - offset : 0;
        if (need + skipped_ > capacity_ - (tail - known_head_)) {
            known_head_ = head_.load(std::memory_order_acquire);
            if (need + skipped_ > capacity_ - (tail - known_head_)) return nullptr;
        }
        if (skipped_ != 0) set_size(offset, wrap_mark);
        return bytes_.get() + ((tail + skipped_) & (capacity_ - 1)) + header_size;
    }
    void commit(std::size_t size) {
        std::uint64_t tail = tail_.load(std::memory_order_relaxed) + skipped_;
        set_size(tail & (capacity_ - 1), size);
        // Sequentially consistent, as is the consumer's look before it sleeps: one of the two sees the other
        // (writer.cpp).
        tail_.store(tail + header_size + padded(size), std::memory_order_seq_cst);
    }

    // Consumer. Calls take(std::string_view) for every record there is.
    template <typename Take>
    std::size_t drain(Take&& take) {
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        std::uint64_t tail = tail_.load(std::memory_order_acquire);
        std::size_t records = 0;
        while (head != tail) {
            std::size_t offset = head & (capacity_ - 1);
            std::uint64_t size = 0;
            std::memcpy(&size, bytes_.get() + offset, sizeof size);
            if (size == wrap_mark) {
                head += capacity_ - offset;
                continue;
            }
            take(std::string_view(bytes_.get() + offset + header_size, size));
            head += header_size + padded(size);
            head_.store(head, std::memory_order_release);
            ++records;
        }
        return records;
    }
    [[nodiscard]] bool is_empty() const {
        return tail_.load(std::memory_order_seq_cst) == head_.load(std::memory_order_relaxed);
    }

  private:
    static constexpr std::size_t header_size = sizeof(std::uint64_t);
    static constexpr std::uint64_t wrap_mark = ~std::uint64_t{0};  // the rest of the buffer is unused
    static std::size_t padded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }
    void set_size(std::size_t offset, std::uint64_t size) { std::memcpy(bytes_.get() + offset, &size, sizeof size); }

    const std::size_t capacity_;
    std::unique_ptr<char[]> bytes_;
    // The producer's line and the consumer's line, apart from one another.
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    std::uint64_t known_head_ = 0;
    std::size_t skipped_ = 0;
    alignas(64) std::atomic<std::uint64_t> head_{0};
};

}  // namespace observe
