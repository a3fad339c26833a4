#include "upstream/hash_ring.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "upstream/hash_key.h"

namespace upstream {

namespace {
constexpr std::size_t most_steps = 4096;  // along the ring, before the endpoints are searched in order

std::uint32_t position_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
}  // namespace

HashRingPlan::HashRingPlan(EndpointSetPointer set, std::uint32_t slots)
    : Plan(std::move(set), Algorithm::consistent_hashing) {
    std::uint64_t total = 0;
    std::uint32_t taking = 0;
    for (std::uint32_t i = 0; i < size(); ++i) {
        total += weight(i);
        taking += weight(i) > 0 ? 1 : 0;
    }
    if (taking == 0) return;
    std::uint32_t wanted =
        static_cast<std::uint32_t>(std::uint64_t{slots} * points_at_default_slots / PlanOptions::default_slots);
    std::uint32_t each = std::max(1U, std::min(std::max(wanted, least_points), most_points / taking));

    std::vector<std::uint64_t> identities(size());
    for (std::uint32_t i = 0; i < size(); ++i) {
        if (weight(i) == 0) continue;
        const Endpoint& endpoint = endpoints()[i];
        identities[i] = hash_of(endpoint.host + "|" + endpoint.address.text());
        double share = static_cast<double>(weight(i)) * taking / static_cast<double>(total);
        auto count = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(share * each)));
        for (std::uint64_t j = 0; j < count; ++j)
            points_.push_back({position_of(base::mixed(identities[i] + base::mixed(j + 1))), i});
    }
    // Equal positions are ordered by identity, so that the order of the targets in a document changes nothing.
    std::sort(points_.begin(), points_.end(), [&](const Point& a, const Point& b) {
        if (a.position != b.position) return a.position < b.position;
        return identities[a.index] < identities[b.index];
    });

    std::size_t buckets = std::max<std::size_t>(1, std::bit_ceil(points_.size()) / 2);
    int bits = std::bit_width(buckets - 1);
    shift_ = 32 - bits;
    std::uint32_t at = 0;
    for (std::uint64_t bucket = 0; bucket < std::uint64_t{1} << bits; ++bucket) {
        while (at < points_.size() && points_[at].position < bucket << shift_) ++at;
        starts_.push_back(at);
    }
}

std::size_t HashRingPlan::find(std::uint64_t hash) const {
    std::uint32_t position = position_of(base::mixed(hash));
    std::size_t at = starts_[std::uint64_t{position} >> shift_];
    while (at < points_.size() && points_[at].position < position) ++at;
    return at == points_.size() ? 0 : at;
}

HashRing::HashRing(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : Balancer(std::move(plan), seed), ring_(static_cast<const HashRingPlan&>(*plan_)) {}

std::optional<std::uint32_t> HashRing::pick(const PickInput& input) {
    const auto& points = ring_.points();
    if (points.empty()) return std::nullopt;
    std::uint64_t hash = input.hash ? *input.hash : hash_of("");
    std::size_t at = ring_.find(hash);
    for (std::size_t steps = std::min(points.size(), most_steps); steps > 0; --steps) {
        if (may_take(points[at].index, input.tried)) return points[at].index;
        if (++at == points.size()) at = 0;
    }
    return first_from(static_cast<std::uint32_t>(hash % plan_->size()), input.tried);
}

}  // namespace upstream
