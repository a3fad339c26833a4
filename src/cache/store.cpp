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

template <typename Drop>
std::size_t MemoryStore::purge(const Drop& drop) {
    Ticket epoch = epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
    Ticket before = purged_.load(std::memory_order_relaxed);
    while (before < epoch && !purged_.compare_exchange_weak(before, epoch, std::memory_order_acq_rel)) {
    }
    std::size_t total = 0;
    for (const auto& shard : shards_) {
        for (std::size_t at = 0; at < shard->bucket_count(); at += buckets_a_step) {
            Leaving leaving;
            std::lock_guard guard(shard->lock);
            std::size_t removed = shard->remove_if(at, buckets_a_step, drop, leaving);
            shard->count_removed(removed);
            total += removed;
        }
    }
    return total;
}

std::size_t MemoryStore::remove_prefix(std::string_view resource_prefix) {
    return purge([resource_prefix](const Entry& entry) { return entry.resource().starts_with(resource_prefix); });
}

std::size_t MemoryStore::remove_tag(std::string_view tag) {
    return purge([tag](const Entry& entry) { return entry.has_tag(tag); });
}

std::size_t MemoryStore::remove_key_prefix(std::string_view key_prefix) {
    return purge([key_prefix](const Entry& entry) { return entry.key().starts_with(key_prefix); });
}

std::size_t MemoryStore::clear() {
    return purge([](const Entry&) { return true; });
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
