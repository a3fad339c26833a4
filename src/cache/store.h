// MemoryStore: stored responses in memory, shared by all cores and bounded in bytes, everything counted. Sharded; a
// lock is held only to look up, link or touch, never while a body is copied, compared with anything or freed. What is
// found stays valid as long as its EntryPointer, whatever happens to the store's copy.
//
// The bound is on what the store holds: what has been evicted while readers still send it counts as theirs.
//
// Invalidation is exact over cores: who fetches takes a ticket first, and an answer whose ticket is older than an
// invalidation of its resource, or than any purge, is not stored.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/entry.h"
#include "cache/shard.h"

namespace cache {

struct StoreLimits {
    std::size_t capacity = std::size_t{128} << 20;
    std::size_t most_entry = std::size_t{1} << 20;  // of one entry, everything included
    std::size_t most_shards = 64;                   // fewer where a shard would hold less than eight of the largest
};

enum class Purge : std::uint8_t { all, key_prefix, resource_prefix, tag };

enum class Stored : std::uint8_t { stored, too_large, not_admitted, outdated };

class MemoryStore {
  public:
    using Ticket = std::uint64_t;

    // `seed` spreads keys where nobody can foresee it.
    MemoryStore(const StoreLimits& limits, std::uint64_t seed);

    // Any thread, all of them. `now` is the wall clock.
    [[nodiscard]] EntryPointer find(std::string_view key, Millis now);
    // To be taken before the upstream is asked.
    [[nodiscard]] Ticket ticket() const { return epoch_.load(std::memory_order_acquire); }
    Stored insert(EntryPointer entry, Ticket ticket, Millis now);

    bool remove(std::string_view key);
    // All entries of one resource, whatever their key (RFC 9111 4.4).
    std::size_t remove_resource(std::string_view resource);
    // A walk over everything goes in steps, so that a core can do other things between two of them.
    struct Walk {
        std::size_t shard = 0;
        std::size_t bucket = 0;
    };
    struct Purging {
        Purge by;
        std::string text;
        std::size_t removed = 0;
        Walk walk;
    };
    // From here on nothing is stored that was asked for before.
    [[nodiscard]] Purging begin_purge(Purge by, std::string text);
    // A step of a bounded number of buckets. False: everything has been walked.
    bool go_on(Purging& purging);
    // For the first response whose key begins so; `key` is then all of it.
    struct Search {
        std::string key_prefix;
        std::string key;
        Walk walk;
    };
    // False: it is found, or there is none.
    bool go_on(Search& search);
    // All of it at once: how many entries.
    std::size_t purge(Purge by, std::string text = {});

    // Gives back the room of what is past keep_until, some buckets a call; call it now and then. How many entries.
    std::size_t expire(Millis now);

    [[nodiscard]] StoreCounts counts() const;
    [[nodiscard]] const StoreLimits& limits() const { return limits_; }
    // See Shard::check.
    void check() const;

  private:
    [[nodiscard]] Shard& shard_of(std::uint64_t hash) const { return *shards_[(hash >> 48) & (shards_.size() - 1)]; }
    // False: that was the last step.
    [[nodiscard]] bool advance(Walk& walk) const;
    [[nodiscard]] std::atomic<Ticket>& invalidated(std::uint64_t resource_hash) {
        return invalidated_[resource_hash % invalidated_.size()];
    }
    StoreLimits limits_;
    std::uint64_t seed_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::atomic<Ticket> epoch_ = 1;                 // grows with every invalidation and purge
    std::atomic<Ticket> purged_ = 0;                // the epoch of the last purge
    std::vector<std::atomic<Ticket>> invalidated_;  // by resource: the epoch of the last invalidation
    std::atomic<std::uint64_t> expire_at_ = 0;      // where expire() goes on
};

}  // namespace cache
