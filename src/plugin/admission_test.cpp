#include "plugin/admission.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "base/task.h"
#include "net/simulated/loop.h"

namespace plugin {
namespace {

class AdmissionTest : public testing::Test {
  protected:
    void follow(AdmissionRules rules) { admission->follow(rules); }
    // One that waits, and what has become of it.
    struct Waiter {
        std::optional<bool> was_let_in;
        std::optional<Admission::Place> place;
        base::Task<void> task;
    };
    base::Task<void> wait(Waiter& waiter, Urgency urgency, net::Instant deadline) {
        Admission::Wait wait(admission, urgency, loop, deadline);
        Admission::Place place = co_await wait;
        waiter.was_let_in = static_cast<bool>(place);
        waiter.place.emplace(std::move(place));
    }
    std::unique_ptr<Waiter> waiter(Urgency urgency = Urgency::normal, net::Instant in = 1'000) {
        auto made = std::make_unique<Waiter>();
        made->task = wait(*made, urgency, loop.now() + in);
        made->task.start();
        return made;
    }
    void turn() {
        for (int i = 0; i < 5; ++i) loop.turn(false);
    }

    net::simulated::SimulatedLoop loop{1};
    std::shared_ptr<Admission> admission = std::make_shared<Admission>("test");
};

TEST_F(AdmissionTest, LetsSoManyInAndNoMore) {
    follow({.limit = 2});
    Admission::Place first = admission->enter(Urgency::normal);
    {
        Admission::Place second = admission->enter(Urgency::normal);
        EXPECT_TRUE(second);
        EXPECT_FALSE(admission->enter(Urgency::high));
    }
    EXPECT_TRUE(admission->enter(Urgency::normal));
    EXPECT_EQ(admission->under_way(), 1u);
}

TEST_F(AdmissionTest, KeepsTheLastThirdFromThoseOfLowPriority) {
    follow({.limit = 6});
    std::vector<Admission::Place> held;
    for (int i = 0; i < 4; ++i) held.push_back(admission->enter(Urgency::low));
    EXPECT_FALSE(admission->enter(Urgency::low));
    EXPECT_TRUE(admission->enter(Urgency::normal));
}

TEST_F(AdmissionTest, ServesTheLineInOrderAndTheUrgentFirst) {
    follow({.limit = 1, .most_waiting = 10});
    std::optional<Admission::Place> held(admission->enter(Urgency::normal));
    auto first = waiter();
    auto second = waiter();
    auto urgent = waiter(Urgency::high);
    held.reset();
    turn();
    EXPECT_EQ(urgent->was_let_in, true);
    EXPECT_FALSE(first->was_let_in);
    EXPECT_FALSE(admission->enter(Urgency::normal)) << "nobody overtakes the line";
    urgent->place.reset();
    turn();
    EXPECT_EQ(first->was_let_in, true);
    EXPECT_FALSE(second->was_let_in);
    first->place.reset();
    turn();
    EXPECT_EQ(second->was_let_in, true);
    EXPECT_EQ(admission->waiting(), 0u);
}

TEST_F(AdmissionTest, GivesUpAtTheDeadline) {
    follow({.limit = 1, .most_waiting = 10});
    Admission::Place held = admission->enter(Urgency::normal);
    auto late = waiter(Urgency::normal, 50);
    while (!late->task.is_done()) loop.turn(true);
    EXPECT_EQ(late->was_let_in, false);
    EXPECT_EQ(admission->waiting(), 0u);
    EXPECT_EQ(admission->under_way(), 1u);
}

TEST_F(AdmissionTest, RefusesAtOnceWhereTheLineIsFullButForTheUrgent) {
    follow({.limit = 1, .most_waiting = 2});
    std::optional<Admission::Place> held(admission->enter(Urgency::normal));
    auto low = waiter(Urgency::low);
    auto normal = waiter(Urgency::normal);
    auto refused = waiter(Urgency::low);
    EXPECT_EQ(refused->was_let_in, false);
    auto urgent = waiter(Urgency::high);
    turn();
    EXPECT_EQ(low->was_let_in, false) << "sent away for one who is more urgent";
    EXPECT_FALSE(normal->was_let_in);
    held.reset();
    turn();
    EXPECT_EQ(urgent->was_let_in, true);
}

TEST_F(AdmissionTest, WhoGoesAwayLeavesNothingBehind) {
    follow({.limit = 1, .most_waiting = 10});
    std::optional<Admission::Place> held(admission->enter(Urgency::normal));
    auto gone = waiter(Urgency::high);
    auto next = waiter(Urgency::low);
    gone.reset();
    EXPECT_EQ(admission->waiting(), 1u);
    auto gone_with_a_place = waiter(Urgency::high);
    held.reset();  // the place is given, and its owner goes before it hears of it
    gone_with_a_place.reset();
    turn();
    EXPECT_EQ(next->was_let_in, true);
    EXPECT_EQ(admission->under_way(), 1u);
}

TEST_F(AdmissionTest, ARaisedLimitServesTheLine) {
    follow({.limit = 1, .most_waiting = 10});
    Admission::Place held = admission->enter(Urgency::normal);
    auto waiting = waiter();
    follow({.limit = 2, .most_waiting = 10});
    turn();
    EXPECT_EQ(waiting->was_let_in, true);
}

TEST_F(AdmissionTest, TheLimitFollowsTheLatency) {
    follow({.limit = 100, .least = 5, .most_waiting = 0, .latency = net::Milliseconds(50)});
    net::Instant now = 1'000;
    auto load = [&](int took, int windows) {
        for (int i = 0; i < windows; ++i) {
            std::vector<Admission::Place> held;
            while (Admission::Place place = admission->enter(Urgency::normal)) held.push_back(std::move(place));
            now += 200;
            for (int sample = 0; sample < 20; ++sample) admission->observe_latency(net::Milliseconds(took), now);
        }
    };
    load(200, 10);
    std::uint32_t fallen = admission->limit();
    EXPECT_LT(fallen, 50u);
    load(200, 40);
    EXPECT_EQ(admission->limit(), 5u) << "not below min_limit";
    load(10, 20);
    EXPECT_GT(admission->limit(), 15u);
    EXPECT_LT(admission->limit(), 100u);
    load(10, 200);
    EXPECT_EQ(admission->limit(), 100u);
}

TEST_F(AdmissionTest, WhatWasLearntOutlivesAReload) {
    AdmissionRules rules{.limit = 100, .least = 5, .most_waiting = 0, .latency = net::Milliseconds(50)};
    follow(rules);
    for (int sample = 0; sample < 20; ++sample)
        admission->observe_latency(net::Milliseconds(500), 10'000 + sample * 300);
    std::uint32_t learnt = admission->limit();
    ASSERT_LT(learnt, 100u);
    follow(rules);
    EXPECT_EQ(admission->limit(), learnt);
    follow({.limit = 40});
    EXPECT_EQ(admission->limit(), 40u);
}

// Under TSan too: cores that come and go never pass the limit, and nothing is left at the end.
TEST(AdmissionThreads, NeverMoreThanTheLimit) {
    auto admission = std::make_shared<Admission>("test");
    admission->follow({.limit = 3, .most_waiting = 100});
    std::atomic<int> inside{0};
    std::atomic<bool> was_over{false};
    std::atomic<int> served{0};
    auto one_core = [&](std::uint64_t seed) {
        net::simulated::SimulatedLoop loop{seed};
        auto request = [&]() -> base::Task<void> {
            Admission::Place place = admission->enter(Urgency::normal);
            std::optional<Admission::Place> given;
            if (!place) {
                Admission::Wait wait(admission, Urgency::normal, loop, net::never);
                given.emplace(co_await wait);
                if (!*given) co_return;
            }
            if (inside.fetch_add(1) >= 3) was_over = true;
            inside.fetch_sub(1);
            served.fetch_add(1);
        };
        for (int round = 0; round < 300; ++round) {
            std::vector<base::Task<void>> tasks;
            for (int i = 0; i < 5; ++i) {
                tasks.push_back(request());
                tasks.back().start();
            }
            if (round % 7 == 0) tasks.pop_back();  // somebody leaves
            for (auto& task : tasks)
                while (!task.is_done()) loop.turn(false);
        }
    };
    std::vector<std::thread> cores;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) cores.emplace_back(one_core, seed);
    for (std::thread& core : cores) core.join();
    EXPECT_FALSE(was_over);
    EXPECT_GE(served, 3 * 300 * 4);
    EXPECT_EQ(admission->under_way(), 0u);
    EXPECT_EQ(admission->waiting(), 0u);
}

}  // namespace
}  // namespace plugin
