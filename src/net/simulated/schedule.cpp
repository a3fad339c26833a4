#include "net/simulated/schedule.h"

#include <algorithm>
#include <tuple>

namespace net::simulated {

namespace {
bool is_later(const Event& left, const Event& right) {
    return std::tie(left.at, left.order, left.sequence) > std::tie(right.at, right.order, right.sequence);
}
}  // namespace

const char* name(Step step) {
    constexpr const char* names[] = {"dial", "refuse", "establish", "accept", "move", "read", "send", "close"};
    return names[static_cast<std::size_t>(step)];
}

void Schedule::add(Event event, base::Random& random) {
    event.order = random.next();
    event.sequence = sequence_++;
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), is_later);
}

Event Schedule::take() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    Event out = heap_.back();
    heap_.pop_back();
    return out;
}

}  // namespace net::simulated
