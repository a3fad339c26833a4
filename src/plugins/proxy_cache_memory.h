// MemoryAnswers: the stored answers of strategy memory, one for all cores and uses of the plugin that name the same
// dictionary; it outlives reloads. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <string>

#include "cache/store.h"
#include "plugin/states.h"
#include "plugins/proxy_cache_settings.h"

namespace plugin {

class MemoryAnswers : public cache::MemoryStore {
  public:
    MemoryAnswers(std::string name, const cache::StoreLimits& limits, std::uint64_t seed)
        : MemoryStore(limits, seed), name_(std::move(name)), generation_(base::mixed(seed)) {}

    [[nodiscard]] static std::shared_ptr<MemoryAnswers> open(Shared& shared, const CacheMemory& memory) {
        std::string name = memory.dictionary_name + "/" + std::to_string(memory.size.value);
        return shared.state<MemoryAnswers>(name, [&] {
            std::random_device entropy;  // start-up only: keys are spread where nobody can foresee it
            std::uint64_t seed = std::uint64_t{entropy()} << 32 | entropy();
            cache::StoreLimits limits;
            limits.capacity = memory.size.value;
            limits.most_entry = limits.capacity / 8;
            return std::make_shared<MemoryAnswers>(name, limits, seed);
        });
    }

    [[nodiscard]] const std::string& name() const { return name_; }
    // Of a Vary marker; never given twice.
    [[nodiscard]] std::uint64_t new_generation() { return generation_.fetch_add(1, std::memory_order_relaxed); }

  private:
    std::string name_;
    std::atomic<std::uint64_t> generation_;
};

}  // namespace plugin
