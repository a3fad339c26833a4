// Route: where a Client's commands go: to one server (here), or to the nodes of a cluster (redis/cluster.h).
#pragma once

#include <memory>

#include "redis/call.h"
#include "redis/connection.h"
#include "redis/place.h"

namespace redis {

class Route {
  public:
    virtual ~Route() = default;
    // As Connection::issue().
    virtual base::Result<void> issue(Call& call) = 0;
    // Redis has refused to run the command: true if it was issued again, and its end is still to come.
    virtual bool issue_elsewhere(Call& call, Complaint complaint, std::string_view error) = 0;
    // The call ends while it waits in line.
    virtual void leave(Call&) {}
    [[nodiscard]] virtual bool is_available() const = 0;
    [[nodiscard]] virtual net::Milliseconds longest() const = 0;
};

std::unique_ptr<Route> make_route(net::Loop& loop, const Settings& settings, const Surroundings& surroundings,
                                  Counters& counters, std::uint64_t seed);

}  // namespace redis
