#include "upstream/two_choices.h"

#include <algorithm>

namespace upstream {

namespace {
constexpr int most_draws = 16;  // for one endpoint that may be taken, before all are searched
}

TwoChoicesPlan::TwoChoicesPlan(EndpointSetPointer set, Algorithm algorithm) : Plan(std::move(set), algorithm) {
    // In integers: every endpoint has weight * columns parts, every column takes `total` parts of at most two
    // endpoints.
    std::vector<std::uint32_t> taking;
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < size(); ++i) {
        if (weight(i) == 0) continue;
        taking.push_back(i);
        total += weight(i);
    }
    struct Part {
        std::uint32_t index;
        std::uint64_t parts;
    };
    std::vector<Part> small, large;
    for (std::uint32_t index : taking) {
        Part part{index, weight(index) * std::uint64_t{taking.size()}};
        (part.parts < total ? small : large).push_back(part);
    }
    constexpr double whole = 4294967296.0;
    while (!small.empty()) {  // the parts add up to total * columns, so there is a large one as long as there is a
                              // small one
        Part little = small.back();
        small.pop_back();
        Part& big = large.back();
        double share = static_cast<double>(little.parts) / static_cast<double>(total);
        columns_.push_back({static_cast<std::uint64_t>(share * whole), little.index, big.index});
        big.parts -= total - little.parts;
        if (big.parts < total) {
            small.push_back(big);
            large.pop_back();
        }
    }
    for (const Part& part : large) columns_.push_back({std::uint64_t{1} << 32, part.index, part.index});
}

std::uint32_t TwoChoicesPlan::draw(base::Random& random) const {
    const Column& column = columns_[random.below(static_cast<std::uint32_t>(columns_.size()))];
    return random.next() >> 32 < column.split ? column.below : column.above;
}

TwoChoices::TwoChoices(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : Balancer(std::move(plan), seed), draws_(static_cast<const TwoChoicesPlan&>(*plan_)) {}

std::optional<std::uint32_t> TwoChoices::pick(const PickInput& input) {
    if (draws_.is_empty()) return std::nullopt;
    auto first = draw(input, std::nullopt);
    if (!first) return first_from(random_index(), input.tried);
    if (draws_.has_one()) return first;
    auto second = draw(input, first);
    return second && cost(*second, input.now) < cost(*first, input.now) ? second : first;
}

std::optional<std::uint32_t> TwoChoices::draw(const PickInput& input, std::optional<std::uint32_t> other) {
    for (int i = 0; i < most_draws; ++i) {
        std::uint32_t index = draws_.draw(random_);
        if (index != other && may_take(index, input.tried) && joins_in(index, input.now)) return index;
    }
    return std::nullopt;
}

double TwoChoices::cost(std::uint32_t index, net::Instant now) const {
    const EndpointState& state = plan_->state(index);
    std::uint32_t active = state.active.load(std::memory_order_relaxed);
    double share = plan_->share(index, now);
    // While it warms up a request weighs more, and its own one less: idle endpoints are equal whatever their share.
    double load = (static_cast<double>(active) + share) / (plan_->weight(index) * share);
    if (plan_->algorithm() == Algorithm::random_two_choices) return load;
    float latency = state.latency.microseconds(now);
    // A new endpoint gets one request to be measured by, and no second one before the first has come back.
    if (latency < 0) return active == 0 ? 0 : 1e15 * load;
    return static_cast<double>(latency) * load;
}

void TwoChoices::finished(std::uint32_t index, std::chrono::nanoseconds latency, Outcome outcome, net::Instant now) {
    Balancer::finished(index, latency, outcome, now);
    if (plan_->algorithm() != Algorithm::latency || outcome == Outcome::cancelled) return;
    if (outcome == Outcome::failed) latency = std::max<std::chrono::nanoseconds>(latency, failure_latency);
    plan_->state(index).latency.record(latency, now);
}

}  // namespace upstream
