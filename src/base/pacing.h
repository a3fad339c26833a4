// Pacing: work that takes long beside the serving threads rests every so often, so that on a processor it shares with
// them a request waits for a tenth of a millisecond and not for the scheduler's next tick. While the process is idle
// otherwise it hardly rests. Of the calling thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace base {

class Pacing {
  public:
    // The calling thread rests where pace() is called, until this has gone.
    Pacing();
    Pacing(const Pacing&) = delete;
    Pacing& operator=(const Pacing&) = delete;
    ~Pacing();

    // Inside loops of work that may be long, where no lock is held. `work`: how much was done since the last call, in
    // what costs about a microsecond or two. Costs next to nothing on other threads.
    static void pace(std::uint32_t work) {
        if (is_on_ && (done_ += work) >= work_between_looks) look();
    }

  private:
    static constexpr std::uint32_t work_between_looks = 8;
    static void look();
    static void rest();

    static constinit thread_local bool is_on_;
    static constinit thread_local std::uint32_t done_;
};

inline void pace(std::uint32_t work = 1) { Pacing::pace(work); }

// Before an item is added: room for it, made with rests where std::vector would move everything in one go.
template <typename Item>
void make_room_paced(std::vector<Item>& items) {
    constexpr std::size_t few = 64;
    if (items.size() < items.capacity() || items.size() < few) return;
    std::vector<Item> grown;
    grown.reserve(items.size() * 2);
    for (Item& item : items) {
        grown.push_back(std::move(item));
        pace();
    }
    items.swap(grown);
}

// Destroys the items of a container one after the other, with rests.
template <typename Container>
void clear_paced(Container& container) {
    if constexpr (requires { container.pop_back(); }) {
        for (; !container.empty(); container.pop_back()) pace();
    } else {
        for (; !container.empty(); container.erase(container.begin())) pace();
    }
}

}  // namespace base
