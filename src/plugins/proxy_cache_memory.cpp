#include "plugins/proxy_cache_memory.h"

#include <algorithm>
#include <random>

namespace plugin {

using cache::EntryKind;
using cache::EntryPointer;

// Look-ups of a core between two steps of giving back what is past its time.
constexpr unsigned expire_every = 256;
// Of a walk over everything, between two turns of the loop.
constexpr unsigned steps_a_turn = 8;
constexpr std::size_t usual_answer = (1024 + 64) * 1024;

namespace {
cache::Purge purge_of(PurgeBy by) {
    switch (by) {
        case PurgeBy::all:
            return cache::Purge::all;
        case PurgeBy::key:
            return cache::Purge::key_prefix;
        case PurgeBy::prefix:
            return cache::Purge::resource_prefix;
        case PurgeBy::tag:
            return cache::Purge::tag;
    }
    return cache::Purge::all;
}
}  // namespace

MemoryAnswers::MemoryAnswers(std::string name, std::string label, const cache::StoreLimits& limits, std::uint64_t seed)
    : name_(std::move(name)), label_(std::move(label)), store_(limits, seed), generation_(base::mixed(seed)) {}

std::shared_ptr<MemoryAnswers> MemoryAnswers::open(Shared& shared, const CacheMemory& memory) {
    std::string name = "memory " + memory.dictionary_name + "/" + std::to_string(memory.size.value);
    return shared.state<MemoryAnswers>(name, [&] {
        std::random_device entropy;  // once: keys are spread where nobody can foresee it
        std::uint64_t seed = std::uint64_t{entropy()} << 32 | entropy();
        cache::StoreLimits limits;
        limits.capacity = memory.size.value;
        // Small against a shard, so that there are several, and never so small that usual answers do not fit.
        limits.most_entry = std::max(limits.capacity / 64, std::min(limits.capacity / 8, usual_answer));
        return std::make_shared<MemoryAnswers>(name, memory.dictionary_name, limits, seed);
    });
}

EntryPointer MemoryAnswers::find_one(Exchange& exchange, CacheNote& note, std::string_view key, cache::Millis now) {
    EntryPointer entry = store_.find(key, now);
    if (!entry || entry->kind() == EntryKind::response) return entry;
    std::string variant = variant_key(key, *entry, exchange.request.headers);
    entry = store_.find(variant, now);
    if (entry && entry->kind() == EntryKind::response) return entry;
    if (key == note.main_key()) note.lookup_key = exchange.arena.copy(variant);
    return {};
}

EntryPointer MemoryAnswers::find(Exchange& exchange, CacheNote& note, std::span<const std::string_view> keys) {
    cache::Millis now = exchange.worker.loop.wall_now();
    static thread_local unsigned looked_up = 0;
    if (++looked_up % expire_every == 0) store_.expire(now);
    for (std::string_view key : keys)
        if (EntryPointer entry = find_one(exchange, note, key, now)) return entry;
    return {};
}

void MemoryAnswers::put(Exchange& exchange, CacheNote& note, const ProxyCacheConfig& config) {
    cache::Millis now = exchange.worker.loop.wall_now();
    if (note.fetch->vary.kind() == cache::VaryNames::Kind::none) {
        store_.insert(entry_of(note, config, note.fetch->key), note.ticket, now);
        return;
    }
    EntryPointer marker = store_.find(note.fetch->key, now);
    bool fits = marker && marker->kind() == EntryKind::vary_marker && marker->vary() == note.fetch->vary.text();
    if (!fits || marker->validity().keep_until < note.fetch->validity.keep_until) {
        std::uint64_t generation = fits ? marker->generation() : generation_.fetch_add(1, std::memory_order_relaxed);
        marker = vary_marker_of(note, generation);
        if (!marker) return;
        store_.insert(marker, note.ticket, now);
    }
    store_.insert(entry_of(note, config, variant_key(note.fetch->key, *marker, note.asked_headers(exchange))),
                  note.ticket, now);
}

void MemoryAnswers::replace(Exchange& exchange, const CacheNote& note, const EntryPointer& entry) {
    store_.insert(entry, note.ticket, exchange.worker.loop.wall_now());
}

void MemoryAnswers::measure(std::vector<observe::Sample>& samples) const {
    cache::StoreCounts counts = store_.counts();
    auto add = [&](std::string_view name, std::string_view help, std::string_view type, std::uint64_t value) {
        samples.push_back({std::string(name),
                           std::string(help),
                           std::string(type),
                           {{"dictionary", label_}},
                           static_cast<double>(value)});
    };
    add("proxy_cache_bytes", "Memory that stored answers take, tables included.", "gauge", counts.bytes);
    add("proxy_cache_entries", "Stored answers.", "gauge", counts.entries);
    add("proxy_cache_hits_total", "Look-ups that found something.", "counter", counts.hits);
    add("proxy_cache_misses_total", "Look-ups that found nothing.", "counter", counts.misses);
    add("proxy_cache_evicted_total", "Answers pushed out by others, or not let in.", "counter",
        counts.evicted + counts.not_admitted);
    add("proxy_cache_removed_total", "Answers invalidated or purged.", "counter", counts.removed);
}

base::Task<base::Result<std::optional<std::string>>> MemoryAnswers::show(Worker& worker, std::string key) {
    cache::MemoryStore::Search search{.key_prefix = std::move(key)};
    for (unsigned step = 1; store_.go_on(search); ++step)
        if (step % steps_a_turn == 0) co_await net::sleep_until(worker.loop, worker.loop.now() + 1);
    std::optional<std::string> out;
    if (EntryPointer entry = store_.find(search.key, worker.loop.wall_now())) out = json_of(*entry);
    co_return out;
}

base::Task<base::Result<std::uint64_t>> MemoryAnswers::purge(Worker& worker, PurgeBy by, std::string text) {
    cache::MemoryStore::Purging purging = store_.begin_purge(purge_of(by), std::move(text));
    for (unsigned step = 1; store_.go_on(purging); ++step)
        // A turn of the loop, so that a large store keeps no request of this core waiting.
        if (step % steps_a_turn == 0) co_await net::sleep_until(worker.loop, worker.loop.now() + 1);
    co_return purging.removed;
}

}  // namespace plugin
