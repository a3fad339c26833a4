#include "upstream/balancer.h"

#include <algorithm>

#include "upstream/hash_ring.h"
#include "upstream/least_connections.h"
#include "upstream/round_robin.h"
#include "upstream/two_choices.h"

namespace upstream {

namespace {
std::shared_ptr<Plan> plan_of(EndpointSetPointer endpoints, Algorithm algorithm, std::uint32_t slots) {
    switch (algorithm) {
        case Algorithm::round_robin:
            return std::make_shared<RoundRobinPlan>(std::move(endpoints));
        case Algorithm::least_connections:
            return std::make_shared<Plan>(std::move(endpoints), algorithm);
        case Algorithm::latency:
        case Algorithm::random_two_choices:
            return std::make_shared<TwoChoicesPlan>(std::move(endpoints), algorithm);
        case Algorithm::consistent_hashing:
            return std::make_shared<HashRingPlan>(std::move(endpoints), slots);
    }
    return nullptr;
}
}  // namespace

std::shared_ptr<const Plan> Plan::build(EndpointSetPointer endpoints, Algorithm algorithm, PlanOptions options) {
    std::shared_ptr<Plan> plan = plan_of(std::move(endpoints), algorithm, options.slots);
    plan->slow_start_ = options.slow_start;
    plan->panic_ = std::move(options.panic);
    return plan;
}

Plan::Plan(EndpointSetPointer endpoints, Algorithm algorithm)
    : endpoints_(std::move(endpoints)), algorithm_(algorithm) {
    for (const Endpoint& endpoint : endpoints_->endpoints)
        flat_.push_back({endpoint.state.get(), std::min(endpoint.weight, most_weight)});
}

std::unique_ptr<Balancer> Balancer::make(std::shared_ptr<const Plan> plan, std::uint64_t seed) {
    switch (plan->algorithm()) {
        case Algorithm::round_robin:
            return std::make_unique<RoundRobin>(std::move(plan), seed);
        case Algorithm::least_connections:
            if (plan->size() <= LeastConnectionsScan::most_endpoints)
                return std::make_unique<LeastConnectionsScan>(std::move(plan), seed);
            return std::make_unique<LeastConnectionsTree>(std::move(plan), seed);
        case Algorithm::latency:
        case Algorithm::random_two_choices:
            return std::make_unique<TwoChoices>(std::move(plan), seed);
        case Algorithm::consistent_hashing:
            return std::make_unique<HashRing>(std::move(plan), seed);
    }
    return nullptr;
}

void Balancer::started(std::uint32_t index) { plan_->state(index).active.fetch_add(1, std::memory_order_relaxed); }

void Balancer::finished(std::uint32_t index, std::chrono::nanoseconds, Outcome, net::Instant) {
    plan_->state(index).active.fetch_sub(1, std::memory_order_relaxed);
}

bool Balancer::may_take(std::uint32_t index, std::span<const std::uint32_t> tried) const {
    if (plan_->weight(index) == 0 || plan_->is_barred(index)) return false;
    return tried.empty() || std::find(tried.begin(), tried.end(), index) == tried.end();
}

std::optional<std::uint32_t> Balancer::first_from(std::uint32_t start, std::span<const std::uint32_t> tried) const {
    auto size = static_cast<std::uint32_t>(plan_->size());
    // The second round is for a request that has tried them all: better one that failed once than none.
    for (std::span<const std::uint32_t> avoided : {tried, std::span<const std::uint32_t>()}) {
        for (std::uint32_t i = 0; i < size; ++i) {
            std::uint32_t index = start + i < size ? start + i : start + i - size;
            if (may_take(index, avoided)) return index;
        }
        if (avoided.empty()) break;
    }
    return std::nullopt;
}

}  // namespace upstream
