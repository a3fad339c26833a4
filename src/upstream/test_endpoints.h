// Endpoint sets for the tests and benchmarks of balancing: endpoint i is 10.x.y.z:80 with the i-th weight.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <vector>

#include "upstream/balancer.h"

namespace upstream {

inline EndpointSetPointer endpoints_of(const std::vector<std::uint32_t>& weights) {
    auto set = std::make_shared<EndpointSet>();
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
        net::SocketAddress address{net::IpAddress::v4(0x0a000000 + i), 80};
        set->endpoints.push_back({address, address.ip.text(), 80, weights[i], i, std::make_shared<EndpointState>()});
    }
    set->target_states.assign(weights.size(), TargetState::resolved);
    return set;
}

inline std::vector<std::uint32_t> equal(std::size_t count, std::uint32_t weight = 100) {
    return std::vector<std::uint32_t>(count, weight);
}

// `count` picks without any request being started.
inline std::vector<std::uint32_t> picks(Balancer& balancer, std::size_t count) {
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(balancer.pick({}).value());
    return out;
}

}  // namespace upstream
