// Shard: one part of a MemoryStore, used under its lock: a table of entries by key and by resource, and W-TinyLFU over
// bytes: new entries pass a small window, then must be asked for more often than what they push out of the main part;
// the main part keeps what was hit again (protected) from what was not (probation).
// Entries that leave go to a Leaving list, so that their memory is given back when the lock is open again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "cache/entry.h"
#include "cache/sketch.h"

namespace cache {

// Entries on their way out. Destroy it when the lock is open.
class Leaving {
  public:
    Leaving() = default;
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    ~Leaving();

  private:
    friend class Shard;
    Entry* first_ = nullptr;
};

struct StoreCounts {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t stored = 0;
    std::uint64_t replaced = 0;
    std::uint64_t not_admitted = 0;  // dropped in favour of what is asked for more often
    std::uint64_t evicted = 0;       // pushed out by others
    std::uint64_t expired = 0;
    std::uint64_t removed = 0;  // by invalidation and purging
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;  // all of it: entries, tables, sketch
};

class Shard {
  public:
    // `capacity` bytes, of which the tables take a part at once.
    Shard(std::size_t capacity, std::uint64_t seed);
    Shard(const Shard&) = delete;
    ~Shard();

    std::mutex lock;

    // ---- all under `lock`
    [[nodiscard]] EntryPointer find(std::uint64_t hash, std::string_view key, Millis now, Leaving& leaving);
    // Takes over the reference. False: it was not worth its room.
    bool insert(Entry* entry, std::uint64_t hash, std::uint64_t resource_hash, Millis now, Leaving& leaving);
    bool remove(std::uint64_t hash, std::string_view key, Leaving& leaving);
    // Removes up to `most` entries of one resource; how many they were.
    std::size_t remove_resource(std::uint64_t resource_hash, std::string_view resource, std::size_t most,
                                Leaving& leaving);
    // Removes every entry of `count` buckets from `first` on for which drop(entry) is true.
    template <typename Drop>
    std::size_t remove_if(std::size_t first, std::size_t count, const Drop& drop, Leaving& leaving) {
        std::size_t removed = 0;
        for (std::size_t i = first; i < buckets_.size() && i < first + count; ++i) {
            for (Entry* entry = buckets_[i]; entry != nullptr;) {
                Entry* next = entry->links_.next_in_bucket;
                if (drop(static_cast<const Entry&>(*entry))) {
                    unlink(entry, leaving);
                    ++removed;
                }
                entry = next;
            }
        }
        return removed;
    }
    void count_removed(std::size_t count) { counts_.removed += count; }
    void count_expired(std::size_t count) { counts_.expired += count; }
    [[nodiscard]] std::size_t bucket_count() const { return buckets_.size(); }
    [[nodiscard]] StoreCounts counts() const;
    // Bytes that entries may take.
    [[nodiscard]] std::size_t room() const { return window_room_ + main_room_; }
    // Walks everything and aborts if a sum or a link is wrong. For tests.
    void check() const;

  private:
    friend class Leaving;
    static Entry* next_leaving(Entry* entry);
    enum Segment : std::uint8_t { window, probation, guarded, segment_count };
    struct List {
        Entry* newest = nullptr;
        Entry* oldest = nullptr;
        std::size_t bytes = 0;
    };
    static constexpr std::size_t most_victims = 64;  // looked at for one candidate

    [[nodiscard]] Entry* look_up(std::uint64_t hash, std::string_view key) const;
    void push_newest(Entry* entry, Segment segment);
    void take_out(Entry* entry);
    void link(Entry* entry);
    void unlink(Entry* entry, Leaving& leaving);
    void touch(Entry* entry);
    void shrink_guarded();
    [[nodiscard]] std::size_t main_bytes() const { return lists_[probation].bytes + lists_[guarded].bytes; }
    // The next to go from the main part, or null.
    [[nodiscard]] Entry* next_victim(Entry* after) const;
    bool admit(Entry* candidate, Millis now, Leaving& leaving);
    std::vector<Entry*> buckets_;
    std::vector<Entry*> resources_;
    std::size_t mask_;
    FrequencySketch sketch_;
    base::Random random_;
    std::size_t fixed_bytes_ = 0;
    std::size_t window_room_ = 0;
    std::size_t main_room_ = 0;
    std::size_t guarded_room_ = 0;
    List lists_[segment_count];
    StoreCounts counts_;
};

}  // namespace cache
