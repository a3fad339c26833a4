#include "plugin/window_counters.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace plugin {

namespace {

constexpr std::array<std::int64_t, period_count> lengths{1'000,      60'000,        3'600'000,
                                                         86'400'000, 2'592'000'000, 31'536'000'000};
constexpr std::size_t swept_per_insert = 4;  // buckets

std::int64_t length(Period period) { return lengths[static_cast<std::size_t>(period)]; }

std::chrono::year_month_day day_of(std::int64_t now) {
    using namespace std::chrono;
    return year_month_day(floor<days>(sys_time<milliseconds>(milliseconds(now))));
}

std::int64_t milliseconds_of(std::chrono::year_month_day day) {
    using namespace std::chrono;
    return duration_cast<milliseconds>(sys_days(day).time_since_epoch()).count();
}

// Microseconds between two tokens.
double interval(const Limit& limit) { return static_cast<double>(length(limit.period)) * 1000.0 / limit.most; }

}  // namespace

std::string_view name(Period period) {
    constexpr std::array<std::string_view, period_count> names{"second", "minute", "hour", "day", "month", "year"};
    return names[static_cast<std::size_t>(period)];
}

std::int64_t window_start(Period period, std::int64_t now) {
    using namespace std::chrono;
    switch (period) {
        case Period::month:
            return milliseconds_of(day_of(now).year() / day_of(now).month() / day(1));
        case Period::year:
            return milliseconds_of(day_of(now).year() / January / day(1));
        default:
            return now - now % length(period);
    }
}

std::int64_t window_end(Period period, std::int64_t now) {
    using namespace std::chrono;
    switch (period) {
        case Period::month: {
            year_month next = day_of(now).year() / day_of(now).month() + months(1);
            return milliseconds_of(next / day(1));
        }
        case Period::year:
            return milliseconds_of((day_of(now).year() + years(1)) / January / day(1));
        default:
            return window_start(period, now) + length(period);
    }
}

std::int64_t longest(Period period) { return length(period) / 1000; }

WindowCounters::WindowCounters(std::size_t most)
    : most_per_shard_(std::max<std::size_t>(1, most / shard_count)), shards_(std::make_unique<Shard[]>(shard_count)) {}

WindowCounters::Shard& WindowCounters::shard_of(std::string_view identifier) {
    std::size_t hash = base::TextHash()(identifier);
    return shards_[(hash >> 40 ^ hash) % shard_count];
}

// Forgets what is over, a few buckets at a time; if the shard is full and nothing is, the one that is used least of a
// few: a client that is close to its limit is remembered while others come and go.
void WindowCounters::make_room(Shard& shard, std::int64_t now, bool is_full) {
    auto& entries = shard.entries;
    std::size_t buckets = entries.bucket_count();
    std::string least;
    double least_used = 0;
    bool has_least = false;
    for (std::size_t i = 0; i < (is_full ? 4 * swept_per_insert : swept_per_insert) && !entries.empty(); ++i) {
        std::size_t bucket = shard.sweep_bucket++ % buckets;
        std::string over;
        bool has_over = false;
        for (auto entry = entries.cbegin(bucket); entry != entries.cend(bucket); ++entry) {
            double used = 0;
            for (const Window& window : entry->second.windows) used += window.used;
            if (entry->second.over_at <= now) {
                over = entry->first;
                has_over = true;
            } else if (!has_least || used < least_used) {
                least = entry->first;
                least_used = used;
                has_least = true;
            }
        }
        if (has_over) entries.erase(over);
        is_full = is_full && !has_over;
    }
    if (is_full && !entries.empty()) entries.erase(has_least ? entries.find(least) : entries.begin());
}

WindowCounters::Entry& WindowCounters::entry_of(Shard& shard, std::string_view identifier, std::int64_t now) {
    auto found = shard.entries.find(identifier);
    if (found != shard.entries.end()) return found->second;
    make_room(shard, now, shard.entries.size() >= most_per_shard_);
    return shard.entries.emplace(std::string(identifier), Entry{}).first->second;
}

void WindowCounters::roll(Window& window, const Limit& limit, Counting counting, std::int64_t now) {
    if (counting == Counting::token_bucket) return;
    std::int64_t start = window_start(limit.period, now);
    if (start == window.start) return;
    // A clock that went back keeps the window that it has counted in.
    if (start < window.start) return;
    bool is_next = window.start != 0 && window_end(limit.period, window.start) == start;
    window.previous = is_next ? window.used : 0;
    window.used = 0;
    window.unsynced = 0;
    window.start = start;
}

void WindowCounters::note_unsynced(Shard& shard, std::string_view identifier, Window& window, const Limit& limit,
                                   double cost) {
    if (!remembers_.load(std::memory_order_relaxed)) return;
    window.unsynced += cost;
    if (window.is_listed || shard.dirty.size() >= most_per_shard_) return;
    shard.dirty.push_back({std::string(identifier), limit});
    window.is_listed = true;
}

std::vector<WindowCounters::Unsynced> WindowCounters::collect(std::size_t most) {
    std::vector<Unsynced> out;
    for (std::size_t i = 0; i < shard_count; ++i) {
        Shard& shard = shards_[i];
        std::lock_guard guard(shard.lock);
        while (!shard.dirty.empty() && out.size() < most) {
            Dirty dirty = std::move(shard.dirty.back());
            shard.dirty.pop_back();
            auto found = shard.entries.find(dirty.identifier);
            if (found == shard.entries.end()) continue;
            Window& window = found->second.windows[static_cast<std::size_t>(dirty.limit.period)];
            window.is_listed = false;
            if (window.unsynced == 0) continue;
            out.push_back({std::move(dirty.identifier), dirty.limit, window.start, std::exchange(window.unsynced, 0)});
        }
    }
    return out;
}

void WindowCounters::settle(const Unsynced& synced, double total) {
    Shard& shard = shard_of(synced.identifier);
    std::lock_guard guard(shard.lock);
    auto found = shard.entries.find(synced.identifier);
    if (found == shard.entries.end()) return;
    Window& window = found->second.windows[static_cast<std::size_t>(synced.limit.period)];
    if (window.start == synced.start) window.used = std::max(window.used, total + window.unsynced);
}

void WindowCounters::put_back(const Unsynced& unsynced) {
    Shard& shard = shard_of(unsynced.identifier);
    std::lock_guard guard(shard.lock);
    auto found = shard.entries.find(unsynced.identifier);
    if (found == shard.entries.end()) return;
    Window& window = found->second.windows[static_cast<std::size_t>(unsynced.limit.period)];
    if (window.start == unsynced.start)
        note_unsynced(shard, unsynced.identifier, window, unsynced.limit, unsynced.used);
}

double WindowCounters::left(const Window& window, const Limit& limit, Counting counting, std::int64_t now) {
    if (counting == Counting::token_bucket) {
        double ahead = std::max(0.0, static_cast<double>(window.start) - static_cast<double>(now) * 1000.0);
        return limit.burst - ahead / interval(limit);
    }
    double used = window.used;
    if (counting == Counting::sliding) {
        auto whole = static_cast<double>(window_end(limit.period, window.start) - window.start);
        double gone = std::clamp(static_cast<double>(now - window.start) / whole, 0.0, 1.0);
        used += window.previous * (1.0 - gone);
    }
    return limit.most - used;
}

std::int64_t WindowCounters::reset(const Window& window, const Limit& limit, Counting counting, std::int64_t now,
                                   double cost) {
    double milliseconds = 0;
    if (counting == Counting::token_bucket) {
        // Until `cost` fits again.
        double missing = cost - left(window, limit, counting, now);
        milliseconds = std::max(0.0, missing) * interval(limit) / 1000.0;
    } else {
        milliseconds = static_cast<double>(window_end(limit.period, window.start) - now);
    }
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(milliseconds / 1000.0)));
}

void WindowCounters::spend(Window& window, const Limit& limit, Counting counting, std::int64_t now, double cost) {
    if (counting == Counting::token_bucket) {
        double from = std::max(static_cast<double>(window.start), static_cast<double>(now) * 1000.0);
        window.start = static_cast<std::int64_t>(from + cost * interval(limit));
        return;
    }
    window.used += cost;
}

bool WindowCounters::take(std::string_view identifier, std::span<const Limit> limits, Counting counting,
                          std::int64_t now, double cost, Usages& usages) {
    Shard& shard = shard_of(identifier);
    std::lock_guard guard(shard.lock);
    Entry& entry = entry_of(shard, identifier, now);
    bool fits = true;
    for (std::size_t i = 0; i < limits.size(); ++i) {
        Window& window = entry.windows[static_cast<std::size_t>(limits[i].period)];
        roll(window, limits[i], counting, now);
        double room = left(window, limits[i], counting, now);
        // Half a millionth for what the arithmetic loses.
        usages[i].is_over = counting == Counting::fixed ? room <= 0 : room < cost - 5e-7;
        fits = fits && !usages[i].is_over;
    }
    for (std::size_t i = 0; i < limits.size(); ++i) {
        Window& window = entry.windows[static_cast<std::size_t>(limits[i].period)];
        if (fits) {
            spend(window, limits[i], counting, now, cost);
            note_unsynced(shard, identifier, window, limits[i], cost);
            std::int64_t until = counting == Counting::token_bucket ? window.start / 1000 + 1
                                                                    : window_end(limits[i].period, window.start);
            if (counting == Counting::sliding) until += longest(limits[i].period) * 1000;
            entry.over_at = std::max(entry.over_at, until);
        }
        usages[i].remaining = std::max(0.0, std::floor(left(window, limits[i], counting, now) + 5e-7));
        usages[i].reset_seconds = reset(window, limits[i], counting, now, cost);
    }
    return fits;
}

void WindowCounters::look(std::string_view identifier, std::span<const Limit> limits, Counting counting,
                          std::int64_t now, Usages& usages) {
    Shard& shard = shard_of(identifier);
    std::lock_guard guard(shard.lock);
    auto found = shard.entries.find(identifier);
    Entry nothing;
    Entry& entry = found == shard.entries.end() ? nothing : found->second;
    for (std::size_t i = 0; i < limits.size(); ++i) {
        Window& window = entry.windows[static_cast<std::size_t>(limits[i].period)];
        roll(window, limits[i], counting, now);
        double room = left(window, limits[i], counting, now);
        usages[i].is_over = room <= 0;
        usages[i].remaining = std::max(0.0, std::floor(room + 5e-7));
        usages[i].reset_seconds = reset(window, limits[i], counting, now, 1);
    }
}

void WindowCounters::add(std::string_view identifier, std::span<const Limit> limits, Counting counting,
                         std::int64_t now, double cost) {
    Shard& shard = shard_of(identifier);
    std::lock_guard guard(shard.lock);
    Entry& entry = entry_of(shard, identifier, now);
    for (const Limit& limit : limits) {
        Window& window = entry.windows[static_cast<std::size_t>(limit.period)];
        roll(window, limit, counting, now);
        spend(window, limit, counting, now, cost);
        entry.over_at = std::max(entry.over_at, window_end(limit.period, now));
    }
}

std::size_t WindowCounters::size() const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < shard_count; ++i) {
        std::lock_guard guard(shards_[i].lock);
        total += shards_[i].entries.size();
    }
    return total;
}

std::size_t WindowCounters::unsynced() const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < shard_count; ++i) {
        std::lock_guard guard(shards_[i].lock);
        total += shards_[i].dirty.size();
    }
    return total;
}

}  // namespace plugin
