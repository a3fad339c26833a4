// Lane: the queue of one place that entries go to, and the coroutines that empty it (kong.md 4.21, the queue record):
// bounded in entries and bytes, where the oldest make room for the newest; batches after a coalescing delay; retries
// that double. Lives on the Courier's loop; whatever its place does, nobody waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/sender.h"
#include "delivery/signal.h"
#include "observe/log.h"

namespace delivery {

struct QueueSettings {
    std::size_t most_entries = 10'000;
    std::uint64_t most_bytes = 64 * 1024 * 1024;  // Kong has no bound unless one is set
    std::size_t batch_size = 1;
    net::Milliseconds coalescing_delay{1'000};
    net::Milliseconds retry_time{60'000};
    net::Milliseconds first_retry_delay{10};
    net::Milliseconds longest_retry_delay{60'000};
    unsigned parallel = 1;  // batches under way at once

    bool operator==(const QueueSettings&) const = default;
};

// Read by any thread.
struct Counts {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> dropped{0};  // for want of room, here or on the way here
    std::atomic<std::uint64_t> lost{0};     // given up after all retries
    std::atomic<std::uint64_t> retries{0};
};

using MakeSender = std::function<std::unique_ptr<Sender>(net::Loop& loop)>;

class Lane {
  public:
    // `name` is for the log. `on_end` is called when a closed lane is empty, by the lane itself: it must live on for
    // now.
    Lane(net::Loop& loop, std::string name, const QueueSettings& settings, const MakeSender& make_sender,
         std::shared_ptr<Counts> counts, std::function<void()> on_end);
    Lane(const Lane&) = delete;
    ~Lane();

    void push(std::string_view entry);
    // Nothing more will come: sends what there is, and ends.
    void close();
    // No retries any more: what fails now is lost.
    void hurry();
    [[nodiscard]] std::size_t waiting() const { return entries_.size(); }
    [[nodiscard]] std::uint64_t waiting_bytes() const { return bytes_; }

  private:
    struct Worker {
        std::unique_ptr<Sender> sender;
        Signal signal;
        bool is_idle = false;
        base::Task<void> task;
    };
    base::Task<void> work(Worker& worker);
    base::Task<void> coalesce(Worker& worker);
    base::Task<void> deliver(Worker& worker, std::vector<std::string> batch);
    std::vector<std::string> take_batch();
    void report_drops();
    void wake(bool only_idle);

    net::Loop& loop_;
    const std::string name_;
    const QueueSettings settings_;
    std::shared_ptr<Counts> counts_;
    std::function<void()> on_end_;
    std::deque<std::string> entries_;
    std::uint64_t bytes_ = 0;
    net::Instant oldest_ = 0;  // when the first of those that wait came
    bool is_closed_ = false;
    bool is_hurried_ = false;
    unsigned running_ = 0;
    observe::Throttle drops_;
    observe::Throttle losses_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace delivery
