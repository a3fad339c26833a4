#include "delivery/http_sender.h"

#include <gtest/gtest.h>

#include "delivery/courier.h"
#include "delivery/sink_for_tests.h"
#include "net/dns/simulated_resolver.h"

namespace delivery {
namespace {

using Action = SinkForTests::Action;
using Milliseconds = net::Milliseconds;

class HttpSenderTest : public testing::Test {
  protected:
    void SetUp() override {
        settings.place = {"127.0.0.1", 9000};
        settings.authority = "logs.example:9000";
        settings.path = "/in";
        settings.timeout = Milliseconds(1'000);
    }
    void TearDown() override {
        outbox.reset();
        courier.reset();
        sink.close_all();
        loop.run_for(Milliseconds(1'000));
        EXPECT_EQ(loop.open_sockets(), 0u);
    }
    void begin(const QueueSettings& queue = {}) {
        courier = std::make_unique<Courier>(loop, Courier::Options{});
        outbox = courier->open("key", "http-log", queue, [this](net::Loop& on) {
            return std::make_unique<HttpSender>(on, Surroundings{&resolver, nullptr}, settings);
        });
    }
    void put(int from, int to) {
        for (int i = from; i <= to; ++i) outbox->put("{\"n\":" + std::to_string(i) + "}");
    }
    bool run_until_sent(std::uint64_t count) {
        return loop.run_until([&] { return outbox->counts().sent + outbox->counts().lost >= count; },
                              Milliseconds(100'000));
    }

    net::simulated::SimulatedLoop loop{7};
    SinkForTests sink{loop, 9000};
    net::dns::SimulatedResolver resolver;
    HttpSettings settings;
    std::unique_ptr<Courier> courier;
    std::shared_ptr<Outbox> outbox;
};

TEST_F(HttpSenderTest, SendsSingleObjectsOnOneConnection) {
    settings.headers = {{"X-Key", "secret"}};
    begin();
    put(1, 3);
    ASSERT_TRUE(run_until_sent(3));
    EXPECT_EQ(sink.bodies, (std::vector<std::string>{"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"}));
    EXPECT_EQ(sink.heads[0],
              "POST /in HTTP/1.1\r\nHost: logs.example:9000\r\nContent-Type: application/json\r\nX-Key: secret\r\n"
              "Content-Length: 7");
    EXPECT_EQ(sink.connections(), 1u);
}

TEST_F(HttpSenderTest, SendsBatchesAsArrays) {
    begin({.batch_size = 2, .coalescing_delay = Milliseconds(50)});
    put(1, 3);
    ASSERT_TRUE(run_until_sent(3));
    EXPECT_EQ(sink.bodies, (std::vector<std::string>{"[{\"n\":1},{\"n\":2}]", "{\"n\":3}"}));
}

TEST_F(HttpSenderTest, RetriesServerErrorsUntilOneIsGood) {
    for (int status : {500, 503, 302}) sink.steps.push_back({.status = status});
    begin({.first_retry_delay = Milliseconds(10)});
    put(1, 1);
    ASSERT_TRUE(run_until_sent(1));
    EXPECT_EQ(sink.bodies.size(), 4u);
    EXPECT_EQ(outbox->counts().sent, 1u);
    EXPECT_EQ(outbox->counts().retries, 3u);
    EXPECT_EQ(sink.connections(), 1u);
}

TEST_F(HttpSenderTest, ABatchThatBreaksInTheMiddleIsSentAgainWhole) {
    sink.steps.push_back({.action = Action::reset_in_middle, .bytes = 150});
    sink.steps.push_back({.action = Action::reset_at_once});
    sink.steps.push_back({.action = Action::garbage});
    begin({.batch_size = 50, .coalescing_delay = Milliseconds(20)});
    put(1, 50);
    ASSERT_TRUE(run_until_sent(50));
    EXPECT_EQ(outbox->counts().sent, 50u);
    ASSERT_FALSE(sink.bodies.empty());
    EXPECT_TRUE(sink.bodies.back().starts_with("[{\"n\":1},"));
    EXPECT_TRUE(sink.bodies.back().ends_with(",{\"n\":50}]"));
}

TEST_F(HttpSenderTest, AConnectionClosedWhileIdleCostsNoRetry) {
    begin();
    put(1, 1);
    ASSERT_TRUE(run_until_sent(1));
    sink.close_all();
    loop.run_for(Milliseconds(100));
    put(2, 2);
    ASSERT_TRUE(run_until_sent(2));
    EXPECT_EQ(outbox->counts().retries, 0u);
    EXPECT_EQ(sink.connections(), 2u);
}

TEST_F(HttpSenderTest, ClosesAConnectionThatWasIdleForTooLong) {
    settings.keep_alive = Milliseconds(500);
    begin();
    put(1, 1);
    ASSERT_TRUE(run_until_sent(1));
    EXPECT_EQ(sink.open_connections(), 1u);
    loop.run_for(Milliseconds(600));
    EXPECT_EQ(sink.open_connections(), 0u);
}

TEST_F(HttpSenderTest, ASilentSinkTimesOutAndTheQueueStaysBounded) {
    sink.otherwise.action = Action::silence;
    begin({.most_entries = 5, .retry_time = Milliseconds(3'000)});
    put(1, 100);
    loop.run_for(Milliseconds(50));
    EXPECT_EQ(outbox->counts().dropped, 94u);
    sink.otherwise.action = Action::answer;
    ASSERT_TRUE(run_until_sent(6));
    EXPECT_EQ(outbox->counts().sent, 6u);
    EXPECT_EQ(sink.bodies.back(), "{\"n\":100}");
}

TEST_F(HttpSenderTest, ASinkThatIsDeadAndComesBackGetsWhatWaited) {
    sink.die();
    begin({.longest_retry_delay = Milliseconds(1'000)});
    put(1, 3);
    loop.run_for(Milliseconds(5'000));
    EXPECT_EQ(sink.bodies.size(), 0u);
    sink.live();
    ASSERT_TRUE(run_until_sent(3));
    EXPECT_EQ(outbox->counts().sent, 3u);
    EXPECT_EQ(sink.bodies.size(), 3u);
}

TEST_F(HttpSenderTest, ServersThatCloseAfterEachAnswer) {
    sink.otherwise.action = Action::answer_and_close;
    begin();
    put(1, 3);
    ASSERT_TRUE(run_until_sent(3));
    EXPECT_EQ(sink.bodies.size(), 3u);
    EXPECT_EQ(outbox->counts().retries, 0u);
}

TEST_F(HttpSenderTest, AnAnswerWithoutEndIsCutOff) {
    sink.otherwise.body = std::string(3 * HttpSettings::most_answer, 'x');
    begin();
    put(1, 2);
    ASSERT_TRUE(run_until_sent(2));
    EXPECT_EQ(outbox->counts().sent, 2u);
    EXPECT_EQ(sink.connections(), 2u);
}

TEST_F(HttpSenderTest, ResolvesItsName) {
    settings.place.host = "logs.example";
    begin();
    put(1, 1);
    loop.run_for(Milliseconds(500));
    EXPECT_EQ(sink.bodies.size(), 0u);
    resolver.set("logs.example", {net::IpAddress::loopback_v4()});
    resolver.run();
    ASSERT_TRUE(run_until_sent(1));
    EXPECT_EQ(outbox->counts().sent, 1u);
}

TEST_F(HttpSenderTest, RefusesHeadersThatBreakTheRequest) {
    EXPECT_TRUE(HttpSender::check(settings).ok());
    settings.headers = {{"X-Key", "a\r\nX-Other: b"}};
    EXPECT_FALSE(HttpSender::check(settings).ok());
    settings.headers.clear();
    settings.path = "/a b";
    EXPECT_FALSE(HttpSender::check(settings).ok());
}

// Every weather: nothing is invented, nothing hangs, and what counts as sent has arrived.
TEST(HttpSenderWeather, WhatCountsAsSentHasArrived) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        net::simulated::SimulatedLoop loop(
            seed, seed % 2 == 0 ? net::simulated::Weather::ordinary() : net::simulated::Weather::stormy());
        SinkForTests sink(loop, 9000);
        for (int status : {200, 500, 200}) sink.steps.push_back({.status = status});
        HttpSettings settings;
        settings.place = {"127.0.0.1", 9000};
        settings.authority = "a";
        settings.timeout = Milliseconds(5'000);
        Courier courier(loop, {});
        auto outbox =
            courier.open("key", "http-log",
                         {.batch_size = 7, .coalescing_delay = Milliseconds(10), .retry_time = Milliseconds(20'000)},
                         [&](net::Loop& on) { return std::make_unique<HttpSender>(on, Surroundings{}, settings); });
        for (int i = 0; i < 40; ++i) {
            outbox->put("<" + std::to_string(i) + ">");
            if (i % 5 == 0) loop.run_for(Milliseconds(15));
        }
        const Counts& counts = outbox->counts();
        ASSERT_TRUE(loop.run_until([&] { return counts.sent + counts.lost == 40; }, Milliseconds(600'000))) << seed;
        std::size_t arrived = 0;
        for (int i = 0; i < 40; ++i) {
            bool is_there = false;
            for (const std::string& body : sink.bodies)
                is_there = is_there || body.find("<" + std::to_string(i) + ">") != body.npos;
            arrived += is_there;
        }
        EXPECT_GE(arrived, counts.sent) << seed;
        sink.close_all();
        outbox.reset();
        loop.run_for(Milliseconds(100'000));
    }
}

}  // namespace
}  // namespace delivery
