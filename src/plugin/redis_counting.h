// What the plugins that count in Redis share: the script, the keys, each core's client and the number of failures.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "plugin/states.h"
#include "plugin/window_counters.h"
#include "redis/client.h"

namespace plugin {

// Adds ARGV[1] to every key and answers what they are then, in one step for all; the first who counts says how long the
// counter lives: ARGV[2] of the first key, ARGV[3] of the second...
[[nodiscard]] const redis::Script& count_script();

// Keys as Kong builds them; in a Cluster, all of one identifier lie on one node.
class CounterKeys {
  public:
    CounterKeys() = default;
    CounterKeys(const redis::Settings& settings, std::string_view prefix)
        : before_((settings.is_cluster() ? "{" : "") + std::string(prefix)),
          after_(settings.is_cluster() ? "}:" : ":") {}
    // `start` of the window, in milliseconds. `name`: of the counter, if the identifier has several in one period.
    [[nodiscard]] std::string_view key(base::Arena& arena, std::string_view identifier, Period period,
                                       std::int64_t start, std::string_view name = {}) const;

  private:
    std::string before_;
    std::string after_;
};

// The clients that one configuration of a plugin uses, each core its own. They go with it.
class CoreClients {
  public:
    CoreClients(redis::Settings settings, unsigned cores)
        : settings_(std::move(settings)), slots_(std::make_unique<redis::Lease[]>(cores)) {}
    [[nodiscard]] const redis::Settings& settings() const { return settings_; }
    // On the worker's thread.
    [[nodiscard]] redis::Client& of(Worker& worker) const { return *lease(worker).client; }
    [[nodiscard]] const redis::Lease& lease(Worker& worker) const;

  private:
    redis::Settings settings_;
    std::unique_ptr<redis::Lease[]> slots_;
};

// How often Redis could not be asked; on the metrics page. Each core adds to its own.
class RedisFailures : public Measured {
  public:
    // `metric` lives as long as the program.
    RedisFailures(std::string_view metric, std::string label, unsigned cores)
        : metric_(metric), label_(std::move(label)), cells_(cores) {}
    void add(unsigned core) { cells_[core].value.fetch_add(1, std::memory_order_relaxed); }
    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    struct alignas(64) Cell {
        std::atomic<std::uint64_t> value{0};
    };
    std::string_view metric_;
    std::string label_;
    std::vector<Cell> cells_;
};

}  // namespace plugin
