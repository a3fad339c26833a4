// What the log plugins share besides the record: Kong's `queue` settings, the process's one Courier, and a plugin's way
// to its place. A plugin opens a LogQueue in prepare() and puts entries in on_log(); nothing there ever waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/work_thread.h"
#include "delivery/courier.h"
#include "delivery/datagrams.h"
#include "plugin/custom_fields.h"
#include "plugin/type.h"

namespace plugin {

using Seconds = std::chrono::duration<double>;

// kong.md 4.21.
struct QueueFields {
    std::uint32_t max_batch_size = 1;
    Seconds max_coalescing_delay{1};
    std::uint32_t max_entries = 10'000;
    std::optional<std::uint64_t> max_bytes;
    Seconds max_retry_time{60};
    Seconds initial_retry_delay{0.01};
    Seconds max_retry_delay{60};
    std::int32_t concurrency_limit = 1;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("max_batch_size", &QueueFields::max_batch_size, "Most entries that are sent together.")
                .between(1, 1'000'000),
            field("max_coalescing_delay", &QueueFields::max_coalescing_delay,
                  "Longest wait for a batch to fill after its first entry.")
                .between(0, 3600),
            field("max_entries", &QueueFields::max_entries, "Entries that may wait; beyond it the oldest are dropped.")
                .between(1, 1'000'000),
            field("max_bytes", &QueueFields::max_bytes, "Bytes that may wait, the same way; 64 MiB if absent.")
                .at_least(1),
            field("max_retry_time", &QueueFields::max_retry_time,
                  "How long a batch that cannot be sent is tried again before it is lost.")
                .at_least(0),
            field("initial_retry_delay", &QueueFields::initial_retry_delay, "Before the first retry; then it doubles.")
                .between(0.001, 1'000'000),
            field("max_retry_delay", &QueueFields::max_retry_delay, "Longest wait between two retries.")
                .between(0.001, 1'000'000),
            field("concurrency_limit", &QueueFields::concurrency_limit,
                  "Batches under way at once: 1, or -1 for more (8)."));
    }
    void check(schema::Checks& checks) const {
        if (concurrency_limit != 1 && concurrency_limit != -1)
            checks.field("concurrency_limit", "expected one of: -1, 1");
    }
    [[nodiscard]] delivery::QueueSettings settings() const;
};

// Older names of them.
inline constexpr std::array<Alias, 2> queue_aliases{
    {{"queue_size", "queue.max_batch_size"}, {"flush_timeout", "queue.max_coalescing_delay"}}};

inline constexpr std::string_view custom_fields_help =
    "Members of the record that are added, replaced or, with nil, removed: `return` and an expression as in "
    "request-transformer's templates; no other Lua.";

// The Courier of the process while some log plugin is configured.
class LogCourier final : public Measured {
  public:
    using MakeDatagrams = std::function<std::unique_ptr<delivery::Datagrams>()>;
    explicit LogCourier(std::unique_ptr<delivery::Courier> courier,
                        MakeDatagrams make_datagrams = delivery::system_datagrams);
    void measure(std::vector<observe::Sample>& samples) const override;

    // The one there is; a test may put its own there first.
    static base::Result<std::shared_ptr<LogCourier>> of(Shared& shared);

    [[nodiscard]] delivery::Courier& courier() { return *courier_; }
    [[nodiscard]] const MakeDatagrams& make_datagrams() const { return make_datagrams_; }

  private:
    MakeDatagrams make_datagrams_;
    std::unique_ptr<delivery::Courier> courier_;  // ends first: it uses the other
};

class LogQueue {
  public:
    using MakeSender = std::function<std::unique_ptr<delivery::Sender>(net::Loop& loop, LogCourier& courier,
                                                                       const delivery::Surroundings& surroundings)>;
    // `settings_text` tells these settings from others of the same use of the plugin, so that a reload that changes
    // nothing goes on with the queue there is. `name` is for the log and the metrics.
    static base::Result<LogQueue> open(const Setup& setup, const std::string& name, const std::string& settings_text,
                                       const delivery::QueueSettings& settings, MakeSender make_sender);
    LogQueue() = default;
    void put(std::string_view entry) const { outbox_->put(entry); }

  private:
    std::shared_ptr<LogCourier> courier_;
    std::shared_ptr<delivery::Outbox> outbox_;  // goes first
};

// Of plugins whose protocol has no queue in Kong: all that waits goes out together.
[[nodiscard]] delivery::QueueSettings plain_queue();

}  // namespace plugin
