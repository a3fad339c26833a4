// SeriesCache: from small integers (route, status, consumer) to the series they stand for, for one thread. Looked up
// for every request, so it is one flat table; it forgets everything when `most_entries` are reached.
#pragma once

#include <cstdint>
#include <vector>

#include "observe/series.h"

namespace observe {

class SeriesCache {
  public:
    static constexpr std::size_t most_entries = 64 * 1024;

    // `key` is never 0. Calls open() the first time.
    template <typename Open>
    SeriesId get(std::uint64_t key, Open&& open) {
        if (!entries_.empty()) {
            const Entry& entry = entries_[place_of(key)];
            if (entry.key == key) return entry.series;
        }
        SeriesId series = open();
        put(key, series);
        return series;
    }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    struct Entry {
        std::uint64_t key = 0;
        SeriesId series;
    };
    // Where the key is, or the free place for it.
    [[nodiscard]] std::size_t place_of(std::uint64_t key) const {
        std::size_t mask = entries_.size() - 1;
        std::size_t at = spread(key) & mask;
        while (entries_[at].key != key && entries_[at].key != 0) at = (at + 1) & mask;
        return at;
    }
    static std::uint64_t spread(std::uint64_t key) {
        key *= 0x9e3779b97f4a7c15;
        return key ^ key >> 32;
    }
    void put(std::uint64_t key, SeriesId series) {
        if (size_ * 2 >= entries_.size()) grow();
        entries_[place_of(key)] = {key, series};
        ++size_;
    }
    void grow() {
        std::vector<Entry> before = std::move(entries_);
        bool is_full = size_ >= most_entries;
        entries_.assign(is_full || before.empty() ? 64 : before.size() * 2, Entry());
        size_ = 0;
        if (is_full) return;
        for (const Entry& entry : before)
            if (entry.key != 0) {
                entries_[place_of(entry.key)] = entry;
                ++size_;
            }
    }
    std::vector<Entry> entries_;
    std::size_t size_ = 0;
};

}  // namespace observe
