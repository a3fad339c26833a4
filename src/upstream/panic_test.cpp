// Panic: when it begins and ends, and that the picks of every algorithm keep to it.
#include "upstream/panic.h"

#include <gtest/gtest.h>

#include "upstream/test_endpoints.h"

namespace upstream {

TEST(Panic, IsOnWhileTooLittleWeightIsInService) {
    auto set = endpoints_of({100, 100, 200});
    Panic panic("u", 50);
    EXPECT_FALSE(panic.reconsider(set->endpoints));
    set->endpoints[2].state->set(Bar::unhealthy, true);
    EXPECT_FALSE(panic.reconsider(set->endpoints));
    EXPECT_FALSE(panic.is_on()) << "half is not less than half";
    set->endpoints[0].state->set(Bar::ejected, true);
    EXPECT_TRUE(panic.reconsider(set->endpoints));
    EXPECT_TRUE(panic.is_on());
    EXPECT_FALSE(panic.reconsider(set->endpoints)) << "it goes on";
    set->endpoints[0].state->set(Bar::ejected, false);
    EXPECT_FALSE(panic.reconsider(set->endpoints));
    EXPECT_FALSE(panic.is_on());
}

TEST(Panic, BarredOnesArePickedInItAndOnlyThen) {
    for (std::size_t count : {5, 100})
        for (Algorithm algorithm : {Algorithm::round_robin, Algorithm::least_connections, Algorithm::latency,
                                    Algorithm::consistent_hashing, Algorithm::random_two_choices}) {
            auto set = endpoints_of(equal(count));
            Panic panic("u", 50);
            auto balancer = Balancer::make(Plan::build(set, algorithm, {.panic = panic.flag()}), 1);
            base::Random random(3);
            auto seen = [&] {
                std::vector<int> counts(count);
                for (std::size_t i = 0; i < 40 * count; ++i) {
                    std::uint32_t index = balancer->pick({.hash = random.next()}).value();
                    balancer->started(index);
                    balancer->finished(index, std::chrono::milliseconds(1), Outcome::answered, 1);
                    ++counts[index];
                }
                return counts;
            };
            for (std::size_t i = 1; i < count; ++i) set->endpoints[i].state->set(Bar::ejected, true);
            for (int round = 0; round < 2; ++round) {
                EXPECT_EQ(seen()[0], static_cast<int>(40 * count)) << static_cast<int>(algorithm);
                panic.reconsider(set->endpoints);
                std::vector<int> all = seen();
                for (std::size_t i = 0; i < count; ++i)
                    EXPECT_GT(all[i], 0) << static_cast<int>(algorithm) << " endpoint " << i;
                for (std::size_t i = 1; i < count; ++i) set->endpoints[i].state->set(Bar::ejected, false);
                panic.reconsider(set->endpoints);
                for (std::size_t i = 1; i < count; ++i) set->endpoints[i].state->set(Bar::ejected, true);
            }
        }
}

// A core that has seen all of them out finds the one that is back with its next pick.
TEST(Panic, OneThatIsBackAloneIsFoundAtOnce) {
    for (std::size_t count : {5, 10'000})
        for (Algorithm algorithm : {Algorithm::round_robin, Algorithm::least_connections, Algorithm::latency,
                                    Algorithm::consistent_hashing, Algorithm::random_two_choices}) {
            auto set = endpoints_of(equal(count));
            auto balancer = Balancer::make(Plan::build(set, algorithm), 1);
            for (const Endpoint& endpoint : set->endpoints) endpoint.state->set(Bar::unhealthy, true);
            EXPECT_FALSE(balancer->pick({.hash = 1}));
            set->endpoints[count - 2].state->set(Bar::unhealthy, false);
            EXPECT_EQ(balancer->pick({.hash = 1}), count - 2) << static_cast<int>(algorithm);
        }
}

// However many go at once, none of them is picked.
TEST(Panic, NoBarredOneIsPickedWhenManyGoAtOnce) {
    auto set = endpoints_of(equal(1000));
    auto balancer = Balancer::make(Plan::build(set, Algorithm::least_connections), 1);
    for (std::size_t i = 0; i < 990; ++i) set->endpoints[i].state->set(Bar::ejected, true);
    for (int i = 0; i < 2000; ++i) ASSERT_GE(balancer->pick({}).value(), 990U);
}

}  // namespace upstream
