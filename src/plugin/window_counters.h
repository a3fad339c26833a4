// WindowCounters: how much each identifier has used of its limits in this process, exact over all cores: one lock per
// shard is held for the look at every limit and the taking together, so that of many requests at the same instant only
// as many pass as fit. Bounded; what is forgotten first is what is over, then what is used least. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text_hash.h"

namespace plugin {

enum class Period : std::uint8_t { second, minute, hour, day, month, year };
inline constexpr std::size_t period_count = 6;
[[nodiscard]] std::string_view name(Period period);
// Milliseconds since 1970 at which the calendar period (UTC) that `now` lies in began, and the next one begins.
[[nodiscard]] std::int64_t window_start(Period period, std::int64_t now);
[[nodiscard]] std::int64_t window_end(Period period, std::int64_t now);
// What Kong keeps a counter in Redis for, in seconds.
[[nodiscard]] std::int64_t longest(Period period);

enum class Counting : std::uint8_t {
    fixed,         // calendar windows, as Kong
    sliding,       // the window before counts in part, by how much of it still overlaps
    token_bucket,  // GCRA: a steady rate with a burst
};

struct Limit {
    Period period = Period::second;
    double most = 0;
    double burst = 0;  // token_bucket only
};

// Where one identifier stands with one limit.
struct Usage {
    double remaining = 0;            // after this request, never below 0
    std::int64_t reset_seconds = 1;  // until the window ends, or until something is free again
    bool is_over = false;
};
using Usages = std::array<Usage, period_count>;

class WindowCounters {
  public:
    static constexpr std::size_t most_identifiers = 1'000'000;

    explicit WindowCounters(std::size_t most = most_identifiers);

    // ---- for counts that other nodes share: from now on, what is taken is also remembered until it is collected.
    struct Unsynced {
        std::string identifier;
        Limit limit;
        std::int64_t start = 0;  // of the window
        double used = 0;         // since it was last collected
    };
    void remember_unsynced() { remembers_ = true; }
    [[nodiscard]] std::vector<Unsynced> collect(std::size_t most);
    // All nodes together have used `total` in that window, `synced` included. News may come late: it takes nothing
    // back.
    void settle(const Unsynced& synced, double total);
    // It was not said to the others: it is collected again.
    void put_back(const Unsynced& unsynced);

    // Takes `cost` from each limit if all have that much left; else nothing. `now`: milliseconds since 1970.
    // False: refused. usages[i] is about limits[i].
    bool take(std::string_view identifier, std::span<const Limit> limits, Counting counting, std::int64_t now,
              double cost, Usages& usages);
    // Only looks; `is_over`: nothing is left.
    void look(std::string_view identifier, std::span<const Limit> limits, Counting counting, std::int64_t now,
              Usages& usages);
    // Counts, whether or not it fits.
    void add(std::string_view identifier, std::span<const Limit> limits, Counting counting, std::int64_t now,
             double cost);
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t unsynced() const;  // windows to be collected

  private:
    struct Window {
        std::int64_t start = 0;  // token_bucket: the theoretical arrival time, in microseconds
        double used = 0;
        double previous = 0;     // of the window before
        double unsynced = 0;     // part of `used`
        bool is_listed = false;  // in `dirty`
    };
    struct Dirty {
        std::string identifier;
        Limit limit;
    };
    struct Entry {
        std::array<Window, period_count> windows{};
        std::int64_t over_at = 0;  // ms: nothing in it counts any more
    };
    struct alignas(64) Shard {
        mutable std::mutex lock;
        std::unordered_map<std::string, Entry, base::TextHash, std::equal_to<>> entries;
        std::size_t sweep_bucket = 0;
        std::vector<Dirty> dirty;  // windows with something unsynced, as many as there is room for
    };
    static constexpr std::size_t shard_count = 64;

    Shard& shard_of(std::string_view identifier);
    Entry& entry_of(Shard& shard, std::string_view identifier, std::int64_t now);
    static void make_room(Shard& shard, std::int64_t now, bool is_full);
    void note_unsynced(Shard& shard, std::string_view identifier, Window& window, const Limit& limit, double cost);
    static void roll(Window& window, const Limit& limit, Counting counting, std::int64_t now);
    static double left(const Window& window, const Limit& limit, Counting counting, std::int64_t now);
    static std::int64_t reset(const Window& window, const Limit& limit, Counting counting, std::int64_t now,
                              double cost);
    static void spend(Window& window, const Limit& limit, Counting counting, std::int64_t now, double cost);

    std::size_t most_per_shard_;
    std::atomic<bool> remembers_{false};
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace plugin
