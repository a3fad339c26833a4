// Place: where a connection goes, asked again before each attempt to connect, so that it follows DNS and failovers.
// FixedPlace: a host and port. (Sentinels are another: redis/sentinels.h.)
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "net/loop.h"
#include "redis/settings.h"

namespace redis {

// What a Client needs from the program; it outlives the Client. Without a resolver only addresses can be reached.
struct Surroundings {
    net::dns::Resolver* resolver = nullptr;
    const net::dns::Overrides* overrides = nullptr;
};

class Place {
  public:
    virtual ~Place() = default;
    // At least one address. Dropping the task ends the search.
    virtual base::Task<base::Result<std::vector<net::SocketAddress>>> find(net::Instant deadline) = 0;
};

// The addresses of one host: as they are, as the operator overrides them, or as the resolver knows them.
base::Task<base::Result<std::vector<net::SocketAddress>>> addresses_of(net::Loop& loop, Surroundings surroundings,
                                                                       Node node, net::Instant deadline);

class FixedPlace final : public Place {
  public:
    FixedPlace(net::Loop& loop, const Surroundings& surroundings, Node node)
        : loop_(loop), surroundings_(surroundings), node_(std::move(node)) {}
    base::Task<base::Result<std::vector<net::SocketAddress>>> find(net::Instant deadline) override {
        return addresses_of(loop_, surroundings_, node_, deadline);
    }

  private:
    net::Loop& loop_;
    Surroundings surroundings_;
    Node node_;
};

}  // namespace redis
