// Least connections: the endpoint with the lowest (active + 1) / weight; of equals the one whose turn is the longest
// ago. Active requests are counted over all cores. Up to 64 endpoints are scanned, so the choice is exact. Above that
// each core keeps a tournament tree over the counts as it last saw them: exact for what this core starts and finishes
// and for the winner itself; what other cores do to the rest is seen within endpoints / 2 picks.
#pragma once

#include "upstream/balancer.h"

namespace upstream {

class LeastConnectionsScan final : public Balancer {
  public:
    static constexpr std::size_t most_endpoints = 64;
    LeastConnectionsScan(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    std::optional<std::uint32_t> pick(const PickInput& input) override;

  private:
    enum class Taking : std::uint8_t { by_share, all };  // slow start: by chance
    [[nodiscard]] std::optional<std::uint32_t> lowest(std::span<const std::uint32_t> tried, net::Instant now,
                                                      Taking taking);
    std::uint32_t next_ = 0;  // where the scan begins
};

class LeastConnectionsTree final : public Balancer {
  public:
    LeastConnectionsTree(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    std::optional<std::uint32_t> pick(const PickInput& input) override;
    void started(std::uint32_t index) override;
    void finished(std::uint32_t index, std::chrono::nanoseconds latency, Outcome outcome, net::Instant now) override;

  private:
    struct Key {
        double score;        // infinite: no traffic
        std::uint64_t turn;  // when it was last chosen
    };
    [[nodiscard]] double score_now(std::uint32_t index) const;
    [[nodiscard]] std::uint32_t winner_of(std::uint32_t left, std::uint32_t right) const;
    bool look_at(std::uint32_t index);
    void set(std::uint32_t index, Key key);
    void look_at_all();
    std::optional<std::uint32_t> winner();
    std::optional<std::uint32_t> winner_by_share();

    std::vector<Key> keys_;
    std::vector<std::uint32_t> tree_;  // [1] is the winner of all; leaf i is at leaves_ + i
    std::uint32_t leaves_ = 1;
    std::uint32_t look_ = 0;
    std::uint64_t turn_ = 0;
    std::uint64_t turns_seen_ = 0;  // EndpointState::turns() when all were looked at
    net::Instant now_ = 0;          // of the last pick
};

}  // namespace upstream
