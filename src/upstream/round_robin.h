// Smooth weighted round robin. Endpoints of equal weight form a class and take turns inside it; the classes are served
// earliest deadline first, the j-th pick of a class with W turns a cycle being due at (j + 1/2) / W of the cycle.
// So over any weight-sum (divided by the gcd) consecutive picks each endpoint has exactly its weight's share, and in
// any stretch of m picks a class is within 1/2 + classes * share / 2 of share * m. A pick costs log(number of classes).
#pragma once

#include "upstream/balancer.h"

namespace upstream {

class RoundRobinPlan final : public Plan {
  public:
    struct Class {
        std::uint32_t first = 0;  // in members()
        std::uint32_t count = 0;
        std::uint64_t turns = 0;  // in a cycle
        double turn_length = 0;   // 1 / turns
    };
    explicit RoundRobinPlan(EndpointSetPointer endpoints);
    [[nodiscard]] const std::vector<Class>& classes() const { return classes_; }
    [[nodiscard]] const std::vector<std::uint32_t>& members() const { return members_; }

  private:
    std::vector<Class> classes_;  // heaviest first
    std::vector<std::uint32_t> members_;
};

class RoundRobin final : public Balancer {
  public:
    RoundRobin(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    std::optional<std::uint32_t> pick(const PickInput& input) override;

  private:
    // When a class is due, and which: 12 bits of the cycle's number (modulo), 36 of the fraction of the cycle, 16 of
    // the class's index, which breaks ties. One word, since comparing is what a pick costs.
    using Turn = std::uint64_t;
    struct Cursor {
        std::uint64_t turn = 0;  // of this cycle
        std::uint64_t cycle = 0;
        std::uint32_t member = 0;
    };
    [[nodiscard]] static bool is_before(Turn a, Turn b);
    [[nodiscard]] Turn turn_of(std::uint32_t index) const;
    std::uint32_t advance();
    void sift_down(std::size_t at);

    const RoundRobinPlan& classes_of_;
    std::vector<Turn> heap_;  // the earliest first
    std::vector<Cursor> cursors_;
};

}  // namespace upstream
