// FrequencySketch: how often a hash was seen lately, in four bits each (count-min over four rows, TinyLFU's ageing: all
// counters are halved after ten looks per counter word). Its size never changes. Not synchronised: a shard's, under its
// lock.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/hash.h"

namespace cache {

class FrequencySketch {
  public:
    static constexpr unsigned most = 15;

    // For about `entries` hashes that matter; 8 bytes for each.
    explicit FrequencySketch(std::size_t entries)
        : words_(std::bit_ceil(std::max<std::size_t>(entries, 8))),
          mask_(words_.size() - 1),
          sample_(10 * words_.size()) {}

    void add(std::uint64_t hash) {
        bool grew = false;
        for (unsigned row = 0; row < rows; ++row) {
            Place at = place(hash, row);
            if (((words_[at.word] >> at.shift) & most) == most) continue;
            words_[at.word] += std::uint64_t{1} << at.shift;
            grew = true;
        }
        if (grew && ++added_ >= sample_) age();
    }

    [[nodiscard]] unsigned estimate(std::uint64_t hash) const {
        unsigned smallest = most;
        for (unsigned row = 0; row < rows; ++row) {
            Place at = place(hash, row);
            smallest = std::min(smallest, static_cast<unsigned>((words_[at.word] >> at.shift) & most));
        }
        return smallest;
    }

    [[nodiscard]] std::size_t footprint() const { return words_.size() * sizeof(std::uint64_t); }

  private:
    static constexpr unsigned rows = 4;
    struct Place {
        std::size_t word;
        unsigned shift;
    };
    // All rows of a hash are in one block of eight words (a cache line), two words of counters for each row.
    [[nodiscard]] Place place(std::uint64_t hash, unsigned row) const {
        std::uint64_t spread = base::mixed(hash);
        std::size_t block = (spread >> 32) & mask_ & ~std::size_t{7};
        auto bits = static_cast<unsigned>(spread >> (row * 8));
        return {block + row * 2 + (bits & 1), ((bits >> 1) & 15) * 4};
    }
    void age() {
        for (std::uint64_t& word : words_) word = (word >> 1) & 0x7777777777777777U;
        added_ /= 2;
    }

    std::vector<std::uint64_t> words_;
    std::size_t mask_;
    std::size_t sample_;
    std::size_t added_ = 0;
};

}  // namespace cache
