#include "cache/shard.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/ensure.h"

namespace cache {

namespace {

// Room per expected entry: only how long bucket chains get and how sharp the sketch is depends on it.
constexpr std::size_t expected_entry = 2048;
constexpr std::size_t least_buckets = 64;

std::size_t buckets_for(std::size_t capacity) {
    return std::bit_ceil(std::max(capacity / expected_entry, least_buckets));
}

}  // namespace

Leaving::~Leaving() {
    while (first_ != nullptr) {
        Entry* entry = std::exchange(first_, Shard::next_leaving(first_));
        EntryPointer last(entry);
    }
}

Entry* Shard::next_leaving(Entry* entry) { return entry->links_.next_in_bucket; }

Shard::Shard(std::size_t capacity, std::uint64_t seed)
    : buckets_(buckets_for(capacity)),
      resources_(buckets_.size()),
      mask_(buckets_.size() - 1),
      sketch_(buckets_.size()),
      random_(seed) {
    fixed_bytes_ = sizeof(Shard) + (buckets_.size() + resources_.size()) * sizeof(Entry*) + sketch_.footprint();
    std::size_t room = capacity > fixed_bytes_ ? capacity - fixed_bytes_ : 0;
    // The usual parts of W-TinyLFU: 1 % window, four fifths of the rest for what was hit again.
    window_room_ = room / 100;
    main_room_ = room - window_room_;
    guarded_room_ = main_room_ / 5 * 4;
}

Shard::~Shard() {
    Leaving leaving;
    remove_if(0, buckets_.size(), [](const Entry&) { return true; }, leaving);
}

EntryPointer Shard::find(std::uint64_t hash, std::string_view key, Millis now, Leaving& leaving) {
    sketch_.add(hash);
    Entry* entry = look_up(hash, key);
    if (entry != nullptr && entry->validity_.keep_until <= now) {
        unlink(entry, leaving);
        ++counts_.expired;
        entry = nullptr;
    }
    if (entry == nullptr) {
        ++counts_.misses;
        return {};
    }
    ++counts_.hits;
    touch(entry);
    entry->references_.fetch_add(1, std::memory_order_relaxed);
    return EntryPointer(entry);
}

bool Shard::insert(Entry* entry, std::uint64_t hash, std::uint64_t resource_hash, Millis now, Leaving& leaving) {
    entry->links_ = {};
    entry->links_.hash = hash;
    entry->links_.resource_hash = resource_hash;
    if (Entry* old = look_up(hash, entry->key()); old != nullptr) {
        // The key has earned its place already.
        auto segment = static_cast<Segment>(old->links_.segment);
        unlink(old, leaving);
        link(entry);
        push_newest(entry, segment);
        ++counts_.replaced;
    } else {
        link(entry);
        push_newest(entry, window);
    }
    ++counts_.stored;
    shrink_guarded();
    bool kept = true;
    while (lists_[window].bytes > window_room_) {
        Entry* candidate = lists_[window].oldest;
        if (admit(candidate, now, leaving)) continue;
        if (candidate == entry) kept = false;
        unlink(candidate, leaving);
        ++counts_.not_admitted;
    }
    while (main_bytes() > main_room_) {
        Entry* victim = next_victim(nullptr);
        if (victim == entry) kept = false;
        unlink(victim, leaving);
        ++counts_.evicted;
    }
    return kept;
}

bool Shard::remove(std::uint64_t hash, std::string_view key, Leaving& leaving) {
    Entry* entry = look_up(hash, key);
    if (entry == nullptr) return false;
    unlink(entry, leaving);
    ++counts_.removed;
    return true;
}

std::size_t Shard::remove_resource(std::uint64_t resource_hash, std::string_view resource, std::size_t most,
                                   Leaving& leaving) {
    std::size_t removed = 0;
    for (Entry* entry = resources_[resource_hash & mask_]; entry != nullptr && removed < most;) {
        Entry* next = entry->links_.next_of_resource;
        if (entry->links_.resource_hash == resource_hash && entry->resource() == resource) {
            unlink(entry, leaving);
            ++removed;
        }
        entry = next;
    }
    counts_.removed += removed;
    return removed;
}

StoreCounts Shard::counts() const {
    StoreCounts out = counts_;
    out.bytes = fixed_bytes_ + lists_[window].bytes + main_bytes();
    return out;
}

// ---- tables

Entry* Shard::look_up(std::uint64_t hash, std::string_view key) const {
    for (Entry* entry = buckets_[hash & mask_]; entry != nullptr; entry = entry->links_.next_in_bucket) {
        if (entry->links_.hash == hash && entry->key() == key) return entry;
    }
    return nullptr;
}

void Shard::link(Entry* entry) {
    Entry*& bucket = buckets_[entry->links_.hash & mask_];
    entry->links_.next_in_bucket = bucket;
    bucket = entry;
    Entry*& chain = resources_[entry->links_.resource_hash & mask_];
    entry->links_.next_of_resource = chain;
    if (chain != nullptr) chain->links_.previous_of_resource = entry;
    chain = entry;
    ++counts_.entries;
}

void Shard::unlink(Entry* entry, Leaving& leaving) {
    Entry** at = &buckets_[entry->links_.hash & mask_];
    while (*at != entry) at = &(*at)->links_.next_in_bucket;
    *at = entry->links_.next_in_bucket;

    Entry* previous = entry->links_.previous_of_resource;
    Entry* next = entry->links_.next_of_resource;
    (previous != nullptr ? previous->links_.next_of_resource : resources_[entry->links_.resource_hash & mask_]) = next;
    if (next != nullptr) next->links_.previous_of_resource = previous;

    take_out(entry);
    --counts_.entries;
    entry->links_.next_in_bucket = leaving.first_;
    leaving.first_ = entry;
}

// ---- W-TinyLFU

void Shard::push_newest(Entry* entry, Segment segment) {
    List& list = lists_[segment];
    entry->links_.segment = segment;
    entry->links_.newer = nullptr;
    entry->links_.older = list.newest;
    (list.newest != nullptr ? list.newest->links_.newer : list.oldest) = entry;
    list.newest = entry;
    list.bytes += entry->footprint_;
}

void Shard::take_out(Entry* entry) {
    List& list = lists_[entry->links_.segment];
    Entry* newer = entry->links_.newer;
    Entry* older = entry->links_.older;
    (newer != nullptr ? newer->links_.older : list.newest) = older;
    (older != nullptr ? older->links_.newer : list.oldest) = newer;
    list.bytes -= entry->footprint_;
}

void Shard::touch(Entry* entry) {
    auto segment = static_cast<Segment>(entry->links_.segment);
    if (segment == probation) segment = guarded;
    if (lists_[segment].newest == entry) return;
    take_out(entry);
    push_newest(entry, segment);
    shrink_guarded();
}

void Shard::shrink_guarded() {
    while (lists_[guarded].bytes > guarded_room_) {
        Entry* oldest = lists_[guarded].oldest;
        take_out(oldest);
        push_newest(oldest, probation);
    }
}

Entry* Shard::next_victim(Entry* after) const {
    if (after == nullptr) {
        return lists_[probation].oldest != nullptr ? lists_[probation].oldest : lists_[guarded].oldest;
    }
    if (after->links_.newer != nullptr) return after->links_.newer;
    return after->links_.segment == probation ? lists_[guarded].oldest : nullptr;
}

// Moves the candidate from the window into the main part, if what has to go for it is asked for less often than it is,
// all victims together (Einziger et al., size-aware TinyLFU with aggregated victims). False: it has to go itself.
bool Shard::admit(Entry* candidate, Millis now, Leaving& leaving) {
    std::size_t size = candidate->footprint_;
    if (size > main_room_) return false;
    std::size_t used = main_bytes();
    std::size_t needed = used + size > main_room_ ? used + size - main_room_ : 0;
    unsigned wanted = sketch_.estimate(candidate->links_.hash);
    // Now and then a popular loser wins, so that chosen collisions in the sketch cannot lock the main part.
    bool lucky = wanted >= 6 && (random_.next() & 127) == 0;
    unsigned lost = 0;
    std::size_t gained = 0;
    std::size_t victims = 0;
    for (Entry* victim = next_victim(nullptr); gained < needed; victim = next_victim(victim)) {
        if (victim == nullptr || ++victims > most_victims) return false;
        if (victim->validity_.keep_until > now) lost += sketch_.estimate(victim->links_.hash);
        if (lost >= wanted && lost != 0 && !lucky) return false;
        gained += victim->footprint_;
    }
    for (; victims > 0; --victims) {
        Entry* victim = next_victim(nullptr);
        bool is_expired = victim->validity_.keep_until <= now;
        unlink(victim, leaving);
        ++(is_expired ? counts_.expired : counts_.evicted);
    }
    take_out(candidate);
    push_newest(candidate, probation);
    return true;
}

void Shard::check() const {
    std::size_t entries = 0;
    for (std::size_t segment = 0; segment < segment_count; ++segment) {
        std::size_t bytes = 0;
        Entry* newer = nullptr;
        for (Entry* entry = lists_[segment].newest; entry != nullptr; entry = entry->links_.older) {
            ensure(entry->links_.newer == newer && entry->links_.segment == segment);
            ensure(look_up(entry->links_.hash, entry->key()) == entry, entry->key());
            bytes += entry->footprint_;
            ++entries;
            newer = entry;
        }
        ensure(lists_[segment].oldest == newer && lists_[segment].bytes == bytes, lists_[segment].bytes, bytes);
    }
    ensure(entries == counts_.entries, entries, counts_.entries);
    std::size_t by_resource = 0;
    for (Entry* chain : resources_) {
        for (Entry* entry = chain; entry != nullptr; entry = entry->links_.next_of_resource) ++by_resource;
    }
    ensure(by_resource == entries, by_resource, entries);
    ensure(lists_[window].bytes <= window_room_ && main_bytes() <= main_room_, lists_[window].bytes, main_bytes());
    ensure(lists_[guarded].bytes <= guarded_room_, lists_[guarded].bytes, guarded_room_);
}

}  // namespace cache
