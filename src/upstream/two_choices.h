// The better of two endpoints drawn at random in proportion to their weights. For random_two_choices the better one has
// the lower (active + 1) / weight; for latency it has the lower expected wait: peak EWMA * (active + 1) / weight.
#pragma once

#include "upstream/balancer.h"

namespace upstream {

class TwoChoicesPlan final : public Plan {
  public:
    TwoChoicesPlan(EndpointSetPointer endpoints, Algorithm algorithm);
    // An endpoint, each with the probability of its share of the weight. There must be one with a weight.
    [[nodiscard]] std::uint32_t draw(base::Random& random) const;
    [[nodiscard]] bool is_empty() const { return columns_.empty(); }
    [[nodiscard]] bool has_one() const { return columns_.size() == 1; }

  private:
    // Walker's alias method: each column holds two endpoints, the first below `split` of 2^32.
    struct Column {
        std::uint64_t split;
        std::uint32_t below;
        std::uint32_t above;
    };
    std::vector<Column> columns_;
};

class TwoChoices final : public Balancer {
  public:
    // A failed attempt counts as one of at least this latency, so that failing fast does not look like being fast.
    static constexpr std::chrono::milliseconds failure_latency{1000};

    TwoChoices(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    std::optional<std::uint32_t> pick(const PickInput& input) override;
    void finished(std::uint32_t index, std::chrono::nanoseconds latency, Outcome outcome, net::Instant now) override;

  private:
    [[nodiscard]] double cost(std::uint32_t index, net::Instant now) const;
    std::optional<std::uint32_t> draw(const PickInput& input, std::optional<std::uint32_t> other);
    const TwoChoicesPlan& draws_;
};

}  // namespace upstream
