#include "upstream/round_robin.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace upstream {

namespace {
constexpr int index_bits = 16;  // as many classes as weights
constexpr int fraction_bits = 36;
static_assert(most_weight < (1 << index_bits));
constexpr int most_skips = 64;  // of endpoints that may not be taken, before the rest is searched in order
}  // namespace

RoundRobinPlan::RoundRobinPlan(EndpointSetPointer set) : Plan(std::move(set), Algorithm::round_robin) {
    for (std::uint32_t i = 0; i < size(); ++i)
        if (weight(i) > 0) members_.push_back(i);
    std::sort(members_.begin(), members_.end(),
              [&](auto a, auto b) { return weight(a) != weight(b) ? weight(a) > weight(b) : a < b; });
    std::uint32_t divisor = 0;
    for (std::uint32_t member : members_) divisor = std::gcd(divisor, weight(member));
    for (std::uint32_t i = 0; i < members_.size(); ++i) {
        if (i == 0 || weight(members_[i]) != weight(members_[i - 1])) classes_.push_back({i, 0, 0, 0});
        Class& last = classes_.back();
        ++last.count;
        last.turns = std::uint64_t{last.count} * (weight(members_[i]) / divisor);
        last.turn_length = 1.0 / static_cast<double>(last.turns);
    }
}

// Each core begins at a random moment of the cycle, and each class at a random member.
RoundRobin::RoundRobin(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : Balancer(plan, seed), classes_of_(static_cast<const RoundRobinPlan&>(*plan_)) {
    double moment = random_.fraction();
    for (const RoundRobinPlan::Class& each : classes_of_.classes()) {
        auto turn = static_cast<std::uint64_t>(std::floor(moment * static_cast<double>(each.turns) + 0.5));
        Cursor cursor{turn, 0, random_.below(each.count)};
        if (turn == each.turns) cursor = {0, 1, cursor.member};
        cursors_.push_back(cursor);
        auto index = static_cast<std::uint32_t>(heap_.size());
        heap_.push_back(turn_of(index));
    }
    for (std::size_t at = heap_.size() / 2; at-- > 0;) sift_down(at);
}

std::optional<std::uint32_t> RoundRobin::pick(const PickInput& input) {
    if (heap_.empty()) return std::nullopt;
    for (int skips = 0; skips < most_skips; ++skips) {
        std::uint32_t index = advance();
        if (may_take(index, input.tried) && joins_in(index, input.now)) return index;
    }
    return first_from(random_index(), input.tried);
}

// Takes the turn that is due and puts its class back for the next one.
std::uint32_t RoundRobin::advance() {
    auto index = static_cast<std::uint32_t>(heap_.front() & ((1 << index_bits) - 1));
    const RoundRobinPlan::Class& taking = classes_of_.classes()[index];
    Cursor& cursor = cursors_[index];
    std::uint32_t member = classes_of_.members()[taking.first + cursor.member];
    if (++cursor.member == taking.count) cursor.member = 0;
    if (heap_.size() == 1) return member;
    if (++cursor.turn == taking.turns) {
        cursor.turn = 0;
        ++cursor.cycle;
    }
    heap_.front() = turn_of(index);
    sift_down(0);
    return member;
}

RoundRobin::Turn RoundRobin::turn_of(std::uint32_t index) const {
    const Cursor& cursor = cursors_[index];
    double moment = (static_cast<double>(cursor.turn) + 0.5) * classes_of_.classes()[index].turn_length;
    constexpr std::uint64_t whole = std::uint64_t{1} << fraction_bits;
    // Rounding must not carry a turn into the next cycle: a cycle is exact because all its turns come before the next.
    auto fraction = std::min(static_cast<std::uint64_t>(moment * static_cast<double>(whole)), whole - 1);
    return (((cursor.cycle << fraction_bits) + fraction) << index_bits) + index;
}

// No two turns are more than two cycles apart, so the order survives the wrap-around of the cycle's number.
bool RoundRobin::is_before(Turn a, Turn b) { return static_cast<std::int64_t>(a - b) < 0; }

void RoundRobin::sift_down(std::size_t at) {
    const std::size_t size = heap_.size();
    Turn moving = heap_[at];
    for (;;) {
        std::size_t child = 2 * at + 1;
        if (child + 1 >= size) {
            if (child < size && is_before(heap_[child], moving)) {
                heap_[at] = heap_[child];
                at = child;
            }
            break;
        }
        child += static_cast<std::size_t>(
            is_before(heap_[child + 1], heap_[child]));  // no branch: it could not be predicted
        if (!is_before(heap_[child], moving)) break;
        heap_[at] = heap_[child];
        at = child;
    }
    heap_[at] = moving;
}

}  // namespace upstream
