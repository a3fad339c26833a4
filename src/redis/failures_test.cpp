// What a Client promises when Redis is dead, slow, full, broken or malicious: every command ends in time, nothing is
// answered with another one's reply, nothing is run twice, memory is bounded, and it comes back by itself.
#include <gtest/gtest.h>

#include <algorithm>

#include "redis/client.h"
#include "redis/world_for_tests.h"

namespace redis {
namespace {

using net::simulated::Weather;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class FailuresTest : public testing::TestWithParam<std::uint64_t> {
  protected:
    World world{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, FailuresTest, testing::Range<std::uint64_t>(1, 9));

TEST_P(FailuresTest, NobodyListens) {
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& first = world.say({"PING"});
    EXPECT_EQ(first.code(), base::Code::refused);
    EXPECT_LE(first.at, begun + 50);
    EXPECT_FALSE(world.client->is_available());
    // From now on at once, until somebody does.
    EXPECT_EQ(world.begin({"PING"}).code(), base::Code::no_endpoint);
    EXPECT_EQ(world.client->counters().refused_at_once, 1u);
    world.serve();
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(1)));
    EXPECT_EQ(world.say({"ECHO", "back"}).text(), "back");
}

TEST_P(FailuresTest, AttemptsToConnectBecomeRareAndEndWithTheDemand) {
    world.connect();
    world.say({"PING"});
    net::Instant end = net::after(world.loop.now(), minutes(1));
    while (world.loop.now() < end) {
        world.begin({"PING"});
        world.loop.run_for(milliseconds(500));
    }
    std::uint64_t attempts = world.client->counters().connect_failures;
    EXPECT_GE(attempts, 12u);
    EXPECT_LE(attempts, 40u);
    world.loop.run_for(minutes(10));
    EXPECT_LE(world.client->counters().connect_failures, attempts + 130);
    attempts = world.client->counters().connect_failures;
    world.loop.run_for(minutes(60));
    EXPECT_EQ(world.client->counters().connect_failures, attempts);
    EXPECT_EQ(world.say({"PING"}).code(), base::Code::refused);
}

TEST_P(FailuresTest, OnceItIsWellAgainTheBackOffBeginsAnew) {
    world.connect();
    world.say({"PING"});
    world.loop.run_for(minutes(1));
    world.serve();
    ASSERT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    ASSERT_EQ(world.say({"ECHO", "well"}).text(), "well");
    world.server->stop();
    world.loop.run_for(milliseconds(50));
    EXPECT_FALSE(world.say({"ECHO", "gone"}).is_reply());
    world.serve();
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, milliseconds(250)));
}

TEST_P(FailuresTest, NoWayThere) {
    world.serve();
    world.loop.blackhole(world.here());
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& first = world.say({"PING"});
    EXPECT_EQ(first.code(), base::Code::timed_out);
    EXPECT_LE(first.at, begun + 2'005);
    EXPECT_EQ(world.begin({"PING"}).code(), base::Code::no_endpoint);
    world.loop.heal(world.here());
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    EXPECT_EQ(world.say({"ECHO", "back"}).text(), "back");
}

TEST_P(FailuresTest, OverdueRepliesCloseTheConnectionAndNobodyWaitsAgain) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    world.loop.blackhole(world.here());
    net::Instant begun = world.loop.now();
    for (int i = 0; i < 10; ++i) world.begin({"ECHO", "lost"});
    world.loop.run_for(milliseconds(1'000));
    Outcome& later = world.begin({"ECHO", "lost"});
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_LE(outcome->at, begun + 2'005);
    EXPECT_FALSE(later.is_reply());
    EXPECT_EQ(world.client->counters().lost, 1u);
    // Each of the next ones ends at once, for as long as it lasts.
    for (int i = 0; i < 100; ++i) {
        Outcome& outcome = world.begin({"ECHO", "lost"});
        ASSERT_TRUE(outcome.is_done());
        world.loop.run_for(milliseconds(100));
    }
    world.loop.heal(world.here());
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    EXPECT_EQ(world.say({"ECHO", "back"}).text(), "back");
}

TEST_P(FailuresTest, AProcessThatHangsIsNoticedByTheGreeting) {
    world.serve();
    world.server->intercept = [](auto&, const Words&) { return std::optional<std::string>(""); };
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& first = world.say({"PING"});
    EXPECT_EQ(first.code(), base::Code::timed_out);
    EXPECT_LE(first.at, begun + 4'005);
    world.loop.run_for(seconds(5));
    EXPECT_EQ(world.begin({"PING"}).code(), base::Code::no_endpoint);
}

TEST_P(FailuresTest, ALoadingServerIsNotUsed) {
    world.serve();
    bool is_loading = true;
    world.server->intercept = [&](auto&, const Words& words) -> std::optional<std::string> {
        if (!is_loading || words[0] == "AUTH") return std::nullopt;
        return "-LOADING Redis is loading the dataset in memory\r\n";
    };
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).code(), base::Code::no_endpoint);
    EXPECT_EQ(world.begin({"INCR", "count"}).code(), base::Code::no_endpoint);
    is_loading = false;
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
}

TEST_P(FailuresTest, AFullServerIsNotLeft) {
    world.serve();
    world.server->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] != "SET") return std::nullopt;
        return "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    };
    world.connect();
    EXPECT_EQ(world.say({"SET", "key", "value"}).code(), base::Code::exhausted);
    EXPECT_TRUE((*world.say({"GET", "key"}).result)->is_nil());
    EXPECT_EQ(world.client->counters().lost, 0u);
}

TEST_P(FailuresTest, AReadOnlyServerIsLeftForWhatTheNameMeansNow) {
    world.serve();
    bool is_replica = true;
    world.server->intercept = [&](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] != "INCR" || !is_replica) return std::nullopt;
        return "-READONLY You can't write against a read only replica.\r\n";
    };
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).code(), base::Code::no_endpoint);
    is_replica = false;
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->counters().connects == 2; }, seconds(10)));
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
}

TEST_P(FailuresTest, AClosedConnectionComesBackWithTheNextCommand) {
    world.serve();
    world.connect();
    for (int i = 1; i < 5; ++i) {
        EXPECT_EQ(world.say({"INCR", "count"}).text(), std::to_string(i));
        world.server->close_all();
        world.loop.run_for(milliseconds(50));
        EXPECT_TRUE(world.client->is_available());
    }
    EXPECT_EQ(world.client->counters().failures, 0u);
}

TEST_P(FailuresTest, ABrokenConnectionFailsWhatIsUnderWayOnce) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    world.server->intercept = [](auto& session, const Words& words) -> std::optional<std::string> {
        if (words[0] != "ECHO") return std::nullopt;
        session.closes = true;
        return "$5\r\nhal";
    };
    for (int i = 0; i < 10; ++i) world.begin({"ECHO", "lost"});
    world.finish_all();
    for (std::size_t i = 1; i < world.outcomes.size(); ++i) EXPECT_FALSE(world.outcomes[i]->is_reply());
    EXPECT_EQ(world.client->counters().lost, 1u);
    EXPECT_EQ(world.client->counters().failures, 10u);
    EXPECT_EQ(world.server->count("ECHO"), 1u);
}

// It greets well each time, so only what happens to commands shows what it is.
TEST_P(FailuresTest, AServerThatBreaksWithEachCommandIsNotHammered) {
    world.serve();
    world.server->intercept = [](auto& session, const Words& words) -> std::optional<std::string> {
        session.closes = words[0] == "INCR";
        if (words[0] == "INCR") return "";
        return std::nullopt;
    };
    world.connect();
    net::Instant end = net::after(world.loop.now(), minutes(1));
    while (world.loop.now() < end) {
        world.begin({"INCR", "count"});
        world.loop.run_for(milliseconds(20));
    }
    EXPECT_LE(world.server->sessions.size(), 40u);
}

TEST_P(FailuresTest, NonsenseClosesTheConnection) {
    const std::vector<std::string> nonsense = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "garbage",
        "\r\n",
        "$abc\r\n",
        "$-2\r\n",
        "$3\r\nabcde\r\n",
        "$9223372036854775807\r\n",
        "*-5\r\n",
        "*2147483647\r\n",
        "*99999999999999999999\r\n",
        ":12a\r\n",
        ":99999999999999999999\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "%1\r\n:1\r\n:2\r\n",
        "+" + std::string(100'000, 'x'),
        "$" + std::string(100'000, '1'),
        std::string(1, '\0'),
    };
    world.serve();
    std::string next;
    world.server->intercept = [&](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] == "ECHO") return next;
        return std::nullopt;
    };
    world.connect();
    for (const std::string& text : nonsense) {
        next = text;
        std::uint64_t lost = world.client->counters().lost;
        Outcome& asker = world.begin({"ECHO", "x"});
        Outcome& behind = world.begin({"GET", "x"});
        world.finish(asker);
        world.finish(behind);
        EXPECT_FALSE(asker.is_reply()) << text.substr(0, 50);
        EXPECT_FALSE(behind.is_reply()) << text.substr(0, 50);
        EXPECT_EQ(world.client->counters().lost, lost + 1) << text.substr(0, 50);
        ASSERT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    }
}

TEST_P(FailuresTest, RepliesThatNobodyAskedForCloseTheConnection) {
    world.serve();
    world.server->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] == "ECHO") return bulk(words[1]) + bulk("and more");
        return std::nullopt;
    };
    world.connect();
    EXPECT_EQ(world.say({"ECHO", "x"}).text(), "x");
    world.loop.run_for(milliseconds(100));
    EXPECT_EQ(world.client->counters().lost, 1u);
}

TEST_P(FailuresTest, AReplyThatNeverEndsIsBounded) {
    world.settings.limits.reply_bytes = 1024 * 1024;
    world.settings.read_timeout = minutes(10);
    world.serve();
    const std::string much(256 * 1024, 'x');
    world.server->intercept = [&](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] == "BYTES") return "$1000000000\r\n" + much + much + much + much + much;
        if (words[0] == "ELEMENTS") return "*1000000000\r\n";
        if (words[0] == "MANY") {
            std::string out = "*262144\r\n";
            for (int i = 0; i < 262'144; ++i) out += "$8\r\n12345678\r\n";
            return out;
        }
        return std::nullopt;
    };
    world.connect();
    for (const char* name : {"BYTES", "ELEMENTS", "MANY"}) {
        EXPECT_EQ(world.say({name}).code(), base::Code::too_large) << name;
        ASSERT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    }
}

TEST_P(FailuresTest, TooMuchUnderWayFailsAtOnce) {
    world.settings.limits.commands = 10;
    world.settings.limits.unsent_bytes = 1'000;
    world.settings.limits.command_bytes = 2'000;
    world.serve();
    world.connect();
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(world.begin({"INCR", "count"}).is_done());
    EXPECT_EQ(world.begin({"INCR", "count"}).code(), base::Code::exhausted);
    world.loop.run_for(milliseconds(100));
    EXPECT_FALSE(world.begin({"SET", "key", std::string(800, 'x')}).is_done());
    EXPECT_EQ(world.begin({"SET", "key", std::string(800, 'x')}).code(), base::Code::exhausted);
    EXPECT_EQ(world.begin({"SET", "key", std::string(2'000, 'x')}).code(), base::Code::too_large);
    world.finish_all();
    EXPECT_EQ(world.say({"GET", "count"}).text(), "10");
}

TEST_P(FailuresTest, AnIdleConnectionThatDiedIsNoticedBeforeACommandNeedsIt) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"INCR", "count"}).text(), "1");
    world.loop.run_for(seconds(40));
    EXPECT_GE(world.server->count("PING"), 3u);
    EXPECT_EQ(world.client->counters().commands, 1u);
    world.loop.blackhole(world.here());
    world.loop.run_for(seconds(20));
    EXPECT_FALSE(world.client->is_available());
    world.loop.heal(world.here());
    world.loop.run_for(seconds(10));
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "2");
}

TEST_P(FailuresTest, AnUnwantedConnectionIsClosed) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"INCR", "count"}).text(), "1");
    world.loop.run_for(minutes(6));
    EXPECT_TRUE(world.server->sessions[0]->is_closed);
    EXPECT_EQ(world.loop.open_sockets(), 0u);
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "2");
    EXPECT_EQ(world.client->counters().failures, 0u);
}

TEST_P(FailuresTest, TheClientMayEndAtAnyTime) {
    world.serve();
    world.connect();
    world.server->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] == "INCR") return "";
        return std::nullopt;
    };
    net::Instant most = static_cast<net::Instant>(GetParam());
    for (int i = 0; i < 10; ++i) world.begin({"INCR", "count"});
    world.client->tell({"INCR", "count"});
    world.loop.run_for(milliseconds(most));
    world.client.reset();
    for (const auto& outcome : world.outcomes) {
        ASSERT_TRUE(outcome->is_done());
        EXPECT_EQ(outcome->code(), base::Code::cancelled);
    }
}

// One who is told that its command failed, and at once issues another.
base::Task<void> insist(Client& client, int& failed, int most) {
    while (failed < most) {
        base::Result<Reply> result = co_await client.command({"INCR", "count"});
        if (!result) ++failed;
    }
}

TEST_P(FailuresTest, WhoeverIsToldMayIssueAgain) {
    world.settings.limits.least_back_off = milliseconds(0);
    world.serve();
    world.server->intercept = [](auto& session, const Words& words) -> std::optional<std::string> {
        session.closes = words[0] == "INCR" && session.said.size() % 3 == 0;
        return std::nullopt;
    };
    world.connect();
    std::vector<base::Task<void>> tasks;
    int failed = 0;
    for (int i = 0; i < 20; ++i) tasks.push_back(insist(*world.client, failed, 1'000));
    for (auto& task : tasks) task.start();
    EXPECT_TRUE(world.loop.run_until([&] { return failed >= 1'000; }, minutes(10)));
    // Those that wait still wait for what is under way.
    world.client.reset();
    for (auto& task : tasks) EXPECT_TRUE(task.is_done());
}

// ---- everything at once, by seed

class Storm {
  public:
    explicit Storm(std::uint64_t seed)
        : world_(seed, seed % 3 == 0   ? Weather::calm()
                       : seed % 3 == 1 ? Weather::ordinary()
                                       : Weather::stormy()),
          random_(seed * 7 + 1) {
        world_.settings.set_timeout(milliseconds(200 + random_.below(2'000)));
        if (random_.below(2) == 0) world_.settings.password = "open sesame";
        world_.settings.limits.least_back_off = milliseconds(random_.below(100));
        if (random_.below(4) == 0) world_.settings.limits.commands = 5;
        world_.serve();
        world_.server->password = world_.settings.password;
        world_.server->intercept = [this](auto& session, const Words& words) { return mischief(session, words); };
        world_.connect();
    }

    void run() {
        std::vector<base::Task<void>> tasks;
        for (int i = 0; i < 20; ++i) tasks.push_back(work());
        tasks.push_back(disturb());
        for (auto& task : tasks) task.start();
        auto is_over = [&] { return std::ranges::all_of(tasks, [](auto& task) { return task.is_done(); }); };
        ASSERT_TRUE(world_.loop.run_until(is_over, minutes(60)));
        for (const auto& [token, times] : ran_) EXPECT_LE(times, 1) << token;
        // It is well again.
        is_well_ = true;
        world_.loop.heal(world_.here());
        world_.loop.set_weather(Weather::calm());
        ASSERT_TRUE(world_.loop.run_until(
            [&] { return world_.client->is_available() && world_.say({"ECHO", "well"}).text() == "well"; },
            minutes(1)));
        const Counters& counters = world_.client->counters();
        EXPECT_EQ(counters.commands, counters.replies + counters.failures + counters.timeouts +
                                         counters.refused_at_once + counters.dropped);
    }

  private:
    std::optional<std::string> mischief(ScriptedServer::Session& session, const Words& words) {
        if (words[0] == "ECHO") ++ran_[words[1]];
        if (is_well_) return std::nullopt;
        switch (random_.below(60)) {
            case 0:
                session.closes = true;
                return std::nullopt;
            case 1:
                session.closes = true;
                return "";
            case 2:
                session.pause = milliseconds(random_.below(3'000));
                return std::nullopt;
            case 3:
                return "nonsense";
            case 4:
                session.is_mute = true;
                return "$100\r\nhalf";
            case 5:
                return "-ERR something\r\n";
            case 6:
                session.is_mute = true;
                return "";
            default:
                return std::nullopt;
        }
    }
    base::Task<void> work() {
        for (int i = 0; i < 40; ++i) {
            net::Instant pause = world_.loop.now() + random_.below(300);
            co_await net::sleep_until(world_.loop, pause);
            std::string token = std::to_string(++tokens_);
            net::Instant begun = world_.loop.now();
            net::Instant deadline = random_.below(3) == 0 ? begun + random_.below(1'000) : net::never;
            if (random_.below(10) == 0) {  // one who leaves
                Outcome leaver;
                leaver.task = ask(*world_.client, {"ECHO", token}, deadline, leaver);
                leaver.task.start();
                net::Instant end = world_.loop.now() + random_.below(20);
                co_await net::sleep_until(world_.loop, end);
                continue;
            }
            base::Result<Reply> result = co_await world_.client->command({"ECHO", token}, deadline);
            net::Instant longest = 2 * world_.settings.connect_timeout.count();
            EXPECT_LE(world_.loop.now(), std::min(begun + longest, std::max(deadline, begun)) + 5);
            if (result) EXPECT_EQ(result->text(), token);
        }
    }
    base::Task<void> disturb() {
        for (int i = 0; i < 10; ++i) {
            net::Instant pause = world_.loop.now() + random_.below(3'000);
            co_await net::sleep_until(world_.loop, pause);
            switch (random_.below(4)) {
                case 0:
                    world_.loop.reset_all(world_.here());
                    break;
                case 1:
                    world_.loop.blackhole(world_.here());
                    break;
                case 2:
                    world_.loop.refuse(world_.here());
                    break;
                default:
                    break;
            }
            pause = world_.loop.now() + random_.below(3'000);
            co_await net::sleep_until(world_.loop, pause);
            world_.loop.heal(world_.here());
        }
    }

    World world_;
    base::Random random_;
    std::uint64_t tokens_ = 0;
    std::map<std::string, int> ran_;
    bool is_well_ = false;
};

TEST(Storms, EveryCommandEndsInTimeWithItsOwnReplyOrAnError) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE(seed);
        Storm storm(seed);
        storm.run();
        if (testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace redis
