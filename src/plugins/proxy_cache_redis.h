// RedisAnswers: strategy redis: stored answers that many nodes share. One look-up is one round trip (two where the
// answer varies). Whatever Redis does, a request goes on: what cannot be looked up in time counts as not stored.
//
// Invalidation needs no clock and no scan: each resource has a generation, all of them have one together, and an answer
// counts only while it carries the generations of now; it carries those of when its fetch began. On other nodes it
// takes effect when Redis has it, a network's delay after the answer to the unsafe request.
//
// In Redis:   cardea:cache:RESOURCE:X-CACHE-KEY:SHA256   generations, and the binary form of an entry
//             cardea:cache-of:SHA256         generation of a resource
//             cardea:cache-all               generation of everything
//             cardea:cache-tag:TAG           set of the names above it has
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "plugin/purge.h"
#include "plugin/redis_counting.h"
#include "plugin/redis_fields.h"
#include "plugin/shows_answers.h"
#include "plugin/states.h"
#include "plugins/proxy_cache_storage.h"

namespace plugin {

class RedisAnswers final : public CacheStorage, public Measured, public Purgeable, public ShowsAnswers {
  public:
    RedisAnswers(redis::Settings settings, std::string name, unsigned cores);
    [[nodiscard]] static base::Result<std::shared_ptr<RedisAnswers>> open(const Setup& setup,
                                                                          const RedisFields& fields);

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] bool is_slow() const override { return true; }
    [[nodiscard]] base::Task<cache::EntryPointer> wait_find(Exchange& exchange, CacheNote& note,
                                                            std::vector<std::string_view> keys) override;
    void put(Exchange& exchange, CacheNote& note, const ProxyCacheConfig& config) override;
    void replace(Exchange& exchange, const CacheNote& note, const cache::EntryPointer& entry) override;
    void remove(Exchange& exchange, const cache::Entry& entry) override;
    void invalidate(Exchange& exchange, std::string_view resource) override;

    void measure(std::vector<observe::Sample>& samples) const override;
    base::Task<base::Result<std::uint64_t>> purge(Worker& worker, PurgeBy by, std::string text) override;
    base::Task<base::Result<std::optional<std::string>>> show(Worker& worker, std::string key) override;

  private:
    void store(Exchange& exchange, const CacheNote& note, const cache::EntryPointer& entry);
    base::Task<base::Result<std::optional<std::string>>> shown(redis::Client& client, std::string name);
    [[nodiscard]] cache::EntryPointer checked(const redis::Reply& reply, std::string_view key, const CacheNote& note,
                                              cache::Millis now);
    base::Task<base::Result<std::uint64_t>> purge_tagged(redis::Client& client, std::string set);
    base::Task<base::Result<std::uint64_t>> purge_matching(redis::Client& client, std::string pattern);

    CoreClients clients_;
    std::string name_;
    std::atomic<std::uint64_t> failures_ = 0;
    std::atomic<std::uint64_t> broken_ = 0;
};

}  // namespace plugin
