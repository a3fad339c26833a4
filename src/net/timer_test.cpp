#include "net/timer.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

namespace net {
namespace {

struct Alarm {
    Instant fired_at = -1;
    Instant* clock = nullptr;
    Timer timer;
    explicit Alarm(Instant& now) : clock(&now) {
        timer.set([](void* self) { static_cast<Alarm*>(self)->fired(); }, this);
    }
    void fired() { fired_at = *clock; }
};

TEST(TimerWheel, FiresAtTheDeadlineAndNotBefore) {
    Instant now = 1'000'003;
    TimerWheel wheel(now);
    Alarm alarm(now);
    alarm.timer.arm(wheel, now + 5);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(alarm.fired_at, -1);
        wheel.advance(++now);
    }
    EXPECT_EQ(alarm.fired_at, now);
}

TEST(TimerWheel, ADeadlineMovedLaterCostsNoEarlyFire) {
    Instant now = 0;
    TimerWheel wheel(now);
    Alarm alarm(now);
    alarm.timer.arm(wheel, 10);
    alarm.timer.arm(wheel, 5000);
    wheel.advance(now = 4999);
    EXPECT_EQ(alarm.fired_at, -1);
    wheel.advance(now = 5000);
    EXPECT_EQ(alarm.fired_at, 5000);
}

TEST(TimerWheel, ACancelledTimerStaysQuietAndMayDie) {
    Instant now = 0;
    TimerWheel wheel(now);
    Alarm stays(now);
    stays.timer.arm(wheel, 10);
    {
        Alarm dies(now);
        dies.timer.arm(wheel, 10);
    }
    stays.timer.cancel();
    wheel.advance(now = 100);
    EXPECT_EQ(stays.fired_at, -1);
    EXPECT_EQ(wheel.next(), never);
}

TEST(TimerWheel, ATimerFarBeyondTheWheelWaits) {
    Instant now = 7;
    TimerWheel wheel(now);
    Alarm alarm(now);
    Instant far = Instant{1} << 40;
    alarm.timer.arm(wheel, far);
    wheel.advance(now = far - 1);
    EXPECT_EQ(alarm.fired_at, -1);
    wheel.advance(now = far);
    EXPECT_EQ(alarm.fired_at, far);
}

// Against the plainest model: a multiset of deadlines.
TEST(TimerWheel, AgreesWithASortedListOnRandomTraffic) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937_64 random(seed);
        Instant now = static_cast<Instant>(random() % (1u << 20));
        TimerWheel wheel(now);
        std::vector<std::unique_ptr<Alarm>> alarms;
        std::vector<Instant> wanted;
        for (int i = 0; i < 50; ++i) {
            alarms.push_back(std::make_unique<Alarm>(now));
            wanted.push_back(-1);
        }
        for (int step = 0; step < 400; ++step) {
            std::size_t i = random() % alarms.size();
            if (random() % 4 == 0) {
                alarms[i]->timer.cancel();
                wanted[i] = -1;
            } else {
                wanted[i] = now + 1 + static_cast<Instant>(random() % (1u << (random() % 18)));
                alarms[i]->timer.arm(wheel, wanted[i]);
                alarms[i]->fired_at = -1;
            }
            Instant next = wheel.next();
            for (Instant deadline : wanted)
                if (deadline != -1) ASSERT_LE(next, deadline) << "seed " << seed;
            now += static_cast<Instant>(random() % (1u << (random() % 14)));
            wheel.advance(now);
            for (std::size_t j = 0; j < alarms.size(); ++j) {
                if (wanted[j] == -1 || wanted[j] > now) {
                    ASSERT_EQ(alarms[j]->fired_at, -1) << "seed " << seed;
                } else {
                    ASSERT_NE(alarms[j]->fired_at, -1) << "seed " << seed;
                    alarms[j]->fired_at = -1;
                    wanted[j] = -1;
                }
            }
        }
    }
}

}  // namespace
}  // namespace net
