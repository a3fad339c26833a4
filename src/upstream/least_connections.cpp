#include "upstream/least_connections.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace upstream {

namespace {
constexpr double no_traffic = std::numeric_limits<double>::infinity();
constexpr int looks_per_pick = 2;
// The winner's true count may have moved, and then another is the winner. After this many the last one is good enough.
constexpr int most_corrections = 8;
constexpr std::size_t most_passed_over = 4;  // of slow start, in one pick
}  // namespace

LeastConnectionsScan::LeastConnectionsScan(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : Balancer(std::move(plan), seed) {
    next_ = random_index();
}

std::optional<std::uint32_t> LeastConnectionsScan::pick(const PickInput& input) {
    auto best = lowest(input.tried, input.now, Taking::by_share);
    if (!best && plan_->has_slow_start()) best = lowest(input.tried, input.now, Taking::all);
    if (!best && !input.tried.empty()) best = lowest({}, input.now, Taking::all);
    if (best) next_ = *best + 1 == plan_->size() ? 0 : *best + 1;
    return best;
}

std::optional<std::uint32_t> LeastConnectionsScan::lowest(std::span<const std::uint32_t> tried, net::Instant now,
                                                          Taking taking) {
    std::optional<std::uint32_t> best;
    double best_load = 0;
    double best_weight = 1;
    auto size = static_cast<std::uint32_t>(plan_->size());
    for (std::uint32_t i = 0; i < size; ++i) {
        std::uint32_t index = next_ + i < size ? next_ + i : next_ + i - size;
        if (!may_take(index, tried)) continue;
        double share = plan_->share(index, now);
        // While it warms up a request weighs more, and its own one less: idle endpoints are equal whatever their share.
        double load = plan_->state(index).active.load(std::memory_order_relaxed) + share;
        double weight = plan_->weight(index) * share;
        if (best && load * best_weight >= best_load * weight) continue;
        if (share < 1 && taking == Taking::by_share && random_.fraction() >= share) continue;
        best = index;
        best_load = load;
        best_weight = weight;
    }
    return best;
}

LeastConnectionsTree::LeastConnectionsTree(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : Balancer(std::move(plan), seed) {
    auto size = static_cast<std::uint32_t>(plan_->size());
    leaves_ = std::bit_ceil(std::max(size, 1U));
    keys_.resize(leaves_, {no_traffic, 0});
    tree_.resize(2 * std::size_t{leaves_});
    std::uint32_t first = random_index();
    for (std::uint32_t i = 0; i < size; ++i) keys_[i] = {score_now(i), i >= first ? i - first : i + size - first};
    turn_ = size;
    for (std::uint32_t i = 0; i < leaves_; ++i) tree_[leaves_ + i] = i;
    for (std::uint32_t node = leaves_; node-- > 1;) tree_[node] = winner_of(tree_[2 * node], tree_[2 * node + 1]);
}

std::optional<std::uint32_t> LeastConnectionsTree::pick(const PickInput& input) {
    now_ = input.now;
    for (int i = 0; i < looks_per_pick; ++i) {
        look_at(look_);
        if (++look_ == plan_->size()) look_ = 0;
    }
    for (std::uint32_t index : input.tried) set(index, {no_traffic, keys_[index].turn});
    auto best = plan_->has_slow_start() ? winner_by_share() : winner();
    for (std::uint32_t index : input.tried) look_at(index);
    if (best) return best;
    if (!input.tried.empty()) best = winner();
    // All were out when they were looked at last: one may be back.
    if (!best && turns_seen_ != EndpointState::turns()) {
        look_at_all();
        best = winner();
    }
    return best;
}

// The winner, after its own count was checked. An endpoint just tried is not looked at before the pick ends.
std::optional<std::uint32_t> LeastConnectionsTree::winner() {
    for (int corrections = 0;; ++corrections) {
        std::uint32_t best = tree_[1];
        if (keys_[best].score == no_traffic) return std::nullopt;
        if (corrections >= most_corrections && score_now(best) != no_traffic) return best;
        if (!look_at(best)) return best;
    }
}

// As chance has it, one that warms up leaves its turn to the next best.
std::optional<std::uint32_t> LeastConnectionsTree::winner_by_share() {
    std::array<std::uint32_t, most_passed_over> passed;
    std::size_t count = 0;
    auto best = winner();
    while (best && count < passed.size() && !joins_in(*best, now_)) {
        passed[count++] = *best;
        set(*best, {no_traffic, keys_[*best].turn});
        best = winner();
    }
    for (std::size_t i = 0; i < count; ++i) set(passed[i], {score_now(passed[i]), turn_++});
    return best || count == 0 ? best : passed[0];
}

void LeastConnectionsTree::look_at_all() {
    turns_seen_ = EndpointState::turns();  // before: what turns meanwhile is looked at again
    for (std::uint32_t i = 0; i < plan_->size(); ++i) look_at(i);
}

void LeastConnectionsTree::started(std::uint32_t index) {
    Balancer::started(index);
    set(index, {score_now(index), turn_++});
}

void LeastConnectionsTree::finished(std::uint32_t index, std::chrono::nanoseconds latency, Outcome outcome,
                                    net::Instant now) {
    Balancer::finished(index, latency, outcome, now);
    now_ = std::max(now_, now);
    look_at(index);
}

double LeastConnectionsTree::score_now(std::uint32_t index) const {
    const EndpointState& state = plan_->state(index);
    std::uint32_t weight = plan_->weight(index);
    if (weight == 0 || plan_->is_barred(index)) return no_traffic;
    double share = plan_->share(index, now_);
    return (static_cast<double>(state.active.load(std::memory_order_relaxed)) + share) / (weight * share);
}

std::uint32_t LeastConnectionsTree::winner_of(std::uint32_t left, std::uint32_t right) const {
    const Key& a = keys_[left];
    const Key& b = keys_[right];
    if (a.score != b.score) return a.score < b.score ? left : right;
    return a.turn <= b.turn ? left : right;
}

// Brings the tree up to date about one endpoint; true if that changed anything.
bool LeastConnectionsTree::look_at(std::uint32_t index) {
    double score = score_now(index);
    if (score == keys_[index].score) return false;
    set(index, {score, keys_[index].turn});
    return true;
}

void LeastConnectionsTree::set(std::uint32_t index, Key key) {
    keys_[index] = key;
    for (std::uint32_t node = (leaves_ + index) / 2; node > 0; node /= 2) {
        std::uint32_t winner = winner_of(tree_[2 * std::size_t{node}], tree_[2 * std::size_t{node} + 1]);
        // A node that another endpoint won before and wins again hides the change from all above it.
        if (tree_[node] == winner && winner != index) return;
        tree_[node] = winner;
    }
}

}  // namespace upstream
