// MemoryAnswers: strategy memory, one for all cores and all uses of the plugin that name the same dictionary and size;
// it outlives reloads. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "cache/store.h"
#include "plugin/purge.h"
#include "plugin/shows_answers.h"
#include "plugin/states.h"
#include "plugins/proxy_cache_storage.h"

namespace plugin {

class MemoryAnswers final : public CacheStorage, public Measured, public Purgeable, public ShowsAnswers {
  public:
    MemoryAnswers(std::string name, std::string label, const cache::StoreLimits& limits, std::uint64_t seed);
    [[nodiscard]] static std::shared_ptr<MemoryAnswers> open(Shared& shared, const CacheMemory& memory);

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] bool is_slow() const override { return false; }
    [[nodiscard]] cache::EntryPointer find(Exchange& exchange, CacheNote& note,
                                           std::span<const std::string_view> keys) override;
    void begin_fetch(CacheNote& note) override { note.ticket = store_.ticket(); }
    void put(Exchange& exchange, CacheNote& note, const ProxyCacheConfig& config) override;
    void replace(Exchange& exchange, const CacheNote& note, const cache::EntryPointer& entry) override;
    void remove(Exchange&, const cache::Entry& entry) override { store_.remove(entry.key()); }
    void invalidate(Exchange&, std::string_view resource) override { store_.remove_resource(resource); }

    void measure(std::vector<observe::Sample>& samples) const override;
    base::Task<base::Result<std::uint64_t>> purge(Worker& worker, PurgeBy by, std::string text) override;
    base::Task<base::Result<std::optional<std::string>>> show(Worker& worker, std::string key) override;

  private:
    [[nodiscard]] cache::EntryPointer find_one(Exchange& exchange, CacheNote& note, std::string_view key,
                                               cache::Millis now);

    std::string name_;
    std::string label_;
    cache::MemoryStore store_;
    std::atomic<std::uint64_t> generation_;  // of Vary markers; never given twice
};

}  // namespace plugin
