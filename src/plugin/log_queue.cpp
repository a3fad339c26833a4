#include "plugin/log_queue.h"

#include <fmt/format.h>

namespace plugin {

namespace {
constexpr std::size_t plain_batch = 100;
constexpr unsigned most_parallel = 8;  // of concurrency_limit -1
// A serving core's way to the Courier: some thousands of records, or a tenth of a second of a busy core.
constexpr std::size_t ring_bytes = 4 * 1024 * 1024;

net::Milliseconds milliseconds(Seconds seconds) {
    return net::Milliseconds(static_cast<std::int64_t>(seconds.count() * 1000 + 0.5));
}
}  // namespace

delivery::QueueSettings QueueFields::settings() const {
    delivery::QueueSettings out;
    out.most_entries = max_entries;
    if (max_bytes) out.most_bytes = *max_bytes;
    out.batch_size = max_batch_size;
    out.coalescing_delay = milliseconds(max_coalescing_delay);
    out.retry_time = milliseconds(max_retry_time);
    out.first_retry_delay = milliseconds(initial_retry_delay);
    out.longest_retry_delay = milliseconds(max_retry_delay);
    out.parallel = concurrency_limit == -1 ? most_parallel : 1;
    return out;
}

delivery::QueueSettings plain_queue() {
    delivery::QueueSettings out;
    out.batch_size = plain_batch;
    out.coalescing_delay = net::Milliseconds(0);
    return out;
}

LogCourier::LogCourier(std::unique_ptr<delivery::Courier> courier, MakeDatagrams make_datagrams)
    : make_datagrams_(std::move(make_datagrams)), courier_(std::move(courier)) {}

base::Result<std::shared_ptr<LogCourier>> LogCourier::of(Shared& shared) {
    base::Result<void> started;
    auto courier = shared.state<LogCourier>("", [&]() -> std::shared_ptr<LogCourier> {
        auto made = delivery::Courier::start(
            {.ring_bytes = ring_bytes, .farewell = shared.farewell / 10 * 9, .farewell_retries = shared.farewell / 10});
        if (made) return std::make_shared<LogCourier>(std::move(*made));
        started = std::move(made).error();
        return nullptr;
    });
    if (!started) return std::move(started).error();
    return courier;
}

void LogCourier::measure(std::vector<observe::Sample>& samples) const {
    struct Sum {
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0;
        std::uint64_t lost = 0;
        std::uint64_t retries = 0;
    };
    std::map<std::string, Sum> sums;  // several uses may go to one place
    courier_->each([&](const std::string& name, const delivery::Counts& counts) {
        Sum& sum = sums[name];
        sum.sent += counts.sent.load(std::memory_order_relaxed);
        sum.dropped += counts.dropped.load(std::memory_order_relaxed);
        sum.lost += counts.lost.load(std::memory_order_relaxed);
        sum.retries += counts.retries.load(std::memory_order_relaxed);
    });
    for (const auto& [name, sum] : sums)
        for (auto [outcome, value] :
             {std::pair{"sent", sum.sent}, {"dropped", sum.dropped}, {"lost", sum.lost}, {"retried", sum.retries}})
            samples.push_back({"log_entries_total",
                               "Entries of log plugins: sent, dropped for want of room, lost after all retries; and "
                               "batches that were tried again.",
                               "counter",
                               {{"to", name}, {"outcome", outcome}},
                               static_cast<double>(value)});
}

base::Result<LogQueue> LogQueue::open(const Setup& setup, const std::string& name, const std::string& settings_text,
                                      const delivery::QueueSettings& settings, MakeSender make_sender) {
    TRY(courier, LogCourier::of(setup.shared));
    std::string key = fmt::format(
        "{}\n{}\n{}\n{} {} {} {} {} {} {} {}", setup.state_key(), name, settings_text, settings.most_entries,
        settings.most_bytes, settings.batch_size, settings.coalescing_delay.count(), settings.retry_time.count(),
        settings.first_retry_delay.count(), settings.longest_retry_delay.count(), settings.parallel);
    delivery::Surroundings surroundings{setup.resolver, setup.overrides};
    LogQueue queue;
    queue.outbox_ = courier->courier().open(
        key, name, settings, [make = std::move(make_sender), &owner = *courier, surroundings](net::Loop& loop) {
            return make(loop, owner, surroundings);
        });
    queue.courier_ = std::move(courier);
    return queue;
}

}  // namespace plugin
