// One server: what commands, scripts and greetings look like on the wire, and how they end when Redis is well.
// (When it is not: failures_test.cpp.)
#include "redis/client.h"

#include <gtest/gtest.h>

#include "net/dns/simulated_resolver.h"
#include "net/epoll/loop.h"
#include "net/uring/loop.h"
#include "redis/world_for_tests.h"

namespace redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClientTest : public testing::TestWithParam<std::uint64_t> {
  protected:
    World world{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, ClientTest, testing::Range<std::uint64_t>(1, 9));

TEST_P(ClientTest, RepliesOfEveryKind) {
    world.serve();
    world.connect();
    EXPECT_EQ(world.say({"SET", "key", "some value"}).text(), "OK");
    EXPECT_EQ(world.say({"GET", "key"}).text(), "some value");
    EXPECT_TRUE((*world.say({"GET", "other"}).result)->is_nil());
    EXPECT_EQ((*world.say({"INCR", "count"}).result)->integer(), 1);
    EXPECT_EQ((*world.say({"GET", "count"}).result)->integer(), 1);
    Outcome& wrong = world.say({"NONSENSE", "secret"});
    ASSERT_FALSE(wrong.result->ok());
    EXPECT_EQ(wrong.code(), base::Code::invalid);
    EXPECT_EQ(wrong.result->error().detail, "Redis: ERR unknown command 'NONSENSE'");
    EXPECT_EQ(world.client->counters().commands, 6u);
    EXPECT_EQ(world.client->counters().replies, 6u);
    EXPECT_EQ(world.client->counters().complaints, 1u);
    EXPECT_EQ(world.server->sessions.size(), 1u);
}

TEST_P(ClientTest, BytesAreBytes) {
    world.serve();
    world.connect();
    std::string any;
    for (int i = 0; i < 300'000; ++i) any += static_cast<char>(i * 7 >> 3);
    EXPECT_EQ(world.say({"SET", any.substr(0, 300), any}).text(), "OK");
    EXPECT_EQ(world.say({"GET", any.substr(0, 300)}).text(), any);
    EXPECT_EQ(world.say({"SET", "", ""}).text(), "OK");
    EXPECT_EQ(world.say({"GET", ""}).text(), "");
}

TEST_P(ClientTest, CommandsOfOneTurnLeaveTogetherAndAreAnsweredInOrder) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    std::uint64_t before = world.client->counters().sends;
    for (int i = 0; i < 64; ++i) world.begin({"ECHO", std::to_string(i)});
    world.finish_all();
    for (int i = 0; i < 64; ++i) EXPECT_EQ(world.outcomes[static_cast<std::size_t>(i) + 1]->text(), std::to_string(i));
    EXPECT_EQ(world.client->counters().sends, before + 1);
}

TEST_P(ClientTest, ThoseIssuedBeforeThereIsAConnectionWaitForIt) {
    world.serve();
    world.connect();
    for (int i = 0; i < 20; ++i) world.begin({"INCR", "count"});
    world.finish_all();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(world.outcomes[static_cast<std::size_t>(i)]->text(), std::to_string(i + 1));
    EXPECT_EQ(world.client->counters().connects, 1u);
}

TEST_P(ClientTest, LogsInAndChoosesTheDatabaseBeforeAnythingElse) {
    world.settings.username = "gateway";
    world.settings.password = "open sesame";
    world.settings.database = 3;
    world.serve();
    world.server->username = "gateway";
    world.server->password = "open sesame";
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
    EXPECT_EQ(world.server->sessions[0]->said,
              (std::vector<Words>{{"AUTH", "gateway", "open sesame"}, {"SELECT", "3"}, {"PING"}, {"INCR", "count"}}));
}

TEST_P(ClientTest, APasswordAloneIsThatOfTheDefaultUser) {
    world.settings.password = "open sesame";
    world.serve();
    world.server->password = "open sesame";
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
    EXPECT_EQ(world.server->sessions[0]->said[0], (Words{"AUTH", "open sesame"}));
}

TEST_P(ClientTest, AWrongPasswordFailsEveryCommandAndStaysSecret) {
    world.settings.password = "open sesame";
    world.serve();
    world.server->password = "something else";
    world.connect();
    Outcome& outcome = world.say({"INCR", "count"});
    EXPECT_EQ(outcome.code(), base::Code::refused);
    EXPECT_EQ(outcome.text().find("sesame"), std::string::npos);
    EXPECT_EQ(world.server->count("INCR"), 0u);
    // Neither does a server that quotes what it does not know.
    world.server->intercept = [](auto&, const Words& words) { return "-ERR unknown command " + words.back() + "\r\n"; };
    world.loop.run_for(seconds(1));
    EXPECT_EQ(world.say({"INCR", "count"}).text().find("sesame"), std::string::npos);
}

TEST_P(ClientTest, AUserWhoMayNotPingIsAUserAllTheSame) {
    world.serve();
    world.server->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] != "PING") return std::nullopt;
        return "-NOPERM this user has no permissions to run the 'ping' command\r\n";
    };
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
}

TEST_P(ClientTest, AScriptIsSentWholeOnlyToAServerThatDoesNotHaveIt) {
    static const Script script("redis.call('INCR', KEYS[1])");
    EXPECT_EQ(script.digest().size(), 40u);
    world.serve();
    world.server->on_eval = [&](const std::string& source) {
        EXPECT_EQ(source, script.source());
        world.server->scripts.insert(std::string(script.digest()));
    };
    world.connect();
    for (int i = 1; i <= 3; ++i) {
        Outcome& outcome = world.begin_script(script, {"a", "b"});
        world.finish(outcome);
        ASSERT_TRUE(outcome.is_reply()) << outcome.text();
        ASSERT_EQ((*outcome.result)->elements().size(), 2u);
        EXPECT_EQ((*outcome.result)->elements()[1].integer(), i);
    }
    EXPECT_EQ(world.server->count("EVALSHA"), 3u);
    EXPECT_EQ(world.server->count("EVAL"), 1u);
    EXPECT_EQ(world.client->counters().script_loads, 1u);
    Words many(100, "x");
    Outcome& outcome = world.begin_script(script, many);
    world.finish(outcome);
    EXPECT_EQ((*outcome.result)->elements().size(), 100u);
}

// The digest of the empty text and of "return 1", as Redis 7.0 gives them.
TEST(Script, TheDigestIsTheOneRedisComputes) {
    EXPECT_EQ(Script("").digest(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    EXPECT_EQ(Script("return 1").digest(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

TEST_P(ClientTest, AScriptThatTheServerNeverKeepsIsNotSentForEver) {
    static const Script script("redis.call('INCR', KEYS[1])");
    world.serve();
    world.server->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
        if (words[0] != "EVAL") return std::nullopt;
        return "-NOSCRIPT never\r\n";
    };
    world.connect();
    Outcome& outcome = world.begin_script(script, {"a"});
    world.finish(outcome);
    EXPECT_FALSE(outcome.is_reply());
    EXPECT_EQ(world.server->count("EVAL"), 1u);
}

TEST_P(ClientTest, ToldCommandsAreRunAndNobodyWaits) {
    world.serve();
    world.connect();
    world.client->tell({"INCR", "count"});
    world.client->tell({"NONSENSE"});
    EXPECT_EQ(world.say({"GET", "count"}).text(), "1");
    EXPECT_EQ(world.client->counters().complaints, 1u);
    world.client->tell({"INCR", "count"});
}

TEST_P(ClientTest, TheReplyOfOneWhoHasLeftIsDropped) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    Outcome& leaver = world.begin({"INCR", "count"});
    Outcome& stayer = world.begin({"ECHO", "mine"});
    world.loop.turn(false);
    leaver.task = {};
    world.finish(stayer);
    EXPECT_EQ(stayer.text(), "mine");
    EXPECT_EQ(world.server->store["count"], "1");
    EXPECT_EQ(world.client->counters().dropped, 1u);
}

TEST_P(ClientTest, WhatIsNotSentYetNeedNotBeIfItsCallerHasLeft) {
    world.serve();
    world.connect();
    Outcome& first = world.begin({"INCR", "count"});
    Outcome& second = world.begin({"ECHO", "mine"});
    Outcome& third = world.begin({"INCR", "count"});
    first.task = {};
    third.task = {};
    world.finish(second);
    EXPECT_EQ(second.text(), "mine");
    EXPECT_EQ(world.server->count("INCR"), 0u);
    EXPECT_EQ(world.say({"PING"}).text(), "PONG");
}

TEST_P(ClientTest, ADeadlineEndsOneCallAndNotTheConnection) {
    world.serve();
    world.connect();
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    world.server->intercept = [](auto& session, const Words& words) -> std::optional<std::string> {
        if (words[1] == "slow") session.pause = milliseconds(500);
        return std::nullopt;
    };
    net::Instant begun = world.loop.now();
    Outcome& slow = world.begin({"ECHO", "slow"}, begun + 100);
    Outcome& next = world.begin({"ECHO", "next"});
    world.finish(slow);
    EXPECT_EQ(slow.code(), base::Code::timed_out);
    EXPECT_GE(slow.at, begun + 100);
    EXPECT_LE(slow.at, begun + 102);
    world.finish(next);
    EXPECT_EQ(next.text(), "next");
    EXPECT_EQ(world.client->counters().timeouts, 1u);
    EXPECT_EQ(world.client->counters().lost, 0u);
    EXPECT_EQ(world.begin({"ECHO", "late"}, begun).code(), base::Code::timed_out);
}

TEST_P(ClientTest, AServerIsFoundByName) {
    net::dns::SimulatedResolver resolver;
    world.surroundings.resolver = &resolver;
    world.settings.server.host = "redis.example";
    world.serve();
    world.connect();
    Outcome& outcome = world.begin({"ECHO", "found"});
    world.loop.run_for(milliseconds(50));
    EXPECT_FALSE(outcome.is_done());
    resolver.set("redis.example", std::vector{*net::IpAddress::parse("127.0.0.1")});
    resolver.run();
    world.finish(outcome);
    EXPECT_EQ(outcome.text(), "found");
    EXPECT_EQ(resolver.watch_count(), 0u);
}

TEST_P(ClientTest, AllAddressesOfANameAreTried) {
    net::dns::SimulatedResolver resolver;
    world.surroundings.resolver = &resolver;
    world.settings.server.host = "redis.example";
    world.serve();
    resolver.set("redis.example", std::vector{*net::IpAddress::parse("10.0.0.1"), *net::IpAddress::parse("10.0.0.2"),
                                              *net::IpAddress::parse("127.0.0.1")});
    world.loop.blackhole({*net::IpAddress::parse("10.0.0.1"), 6379});
    world.connect();
    Outcome& outcome = world.begin({"ECHO", "found"});
    world.loop.run_until([&] { return resolver.run() > 0; }, seconds(1));
    world.finish(outcome);
    EXPECT_EQ(outcome.text(), "found");
}

TEST_P(ClientTest, ANameThatIsNotKnownFails) {
    net::dns::SimulatedResolver resolver;
    world.surroundings.resolver = &resolver;
    world.settings.server.host = "redis.example";
    resolver.set("redis.example", net::dns::Records{net::dns::Records::State::not_found, {}, "no such name"});
    world.connect();
    Outcome& outcome = world.begin({"PING"});
    world.loop.run_until([&] { return resolver.run() > 0; }, seconds(1));
    world.finish(outcome);
    EXPECT_EQ(outcome.code(), base::Code::unresolved);
}

TEST_P(ClientTest, ANameThatIsNotResolvedInTimeFails) {
    net::dns::SimulatedResolver resolver;
    world.surroundings.resolver = &resolver;
    world.settings.server.host = "redis.example";
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& outcome = world.say({"PING"});
    EXPECT_EQ(outcome.code(), base::Code::timed_out);
    EXPECT_LE(outcome.at, begun + 2'005);
    EXPECT_EQ(resolver.watch_count(), 0u);
}

TEST_P(ClientTest, TheOperatorsOwnAnswerWins) {
    net::dns::Overrides overrides;
    ASSERT_TRUE(overrides.add("redis.example:6379:127.0.0.1:7000"));
    world.surroundings.overrides = &overrides;
    world.serve();
    ScriptedServer other(world.loop, {net::IpAddress::loopback_v4(), 7000});
    world.settings.server.host = "redis.example";
    world.connect();
    EXPECT_EQ(world.say({"ECHO", "found"}).text(), "found");
    EXPECT_EQ(other.count("ECHO"), 1u);
    world.client.reset();
    world.loop.run_for(seconds(1));
}

TEST(Clients, EqualSettingsShareAClient) {
    net::simulated::SimulatedLoop loop(1);
    Clients clients(loop, {}, 1);
    Settings one;
    one.password = "a";
    Settings other = one;
    other.password = "b";
    Lease first = clients.of(one);
    EXPECT_EQ(clients.of(one).client, first.client);
    EXPECT_NE(clients.of(other).client, first.client);
    EXPECT_EQ(clients.size(), 2u);
}

// Otherwise a reload that changes the settings would leave connections behind each time.
TEST(Clients, WhatNobodyHasARightToAnyMoreGoes) {
    net::simulated::SimulatedLoop loop(1);
    Clients clients(loop, {}, 1);
    Settings one;
    Settings other;
    other.password = "b";
    Lease kept = clients.of(one);
    {
        Lease first = clients.of(other);
        Lease second = clients.of(other);
        first = {};
        clients.tidy();
        EXPECT_EQ(clients.size(), 2u);
        EXPECT_EQ(clients.of(other).client, second.client);
    }
    clients.tidy();
    EXPECT_EQ(clients.size(), 1u);
    EXPECT_EQ(clients.of(one).client, kept.client);
}

TEST(Settings, WhatCannotWorkIsRefused) {
    auto refused = [](auto change) {
        Settings settings;
        change(settings);
        return !settings.check().ok();
    };
    EXPECT_FALSE(refused([](Settings&) {}));
    EXPECT_TRUE(refused([](Settings& settings) { settings.server.port = 0; }));
    EXPECT_TRUE(refused([](Settings& settings) { settings.server.host = "not a host"; }));
    EXPECT_TRUE(refused([](Settings& settings) { settings.read_timeout = milliseconds(0); }));
    EXPECT_TRUE(refused([](Settings& settings) { settings.username = "a"; }));
    EXPECT_TRUE(refused([](Settings& settings) { settings.sentinel_master = "a"; }));
    EXPECT_TRUE(refused([](Settings& settings) { settings.sentinel_nodes.emplace_back(); }));
    EXPECT_TRUE(refused([](Settings& settings) {
        settings.cluster_nodes.emplace_back();
        settings.database = 1;
    }));
}

// The loops that the program runs on.
class RealLoops : public testing::TestWithParam<net::Loop::Kind> {};
INSTANTIATE_TEST_SUITE_P(All, RealLoops, testing::Values(net::Loop::Kind::epoll, net::Loop::Kind::io_uring),
                         [](const auto& info) { return std::string(net::name(info.param)); });

TEST_P(RealLoops, CommandsOfOneTurnLeaveTogether) {
    auto made = GetParam() == net::Loop::Kind::epoll ? net::epoll::make() : net::uring::make();
    if (!made) GTEST_SKIP() << made.error().detail;
    std::unique_ptr<net::Loop> loop = std::move(*made);
    {
        ScriptedServer server(*loop, {net::IpAddress::loopback_v4(), 0});
        Settings settings;
        settings.server.port = server.port();
        Client client(*loop, settings, {}, 1);
        std::vector<std::unique_ptr<Outcome>> outcomes;
        auto run = [&](int count) {
            outcomes.clear();
            for (int i = 0; i < count; ++i) {
                Outcome& out = *outcomes.emplace_back(std::make_unique<Outcome>());
                out.task = ask(client, {"ECHO", std::to_string(i)}, net::never, out);
                out.task.start();
            }
            while (!std::ranges::all_of(outcomes, [](auto& outcome) { return outcome->is_done(); })) loop->turn(true);
        };
        run(1);
        std::uint64_t before = client.counters().sends;
        run(64);
        for (int i = 0; i < 64; ++i) EXPECT_EQ(outcomes[static_cast<std::size_t>(i)]->text(), std::to_string(i));
        EXPECT_EQ(client.counters().sends, before + 1);
        server.stop();
        for (int i = 0; i < 100 && server.sessions[0]->socket; ++i) loop->turn(false);
    }
    for (int i = 0; i < 100 && loop->open_sockets() > 0; ++i) loop->turn(false);
    EXPECT_EQ(loop->open_sockets(), 0u);
}

}  // namespace
}  // namespace redis
