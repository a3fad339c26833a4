// Consistent hashing on a ring of points. An endpoint of average weight has 160 points at the default 10,000 slots (as
// in Kong), more or fewer in proportion to weight and slots; the points depend on its host and address alone. So
// removing one of n equal endpoints moves its own keys and no others, and endpoints get their share of the keys within
// some 8 % (one standard deviation at 160 points).
#pragma once

#include "upstream/balancer.h"

namespace upstream {

class HashRingPlan final : public Plan {
  public:
    static constexpr std::uint32_t points_at_default_slots = 160;
    static constexpr std::uint32_t least_points = 40;      // per average endpoint, whatever `slots` says
    static constexpr std::uint32_t most_points = 1 << 20;  // in all

    HashRingPlan(EndpointSetPointer endpoints, std::uint32_t slots);
    struct Point {
        std::uint32_t position;
        std::uint32_t index;
    };
    [[nodiscard]] const std::vector<Point>& points() const { return points_; }
    // The first point at or after the hash, in points(). There must be one.
    [[nodiscard]] std::size_t find(std::uint64_t hash) const;

  private:
    std::vector<Point> points_;          // by position
    std::vector<std::uint32_t> starts_;  // the first point at or after the start of each 2^shift_ positions
    int shift_ = 32;
};

class HashRing final : public Balancer {
  public:
    HashRing(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    std::optional<std::uint32_t> pick(const PickInput& input) override;

  private:
    const HashRingPlan& ring_;
};

}  // namespace upstream
