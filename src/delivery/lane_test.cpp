#include "delivery/lane.h"

#include <gtest/gtest.h>

#include <deque>

#include "net/simulated/loop.h"

namespace delivery {
namespace {

using base::Error;
using base::Retry;
using Milliseconds = net::Milliseconds;

// What a place has got and how it takes the next batches; good if nothing is said.
struct Script {
    struct Step {
        Milliseconds takes{0};
        std::optional<Retry> fails;
    };
    std::deque<Step> steps;
    Step otherwise;
    struct Sent {
        net::Instant at;
        std::vector<std::string> batch;
        bool is_good;
    };
    std::vector<Sent> sent;
    int tidied = 0;
    net::Instant idle_until = net::never;
};

class ScriptedSender final : public Sender {
  public:
    ScriptedSender(net::Loop& loop, Script& script) : loop_(loop), script_(script) {}
    base::Task<base::Result<void>> send(Batch batch) override {
        Script::Step step = script_.otherwise;
        if (!script_.steps.empty()) {
            step = script_.steps.front();
            script_.steps.pop_front();
        }
        script_.sent.push_back({loop_.now(), {batch.begin(), batch.end()}, !step.fails});
        if (step.takes.count() > 0) co_await net::sleep_until(loop_, net::after(loop_.now(), step.takes));
        if (step.fails) co_return Error::upstream(base::Code::reset, *step.fails, "as scripted");
        co_return base::success();
    }
    [[nodiscard]] net::Instant idle_until() const override { return script_.idle_until; }
    void tidy() override {
        ++script_.tidied;
        script_.idle_until = net::never;
    }

  private:
    net::Loop& loop_;
    Script& script_;
};

class LaneTest : public testing::Test {
  protected:
    void begin(const QueueSettings& settings) {
        lane = std::make_unique<Lane>(
            loop, "test", settings, [this](net::Loop& on) { return std::make_unique<ScriptedSender>(on, script); },
            counts, [this] { ++ended; });
    }
    void push(int from, int to) {
        for (int i = from; i <= to; ++i) lane->push(std::to_string(i));
    }
    // "1 2|3": batches in order.
    std::string sent() {
        std::string out;
        for (const Script::Sent& one : script.sent) {
            if (!out.empty()) out += "|";
            std::string batch;
            for (const std::string& entry : one.batch) batch += (batch.empty() ? "" : " ") + entry;
            out += batch;
        }
        return out;
    }
    void run(int milliseconds) { loop.run_for(Milliseconds(milliseconds)); }

    net::simulated::SimulatedLoop loop{1};
    Script script;
    std::shared_ptr<Counts> counts = std::make_shared<Counts>();
    int ended = 0;
    std::unique_ptr<Lane> lane;
};

TEST_F(LaneTest, SendsOneByOneInOrder) {
    begin({});
    push(1, 3);
    run(10);
    EXPECT_EQ(sent(), "1|2|3");
    EXPECT_EQ(counts->sent, 3u);
    EXPECT_EQ(lane->waiting_bytes(), 0u);
}

TEST_F(LaneTest, WaitsForABatchToFillUntilTheDelayIsOver) {
    begin({.batch_size = 3, .coalescing_delay = Milliseconds(100)});
    net::Instant start = loop.now();
    push(1, 2);
    run(50);
    EXPECT_EQ(sent(), "");
    push(3, 4);  // full: at once
    run(20);
    EXPECT_EQ(sent(), "1 2 3");
    run(200);
    EXPECT_EQ(sent(), "1 2 3|4");
    EXPECT_GE(script.sent[1].at, start + 150);
    EXPECT_LE(script.sent[1].at, start + 155);
}

TEST_F(LaneTest, ASlowPlaceFillsItsQueueAndTheOldestMakeRoom) {
    script.otherwise.takes = Milliseconds(100);
    begin({.most_entries = 3});
    push(1, 6);  // 1 is under way at once; 2 and 3 are the oldest of those that wait
    EXPECT_EQ(lane->waiting(), 3u);
    EXPECT_EQ(counts->dropped, 2u);
    run(1000);
    EXPECT_EQ(sent(), "1|4|5|6");
    EXPECT_EQ(counts->sent, 4u);
}

TEST_F(LaneTest, IsBoundedInBytes) {
    script.otherwise.takes = Milliseconds(100);
    begin({.most_bytes = 10});
    lane->push("now");
    lane->push("12345");
    lane->push("67890");
    EXPECT_EQ(counts->dropped, 0u);
    lane->push("abc");
    EXPECT_EQ(counts->dropped, 1u);
    lane->push("longer than all");
    EXPECT_EQ(counts->dropped, 2u);
    EXPECT_EQ(lane->waiting_bytes(), 8u);
    run(1000);
    EXPECT_EQ(sent(), "now|67890|abc");
}

TEST_F(LaneTest, RetriesWithDoublingDelaysAndThenSucceeds) {
    for (int i = 0; i < 4; ++i) script.steps.push_back({Milliseconds(0), Retry::always});
    begin({.batch_size = 2, .first_retry_delay = Milliseconds(10), .longest_retry_delay = Milliseconds(40)});
    push(1, 2);
    push(3, 4);
    run(500);
    EXPECT_EQ(sent(), "1 2|1 2|1 2|1 2|1 2|3 4");
    std::vector<net::Instant> gaps;
    for (std::size_t i = 1; i < 5; ++i) gaps.push_back(script.sent[i].at - script.sent[i - 1].at);
    EXPECT_EQ(gaps, (std::vector<net::Instant>{10, 20, 40, 40}));
    EXPECT_EQ(counts->sent, 4u);
    EXPECT_EQ(counts->lost, 0u);
    EXPECT_EQ(counts->retries, 4u);
}

TEST_F(LaneTest, GivesUpWhenRetriesHaveTakenTooLong) {
    script.otherwise.fails = Retry::always;
    begin({.batch_size = 2, .retry_time = Milliseconds(100), .first_retry_delay = Milliseconds(10)});
    push(1, 2);
    run(99);
    EXPECT_EQ(counts->lost, 2u);  // after 10, 20 and 40 the next delay would end too late
    EXPECT_EQ(script.sent.size(), 4u);
    script.otherwise.fails.reset();
    push(3, 4);
    run(10);
    EXPECT_EQ(counts->sent, 2u) << "the lane goes on";
}

TEST_F(LaneTest, DoesNotRetryWhatIsHopeless) {
    script.steps.push_back({Milliseconds(0), Retry::never});
    begin({});
    push(1, 2);
    run(100);
    EXPECT_EQ(sent(), "1|2");
    EXPECT_EQ(counts->lost, 1u);
    EXPECT_EQ(counts->sent, 1u);
}

TEST_F(LaneTest, ClosedItSendsWhatThereIsAndEnds) {
    script.otherwise.takes = Milliseconds(20);
    begin({.batch_size = 10, .coalescing_delay = Milliseconds(10'000)});
    push(1, 3);
    lane->close();
    EXPECT_EQ(ended, 0);
    run(100);
    EXPECT_EQ(sent(), "1 2 3");
    EXPECT_EQ(ended, 1);
}

TEST_F(LaneTest, ClosedWithNothingToSendItEndsAtOnce) {
    begin({});
    lane->close();
    EXPECT_EQ(ended, 1);
}

TEST_F(LaneTest, HurriedItWaitsForNoRetry) {
    script.otherwise.fails = Retry::always;
    begin({.first_retry_delay = Milliseconds(5'000)});
    push(1, 3);
    run(10);
    lane->close();
    lane->hurry();
    run(10);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(counts->lost, 3u);
}

TEST_F(LaneTest, SendsInParallelWhereAllowed) {
    script.otherwise.takes = Milliseconds(100);
    begin({.parallel = 3});
    push(1, 4);
    run(50);
    EXPECT_EQ(script.sent.size(), 3u);
    run(100);
    EXPECT_EQ(script.sent.size(), 4u);
    lane->close();
    run(100);
    EXPECT_EQ(ended, 1);
}

TEST_F(LaneTest, TidiesAConnectionThatHasBeenIdle) {
    begin({});
    push(1, 1);
    run(10);
    script.idle_until = loop.now() + 100;
    push(2, 2);
    run(50);
    EXPECT_EQ(script.tidied, 0);
    run(60);
    EXPECT_EQ(script.tidied, 1);
    push(3, 3);
    run(10);
    EXPECT_EQ(sent(), "1|2|3");
}

TEST_F(LaneTest, CanBeDroppedInTheMiddle) {
    script.otherwise.takes = Milliseconds(100);
    begin({.parallel = 2});
    push(1, 10);
    run(10);
    lane.reset();
    run(1000);
    EXPECT_EQ(script.sent.size(), 2u);
}

}  // namespace
}  // namespace delivery
