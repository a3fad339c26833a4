#include "upstream/load.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace upstream {

namespace {
std::uint64_t refused(const Load& load, Limit limit) { return load.refused[static_cast<std::size_t>(limit)].load(); }
}  // namespace

TEST(Load, NoMoreRequestsThanAllowedAndEachGivesItselfBack) {
    Load load;
    LimitRules rules;
    rules.requests = 2;
    Held one = load.take_request(rules);
    {
        Held two = load.take_request(rules);
        EXPECT_TRUE(two);
        EXPECT_FALSE(load.take_request(rules));
    }
    EXPECT_EQ(refused(load, Limit::requests), 1U);
    Held moved = std::move(one);
    moved = load.take_request(rules);
    EXPECT_TRUE(moved);
    EXPECT_EQ(load.requests.load(), 1U) << "what was held before is given back";
}

TEST(Load, ExactOverThreads) {
    Load load;
    LimitRules rules;
    rules.requests = 3;
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int j = 0; j < 20'000; ++j) {
                Held held = load.take_request(rules);
                if (!held) continue;
                int now = ++inside;
                for (int before = most; now > before && !most.compare_exchange_weak(before, now);) {
                }
                --inside;
            }
        });
    for (std::thread& each : threads) each.join();
    EXPECT_LE(most.load(), 3);
    EXPECT_EQ(load.requests.load(), 0U);
}

TEST(Load, ABudgetIsAShareOfTheRequestsAndAtLeastItsMinimum) {
    Load load;
    LimitRules rules;
    rules.has_retry_budget = true;
    rules.retry_percent = 20;
    rules.least_retries = 1;
    auto possible = [&] {
        std::vector<Held> held;
        while (Held one = load.take_retry(rules)) held.push_back(std::move(one));
        return held.size();
    };
    EXPECT_EQ(possible(), 1U);
    load.requests = 50;
    EXPECT_EQ(possible(), 10U);
    rules.retry_percent = 0;
    EXPECT_EQ(possible(), 1U);
    rules.least_retries = 0;
    EXPECT_EQ(possible(), 0U);
    EXPECT_EQ(load.retries.load(), 0U);
    rules.has_retry_budget = false;
    rules.retries = 4;
    EXPECT_EQ(possible(), 4U);
}

TEST(Load, AFreeConnectionIsForThoseWhoWaitAlready) {
    Load load;
    LimitRules rules;
    rules.connections = 1;
    rules.pending = 2;
    using Turn = Load::Turn;
    ConnectionSlot slot = load.take_connection(rules, Turn::fresh);
    EXPECT_TRUE(slot);
    EXPECT_FALSE(load.take_connection(rules, Turn::fresh));
    std::string woken;
    Held first = load.take_pending(rules);
    Held second = load.take_pending(rules);
    EXPECT_FALSE(load.take_pending(rules));
    EXPECT_EQ(refused(load, Limit::pending), 1U);
    Load::Ticket first_ticket(load, [&] { woken += '1'; });
    auto second_ticket = std::make_unique<Load::Ticket>(load, [&] { woken += '2'; });
    slot.release();
    EXPECT_EQ(woken, "1");
    EXPECT_FALSE(load.take_connection(rules, Turn::fresh)) << "others were there before";
    slot = load.take_connection(rules, Turn::waiting);
    EXPECT_TRUE(slot);
    first.release();
    second_ticket.reset();
    slot.release();
    EXPECT_EQ(woken, "1") << "who has left is not woken";
}

TEST(Load, NobodyMayWaitWithoutMaxPending) {
    Load load;
    LimitRules rules;
    rules.connections = 1;
    EXPECT_FALSE(load.take_pending(rules));
    EXPECT_EQ(refused(load, Limit::connections), 1U);
}

}  // namespace upstream
