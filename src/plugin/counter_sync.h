// CounterSync: one core's exchange with Redis every so often: says what this process has counted since the last time,
// and learns what all nodes have together. What could not be said is said the next time; what may or may not have
// arrived is said again, so that nobody passes because of it.
#pragma once

#include <memory>
#include <vector>

#include "base/task.h"
#include "net/timer.h"
#include "plugin/redis_counting.h"
#include "plugin/states.h"
#include "plugin/window_counters.h"

namespace plugin {

class CounterSync {
  public:
    static constexpr std::size_t most_at_once = 512;  // counters, in one go

    CounterSync(Worker& worker, std::weak_ptr<WindowCounters> counters);
    CounterSync(const CounterSync&) = delete;

    // How, from now on. `failures` are told each exchange that went wrong.
    void use(redis::Lease client, CounterKeys keys, std::shared_ptr<RedisFailures> failures);
    void soon(net::Milliseconds interval);
    [[nodiscard]] bool is_of(const std::weak_ptr<WindowCounters>& counters) const;
    [[nodiscard]] bool is_over() const { return counters_.expired(); }

  private:
    void begin();
    base::Task<void> run();
    base::Task<bool> tell(WindowCounters& counters, std::vector<WindowCounters::Unsynced> batch);

    Worker& worker_;
    const std::weak_ptr<WindowCounters> counters_;
    redis::Lease lease_;
    CounterKeys keys_;
    std::shared_ptr<RedisFailures> failures_;
    net::Timer timer_;
    bool is_armed_ = false;
    bool is_wanted_ = false;  // again, once the exchange under way is over
    base::Task<void> running_;
};

// Those of one core, for all its counters; see Worker::state(). Lives as long as the core.
class CounterSyncs {
  public:
    explicit CounterSyncs(Worker& worker) : worker_(worker) {}
    // Lives as long as the counters do.
    [[nodiscard]] CounterSync& of(const std::shared_ptr<WindowCounters>& counters);

  private:
    Worker& worker_;
    std::vector<std::unique_ptr<CounterSync>> syncs_;
};

}  // namespace plugin
