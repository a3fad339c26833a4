// Sentinels: the Place of a server whose address the Redis Sentinels know. Asked before every attempt to connect, one
// after the other, the one that answered last first. (Guidelines for Redis clients with support for Redis Sentinel.)
#pragma once

#include <vector>

#include "redis/place.h"
#include "redis/reply.h"
#include "redis/settings.h"

namespace redis {

class Sentinels final : public Place {
  public:
    Sentinels(net::Loop& loop, const Surroundings& surroundings, const Settings& settings)
        : loop_(loop), surroundings_(surroundings), settings_(settings), nodes_(settings.sentinel_nodes) {}
    base::Task<base::Result<std::vector<net::SocketAddress>>> find(net::Instant deadline) override;

  private:
    base::Task<base::Result<std::vector<Node>>> ask(Node sentinel, net::Instant deadline);

    net::Loop& loop_;
    Surroundings surroundings_;
    const Settings& settings_;
    std::vector<Node> nodes_;
};

// The answers to SENTINEL GET-MASTER-ADDR-BY-NAME and SENTINEL REPLICAS; of the latter those that are up.
base::Result<Node> read_master(const Reply& reply);
base::Result<std::vector<Node>> read_replicas(const Reply& reply);

}  // namespace redis
