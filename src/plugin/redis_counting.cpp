#include "plugin/redis_counting.h"

#include <array>
#include <charconv>

#include "plugin/redis_fields.h"

namespace plugin {

const redis::Script& count_script() {
    static const redis::Script script(
        "local out = {} "
        "for i, key in ipairs(KEYS) do "
        "local value = redis.call('INCRBY', key, ARGV[1]) "
        "if value == tonumber(ARGV[1]) then redis.call('EXPIRE', key, ARGV[i + 1]) end "
        "out[i] = value end "
        "return out");
    return script;
}

std::string_view CounterKeys::key(base::Arena& arena, std::string_view identifier, Period period, std::int64_t start,
                                  std::string_view name) const {
    std::array<char, 24> digits;
    char* end = std::to_chars(digits.data(), digits.data() + digits.size(), start).ptr;
    std::string_view time(digits.data(), end);
    if (name.empty()) return arena.join(before_, identifier, after_, time, ":", plugin::name(period));
    return arena.join(before_, identifier, after_, time, ":", name, ":", plugin::name(period));
}

const redis::Lease& CoreClients::lease(Worker& worker) const {
    redis::Lease& slot = slots_[worker.index];
    if (slot.client == nullptr) slot = redis_client(worker, settings_);
    return slot;
}

void RedisFailures::measure(std::vector<observe::Sample>& samples) const {
    std::uint64_t total = 0;
    for (const Cell& cell : cells_) total += cell.value.load(std::memory_order_relaxed);
    samples.push_back({std::string(metric_),
                       "Requests for which Redis could not be asked (counted locally, or answered with 500), and "
                       "counts that could not be told to it.",
                       "counter",
                       {{"plugin", label_}},
                       static_cast<double>(total)});
}

}  // namespace plugin
