// Cluster: the Route to a Redis Cluster: a connection per node, a map of who owns which slot, and what to do when the
// map is wrong (MOVED), a slot is on its way (ASK, TRYAGAIN) or a node is gone. The map is asked for at first use,
// after a redirection and after a loss, by one inquiry at a time and not too often. Redis Cluster specification.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/task.h"
#include "redis/route.h"
#include "redis/slots.h"

namespace redis {

class Cluster final : public Route, ConnectionListener {
  public:
    static constexpr net::Milliseconds least_between_refreshes{500};
    static constexpr net::Milliseconds try_again_after{20};  // longer each time
    static constexpr unsigned most_at_once = 2;              // redirections that are followed without a pause

    Cluster(net::Loop& loop, const Settings& settings, const Surroundings& surroundings, Counters& counters,
            std::uint64_t seed);
    ~Cluster() override;

    base::Result<void> issue(Call& call) override;
    bool issue_elsewhere(Call& call, Complaint complaint, std::string_view error) override;
    void leave(Call& call) override;
    [[nodiscard]] bool is_available() const override;
    [[nodiscard]] net::Milliseconds longest() const override {
        return settings_.connect_timeout + settings_.read_timeout;
    }

  private:
    struct Member {
        Member(Cluster& cluster, Node at);
        Node node;
        bool is_owner = false;  // by the map
        FixedPlace place;
        Connection connection;
    };
    using Number = std::uint16_t;  // of a member; 0 is nobody

    void connected(Connection&) override {}
    void disconnected(Connection&, const base::Error&) override { want_refresh(); }

    // Null if there are too many.
    Member* member_at(const Node& node, Number& number);
    [[nodiscard]] Number any_member();
    base::Result<void> issue_at(Number number, Call& call);
    bool issue_asking(Number number, Call& call);
    bool issue_later(Call& call);

    void stand_in_line(Call& call);
    template <typename Function>
    void call_up(Function function);

    void want_refresh();
    void turn_ends();
    base::Task<void> refresh();
    base::Task<base::Result<std::vector<SlotRange>>> ask(Node node);
    [[nodiscard]] std::vector<Node> whom_to_ask();
    void take(const std::vector<SlotRange>& ranges);
    void drop_strangers();
    void refresh_failed(const base::Error& error);
    void time_passed();

    net::Loop& loop_;
    const Settings& settings_;
    Surroundings surroundings_;
    Counters& counters_;
    base::Random random_;
    Encoder encoder_;

    std::vector<std::unique_ptr<Member>> members_;  // by number - 1; null: free
    std::array<Number, slot_count> owners_{};
    bool has_map_ = false;
    Number last_any_ = 0;

    std::map<std::uint64_t, Call*> line_;  // those that wait for the map, or to try again
    std::uint64_t last_in_line_ = 0;

    base::Task<void> refreshing_;
    bool is_refreshing_ = false;
    bool is_away_ = false;  // no map, and nobody who gives one
    bool has_ended_ = false;
    unsigned failures_ = 0;
    net::Instant refreshed_ = 0;  // when the last one began
    net::Instant last_command_ = 0;
    net::Timer refresh_timer_;
    net::Timer line_timer_;
    net::TurnEnd turn_end_;
};

}  // namespace redis
