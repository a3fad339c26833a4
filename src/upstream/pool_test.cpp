#include "upstream/pool.h"

#include <gtest/gtest.h>

#include "net/simulated/loop.h"
#include "upstream/http2_pool.h"

namespace upstream {
namespace {

TEST(Pools, BeyondTheirMostNothingIsSharedByTwoTrusts) {
    net::simulated::SimulatedLoop loop(1, net::simulated::Weather::calm());
    observe::Metrics metrics(1);
    const http2::Limits limits = http2::upstream_limits({});
    net::SocketAddress address = net::SocketAddress::parse("10.0.0.1:443").value();
    Pools pools(loop, {});
    Pool& first = pools.of(address, "trust 0");
    for (std::size_t i = 1; i < Pools::most; ++i) EXPECT_NE(&pools.of(address, "trust " + std::to_string(i)), &first);
    EXPECT_EQ(&pools.of(address, "trust 0"), &first);
    EXPECT_FALSE(first.is_of_many_trusts());
    EXPECT_EQ(&first.http2(limits, metrics.core(0)), &first.http2(limits, metrics.core(0)));
    EXPECT_TRUE(pools.of(address, "one more").is_of_many_trusts());
    EXPECT_EQ(pools.of(address, "one more").resumption(), nullptr);
    EXPECT_FALSE(pools.of(address).is_of_many_trusts());  // plain ones have no trust
}

}  // namespace
}  // namespace upstream
