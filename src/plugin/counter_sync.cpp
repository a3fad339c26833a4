#include "plugin/counter_sync.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/arena.h"

namespace plugin {

CounterSync::CounterSync(Worker& worker, std::weak_ptr<WindowCounters> counters)
    : worker_(worker), counters_(std::move(counters)) {
    timer_.set([](void* self) { static_cast<CounterSync*>(self)->begin(); }, this);
}

void CounterSync::use(redis::Lease client, CounterKeys keys, std::shared_ptr<RedisFailures> failures) {
    lease_ = std::move(client);
    keys_ = std::move(keys);
    failures_ = std::move(failures);
}

void CounterSync::soon(net::Milliseconds interval) {
    if (std::exchange(is_armed_, true)) return;
    timer_.arm(worker_.loop.timers(), net::after(worker_.loop.now(), interval));
}

bool CounterSync::is_of(const std::weak_ptr<WindowCounters>& counters) const {
    return !counters_.owner_before(counters) && !counters.owner_before(counters_);
}

void CounterSync::begin() {
    is_armed_ = false;
    is_wanted_ = running_.is_valid() && !running_.is_done();
    if (is_wanted_) return;
    running_ = run();
    running_.start();
}

// Until all that was known when the time was up has been said.
base::Task<void> CounterSync::run() {
    std::shared_ptr<WindowCounters> counters = counters_.lock();
    while (counters) {
        std::vector<WindowCounters::Unsynced> batch = counters->collect(most_at_once);
        if (batch.empty()) co_return;
        bool is_last = batch.size() < most_at_once;
        base::Task<bool> telling = tell(*counters, std::move(batch));
        bool has_told = co_await std::move(telling);
        if (!has_told) {
            failures_->add(worker_.index);
            is_wanted_ = false;
            soon(lease_.client->settings().read_timeout);
            co_return;
        }
        if (is_last && !std::exchange(is_wanted_, false)) co_return;
    }
}

base::Task<bool> CounterSync::tell(WindowCounters& counters, std::vector<WindowCounters::Unsynced> batch) {
    base::Arena arena;
    redis::Lease lease = lease_;  // a reload may bring another one meanwhile
    redis::Client& client = *lease.client;
    std::vector<std::unique_ptr<redis::Call>> calls;
    calls.reserve(batch.size());
    net::Instant deadline = net::after(worker_.loop.now(), client.settings().read_timeout);
    for (const WindowCounters::Unsynced& each : batch) {
        std::string used = std::to_string(static_cast<std::int64_t>(each.used));
        std::string time = std::to_string(longest(each.limit.period));
        std::array<std::string_view, 1> keys{keys_.key(arena, each.identifier, each.limit.period, each.start)};
        std::array<std::string_view, 2> arguments{used, time};
        calls.emplace_back(new redis::Call(client.run(count_script(), keys, arguments, deadline)));
    }
    bool has_told = true;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        base::Result<redis::Reply> reply = co_await *calls[i];
        std::optional<std::int64_t> total;
        if (reply && reply->is_array() && reply->elements().size() == 1) total = reply->elements()[0].integer();
        if (total)
            counters.settle(batch[i], static_cast<double>(*total));
        else
            counters.put_back(batch[i]);
        has_told = has_told && total.has_value();
    }
    co_return has_told;
}

CounterSync& CounterSyncs::of(const std::shared_ptr<WindowCounters>& counters) {
    auto found = std::ranges::find_if(syncs_, [&](const auto& sync) { return sync->is_of(counters); });
    if (found != syncs_.end()) return **found;
    std::erase_if(syncs_, [](const auto& sync) { return sync->is_over(); });
    return *syncs_.emplace_back(std::make_unique<CounterSync>(worker_, counters));
}

}  // namespace plugin
