// Sentinel: the master that is named, its failover, Sentinels that are down or wrong.
#include "redis/sentinels.h"

#include <gtest/gtest.h>

#include "redis/client.h"
#include "redis/world_for_tests.h"

namespace redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SentinelsTest : public testing::TestWithParam<std::uint64_t> {
  protected:
    SentinelsTest() {
        for (std::uint16_t port : {26379, 26380, 26381}) {
            world.settings.sentinel_nodes.push_back({"127.0.0.1", port});
            sentinels.push_back(serve(port));
            sentinels.back()->intercept = [this](auto&, const Words& words) { return answer(words); };
        }
        world.settings.sentinel_master = "main";
        first = serve(7001);
        second = serve(7002);
        second->role = "slave";
    }
    void TearDown() override {
        world.outcomes.clear();
        world.client.reset();
        sentinels.clear();
        first.reset();
        second.reset();
    }
    std::unique_ptr<ScriptedServer> serve(std::uint16_t port) {
        return std::make_unique<ScriptedServer>(world.loop, net::SocketAddress{net::IpAddress::loopback_v4(), port});
    }
    std::optional<std::string> answer(const Words& words) {
        if (words[0] != "SENTINEL") return std::nullopt;
        if (words.at(2) != "main") return "*-1\r\n";
        if (words[1] == "GET-MASTER-ADDR-BY-NAME") return list({bulk("127.0.0.1"), bulk(std::to_string(master_port))});
        auto replica = [](int port, std::string_view flags) {
            return list({bulk("ip"), bulk("127.0.0.1"), bulk("port"), bulk(std::to_string(port)), bulk("flags"),
                         bulk(flags), bulk("master-link-status"), bulk("ok")});
        };
        return list({replica(7009, "s_down,slave,disconnected"), replica(7002, "slave")});
    }
    World world{GetParam()};
    std::vector<std::unique_ptr<ScriptedServer>> sentinels;
    std::unique_ptr<ScriptedServer> first;
    std::unique_ptr<ScriptedServer> second;
    int master_port = 7001;
};
INSTANTIATE_TEST_SUITE_P(Seeds, SentinelsTest, testing::Range<std::uint64_t>(1, 9));

TEST_P(SentinelsTest, TheMasterIsTheOneTheyName) {
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
    EXPECT_EQ(first->count("INCR"), 1u);
    EXPECT_EQ(first->count("ROLE"), 1u);
    EXPECT_EQ(sentinels[0]->count("SENTINEL"), 1u);
    EXPECT_EQ(sentinels[1]->sessions.size(), 0u);
    world.loop.run_for(milliseconds(100));
    EXPECT_TRUE(sentinels[0]->sessions[0]->is_closed);
}

TEST_P(SentinelsTest, TheyHaveTheirOwnUserAndPassword) {
    world.settings.sentinel_username = "guard";
    world.settings.sentinel_password = "open";
    world.settings.password = "other";
    for (auto& sentinel : sentinels) {
        sentinel->username = "guard";
        sentinel->password = "open";
    }
    first->password = "other";
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
    EXPECT_EQ(sentinels[0]->sessions[0]->said[0], (Words{"AUTH", "guard", "open"}));
}

TEST_P(SentinelsTest, AReplicaIfThatIsWanted) {
    world.settings.sentinel_role = SentinelRole::replica;
    world.connect();
    EXPECT_TRUE((*world.say({"GET", "count"}).result)->is_nil());
    EXPECT_EQ(second->count("GET"), 1u);
}

TEST_P(SentinelsTest, AnyServerIfThatIsWanted) {
    world.settings.sentinel_role = SentinelRole::any;
    first->stop();
    world.connect();
    EXPECT_TRUE((*world.say({"GET", "count"}).result)->is_nil());
    EXPECT_EQ(second->count("GET"), 1u);
}

TEST_P(SentinelsTest, ThoseThatAreDownOrSilentAreSkipped) {
    sentinels[0]->stop();
    sentinels[1]->intercept = [](auto&, const Words&) { return std::optional<std::string>(""); };
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& outcome = world.say({"INCR", "count"});
    EXPECT_EQ(outcome.text(), "1");
    EXPECT_LE(outcome.at, begun + 2'000);
    // The one that answered is asked first the next time.
    first->close_all();
    world.loop.run_for(milliseconds(50));
    begun = world.loop.now();
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "2");
    EXPECT_LE(world.loop.now(), begun + 200);
}

TEST_P(SentinelsTest, WithoutAnyOfThemItFailsInTime) {
    for (auto& sentinel : sentinels)
        sentinel->intercept = [](auto&, const Words&) { return std::optional<std::string>(""); };
    world.connect();
    net::Instant begun = world.loop.now();
    Outcome& outcome = world.say({"INCR", "count"});
    EXPECT_EQ(outcome.code(), base::Code::timed_out);
    EXPECT_LE(outcome.at, begun + 2'010);
    EXPECT_EQ(world.begin({"INCR", "count"}).code(), base::Code::no_endpoint);
    world.loop.run_for(seconds(30));
    for (auto& sentinel : sentinels) EXPECT_LE(sentinel->sessions.size(), 20u);
}

TEST_P(SentinelsTest, AnUnknownMasterFails) {
    world.settings.sentinel_master = "another";
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).code(), base::Code::no_endpoint);
}

TEST_P(SentinelsTest, WhatIsNoMasterIsNotUsedAsOne) {
    master_port = 7002;
    world.connect();
    EXPECT_EQ(world.say({"INCR", "count"}).code(), base::Code::no_endpoint);
    EXPECT_EQ(second->count("INCR"), 0u);
    master_port = 7001;
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(10)));
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
}

TEST_P(SentinelsTest, AFailoverIsFollowed) {
    world.connect();
    ASSERT_EQ(world.say({"INCR", "count"}).text(), "1");
    bool is_abrupt = GetParam() % 2 == 0;
    if (is_abrupt) {
        first->stop();
    } else {
        first->role = "slave";
        first->intercept = [](auto&, const Words& words) -> std::optional<std::string> {
            if (words[0] != "INCR") return std::nullopt;
            return "-READONLY You can't write against a read only replica.\r\n";
        };
    }
    net::Instant begun = world.loop.now();
    // Until the Sentinels agree nothing is answered, and nobody waits.
    while (world.loop.now() < begun + 3'000) {
        net::Instant issued = world.loop.now();
        Outcome& outcome = world.say({"INCR", "count"});
        EXPECT_FALSE(outcome.is_reply());
        EXPECT_LE(outcome.at, issued + 200);
        world.loop.run_for(milliseconds(50));
    }
    second->role = "master";
    master_port = 7002;
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(6)));
    EXPECT_EQ(world.say({"INCR", "count"}).text(), "1");
    EXPECT_EQ(second->store["count"], "1");
}

TEST_P(SentinelsTest, TheClientMayEndWhileTheyAreAsked) {
    world.connect();
    Outcome& outcome = world.begin({"INCR", "count"});
    world.loop.run_for(milliseconds(static_cast<net::Instant>(GetParam())));
    world.client.reset();
    EXPECT_TRUE(outcome.is_done());
}

TEST(Sentinel, AnswersThatAreNone) {
    EXPECT_FALSE(read_master(Reply()).ok());
    EXPECT_FALSE(read_master(Reply::of(1)).ok());
    EXPECT_FALSE(read_master(Reply::array()).ok());
    Reply master = Reply::array();
    master.add(Reply::of(Reply::Kind::bytes, "10.0.0.1"));
    master.add(Reply::of(Reply::Kind::bytes, "0"));
    EXPECT_FALSE(read_master(master).ok());
    for (const char* host : {"a b", "", "[::1]", "host\r\nAUTH"}) {
        Reply odd = Reply::array();
        odd.add(Reply::of(Reply::Kind::bytes, host));
        odd.add(Reply::of(Reply::Kind::bytes, "6379"));
        EXPECT_FALSE(read_master(odd).ok()) << host;
    }
    EXPECT_FALSE(read_replicas(Reply::of(1)).ok());
    EXPECT_TRUE(read_replicas(Reply::array())->empty());
    Reply odd = Reply::array();
    odd.add(Reply::array()).add(Reply::of(Reply::Kind::bytes, "ip"));
    EXPECT_FALSE(read_replicas(odd).ok());
}

}  // namespace
}  // namespace redis
