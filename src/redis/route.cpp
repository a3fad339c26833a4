#include "redis/route.h"

#include "redis/cluster.h"
#include "redis/sentinels.h"

namespace redis {

// The server named in the configuration, or the one that Sentinel names.
class SingleRoute final : public Route, ConnectionListener {
  public:
    SingleRoute(net::Loop& loop, const Settings& settings, std::unique_ptr<Place> place, Counters& counters,
                std::uint64_t seed)
        : place_(std::move(place)),
          connection_(loop,
                      ConnectionSettings::from(settings, settings.is_sentinel() ? std::string() : settings.server.host),
                      *place_, *this, counters, seed) {}

    base::Result<void> issue(Call& call) override {
        net::Slice bytes = call.script_ != nullptr ? call.bytes_ : std::move(call.bytes_);
        return connection_.issue(call, std::move(bytes));
    }
    bool issue_elsewhere(Call&, Complaint complaint, std::string_view error) override {
        // After a failover, or a change in DNS, the master is elsewhere: ask again where.
        if (complaint == Complaint::read_only) connection_.distrust(error_of(error));
        return false;
    }
    [[nodiscard]] bool is_available() const override { return connection_.is_available(); }
    [[nodiscard]] net::Milliseconds longest() const override { return connection_.longest(); }

  private:
    void connected(Connection&) override {}
    void disconnected(Connection&, const base::Error&) override {}

    std::unique_ptr<Place> place_;
    Connection connection_;
};

std::unique_ptr<Route> make_route(net::Loop& loop, const Settings& settings, const Surroundings& surroundings,
                                  Counters& counters, std::uint64_t seed) {
    if (settings.is_cluster()) return std::make_unique<Cluster>(loop, settings, surroundings, counters, seed);
    std::unique_ptr<Place> place;
    if (settings.is_sentinel())
        place = std::make_unique<Sentinels>(loop, surroundings, settings);
    else
        place = std::make_unique<FixedPlace>(loop, surroundings, settings.server);
    return std::make_unique<SingleRoute>(loop, settings, std::move(place), counters, seed);
}

}  // namespace redis
