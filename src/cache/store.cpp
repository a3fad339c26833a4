#include "cache/store.h"

#include <algorithm>
#include <bit>
#include <mutex>

#include "base/ensure.h"
#include "base/hash.h"

namespace cache {

namespace {

constexpr std::size_t buckets_a_step = 64;        // walked under one lock
constexpr std::size_t removed_a_step = 64;        // of one resource
constexpr std::size_t invalidation_slots = 4096;  // two resources in one slot: a fetch of the other is not stored

std::size_t shards_for(const StoreLimits& limits) {
    std::size_t fitting = limits.capacity / std::max<std::size_t>(8 * limits.most_entry, 1);
    return std::bit_floor(std::clamp<std::size_t>(fitting, 1, std::max<std::size_t>(limits.most_shards, 1)));
}

}  // namespace

MemoryStore::MemoryStore(const StoreLimits& limits, std::uint64_t seed)
    : limits_(limits), seed_(seed), invalidated_(invalidation_slots) {
    std::size_t count = shards_for(limits);
    std::size_t fixed = sizeof(MemoryStore) + invalidation_slots * sizeof(Ticket);
    std::size_t each = (limits.capacity - std::min(limits.capacity, fixed)) / count;
    for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(each, base::mixed(seed + i)));
}

EntryPointer MemoryStore::find(std::string_view key, Millis now) {
    std::uint64_t hash = base::hash64(key, seed_);
    Shard& shard = shard_of(hash);
    Leaving leaving;
    std::lock_guard guard(shard.lock);
    return shard.find(hash, key, now, leaving);
}

Stored MemoryStore::insert(EntryPointer entry, Ticket ticket, Millis now) {
    if (!entry || entry->footprint() > limits_.most_entry) return Stored::too_large;
    std::uint64_t hash = base::hash64(entry->key(), seed_);
    std::uint64_t resource_hash = base::hash64(entry->resource(), seed_);
    Shard& shard = shard_of(hash);
    if (entry->footprint() > shard.room()) return Stored::too_large;
    Leaving leaving;
    std::lock_guard guard(shard.lock);
    // Under the lock: an invalidation that comes later finds the entry in the table.
    if (ticket < purged_.load(std::memory_order_acquire) ||
        ticket < invalidated(resource_hash).load(std::memory_order_acquire)) {
        return Stored::outdated;
    }
    return shard.insert(entry.leave(), hash, resource_hash, now, leaving) ? Stored::stored : Stored::not_admitted;
}

bool MemoryStore::remove(std::string_view key) {
    std::uint64_t hash = base::hash64(key, seed_);
    Shard& shard = shard_of(hash);
    Leaving leaving;
    std::lock_guard guard(shard.lock);
    return shard.remove(hash, key, leaving);
}

std::size_t MemoryStore::remove_resource(std::string_view resource) {
    std::uint64_t resource_hash = base::hash64(resource, seed_);
    Ticket epoch = epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
    std::atomic<Ticket>& slot = invalidated(resource_hash);
    Ticket before = slot.load(std::memory_order_relaxed);
    while (before < epoch && !slot.compare_exchange_weak(before, epoch, std::memory_order_acq_rel)) {
    }
    std::size_t total = 0;
    for (const auto& shard : shards_) {
        std::size_t removed = removed_a_step;
        while (removed == removed_a_step) {
            Leaving leaving;
            std::lock_guard guard(shard->lock);
            removed = shard->remove_resource(resource_hash, resource, removed_a_step, leaving);
            total += removed;
        }
    }
    return total;
}

MemoryStore::Purging MemoryStore::begin_purge(Purge by, std::string text) {
    Ticket epoch = epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
    Ticket before = purged_.load(std::memory_order_relaxed);
    while (before < epoch && !purged_.compare_exchange_weak(before, epoch, std::memory_order_acq_rel)) {
    }
    return {by, std::move(text)};
}

bool MemoryStore::advance(Walk& walk) const {
    walk.bucket += buckets_a_step;
    if (walk.bucket >= shards_[walk.shard]->bucket_count()) walk = {walk.shard + 1, 0};
    return walk.shard < shards_.size();
}

bool MemoryStore::go_on(Search& search) {
    if (search.walk.shard == shards_.size()) return false;
    auto look = [&search](const Entry& entry) {
        bool is_meant = entry.kind() == EntryKind::response && entry.key().starts_with(search.key_prefix);
        if (is_meant && search.key.empty()) search.key = entry.key();
        return false;
    };
    Shard& shard = *shards_[search.walk.shard];
    {
        Leaving none;
        std::lock_guard guard(shard.lock);
        shard.remove_if(search.walk.bucket, buckets_a_step, look, none);
    }
    return advance(search.walk) && search.key.empty();
}

bool MemoryStore::go_on(Purging& purging) {
    if (purging.walk.shard == shards_.size()) return false;
    auto is_meant = [&purging](const Entry& entry) {
        switch (purging.by) {
            case Purge::all:
                return true;
            case Purge::key_prefix:
                return entry.key().starts_with(purging.text);
            case Purge::resource_prefix:
                return entry.resource().starts_with(purging.text);
            case Purge::tag:
                return entry.has_tag(purging.text);
        }
        return false;
    };
    Shard& shard = *shards_[purging.walk.shard];
    {
        Leaving leaving;
        std::lock_guard guard(shard.lock);
        std::size_t removed = shard.remove_if(purging.walk.bucket, buckets_a_step, is_meant, leaving);
        shard.count_removed(removed);
        purging.removed += removed;
    }
    return advance(purging.walk);
}

std::size_t MemoryStore::purge(Purge by, std::string text) {
    Purging purging = begin_purge(by, std::move(text));
    while (go_on(purging)) {
    }
    return purging.removed;
}

std::size_t MemoryStore::expire(Millis now) {
    std::size_t steps = shards_[0]->bucket_count() / buckets_a_step;
    std::uint64_t step = expire_at_.fetch_add(1, std::memory_order_relaxed) % (steps * shards_.size());
    Shard& shard = *shards_[step / steps];
    Leaving leaving;
    std::lock_guard guard(shard.lock);
    auto is_past = [now](const Entry& entry) { return entry.validity().keep_until <= now; };
    std::size_t removed = shard.remove_if(step % steps * buckets_a_step, buckets_a_step, is_past, leaving);
    shard.count_expired(removed);
    return removed;
}

StoreCounts MemoryStore::counts() const {
    StoreCounts sum;
    sum.bytes = sizeof(MemoryStore) + invalidation_slots * sizeof(Ticket);
    for (const auto& shard : shards_) {
        std::lock_guard guard(shard->lock);
        StoreCounts part = shard->counts();
        sum.hits += part.hits;
        sum.misses += part.misses;
        sum.stored += part.stored;
        sum.replaced += part.replaced;
        sum.not_admitted += part.not_admitted;
        sum.evicted += part.evicted;
        sum.expired += part.expired;
        sum.removed += part.removed;
        sum.entries += part.entries;
        sum.bytes += part.bytes;
    }
    return sum;
}

void MemoryStore::check() const {
    for (const auto& shard : shards_) {
        std::lock_guard guard(shard->lock);
        shard->check();
    }
    ensure(counts().bytes <= limits_.capacity, counts().bytes, limits_.capacity);
}

}  // namespace cache
