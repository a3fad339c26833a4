// Clusters: the right node, wrong maps, slots on their way, lost nodes.
#include "redis/cluster.h"

#include <gtest/gtest.h>

#include "redis/client.h"
#include "redis/cluster_for_tests.h"
#include "redis/world_for_tests.h"

namespace redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class ClusterTest : public testing::TestWithParam<std::uint64_t> {
  protected:
    void begin(std::size_t count) {
        cluster = std::make_unique<FakeCluster>(world.loop, count);
        for (std::size_t i = 0; i < std::min<std::size_t>(count, 2); ++i)
            world.settings.cluster_nodes.push_back(FakeCluster::node(i));
        world.connect();
    }
    void TearDown() override {
        world.outcomes.clear();
        world.client.reset();
        cluster.reset();
    }
    // All keys of a run, with what they are now.
    [[nodiscard]] std::map<std::string, std::string> everything() const {
        std::map<std::string, std::string> out;
        for (const auto& node : cluster->nodes)
            for (const auto& [key, value] : node->store) EXPECT_TRUE(out.emplace(key, value).second) << key;
        return out;
    }
    World world{GetParam()};
    std::unique_ptr<FakeCluster> cluster;
};
INSTANTIATE_TEST_SUITE_P(Seeds, ClusterTest, testing::Range<std::uint64_t>(1, 9));

// The specification's own values.
TEST(Slots, OfKeys) {
    EXPECT_EQ(slot_of("123456789"), 0x31c3u);
    EXPECT_EQ(slot_of(""), 0u);
    EXPECT_EQ(slot_of("foo"), 12182u);
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
    EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
    EXPECT_NE(slot_of("foo{bar"), slot_of("bar"));
}

TEST(Slots, KeysOfCommands) {
    auto key = [](std::vector<std::string_view> words) { return key_of(words).value_or("none"); };
    EXPECT_EQ(key({"GET", "a"}), "a");
    EXPECT_EQ(key({"PING"}), "none");
    EXPECT_EQ(key({"EVALSHA", "digest", "2", "a", "b"}), "a");
    EXPECT_EQ(key({"eval", "source", "0", "a"}), "none");
    EXPECT_EQ(key({"EVAL", "source", "1"}), "none");
}

TEST(Slots, AnswersThatAreNoMap) {
    auto range = [](std::int64_t first, std::int64_t last, std::string_view host, std::int64_t port) {
        Reply node = Reply::array();
        node.add(Reply::of(Reply::Kind::bytes, host));
        node.add(Reply::of(port));
        Reply out = Reply::array();
        out.add(Reply::of(first));
        out.add(Reply::of(last));
        out.add(node);
        return out;
    };
    auto reads = [](Reply one) {
        Reply all = Reply::array();
        all.add(std::move(one));
        return read_slots(all, {"10.0.0.1", 7000}, 1).ok();
    };
    EXPECT_TRUE(reads(range(0, 16'383, "10.0.0.2", 7000)));
    EXPECT_TRUE(reads(range(0, 0, "", 65'535)));
    EXPECT_FALSE(reads(range(0, 16'384, "10.0.0.2", 7000)));
    EXPECT_FALSE(reads(range(-1, 5, "10.0.0.2", 7000)));
    EXPECT_FALSE(reads(range(6, 5, "10.0.0.2", 7000)));
    EXPECT_FALSE(reads(range(0, 5, "10.0.0.2", 0)));
    EXPECT_FALSE(reads(range(0, 5, "10.0.0.2", 65'536)));
    EXPECT_FALSE(reads(range(0, 5, "not a host", 7000)));
    EXPECT_FALSE(reads(Reply::of(1)));
    EXPECT_FALSE(reads(Reply::array()));
    EXPECT_FALSE(read_slots(Reply::array(), {}, 1).ok());
    EXPECT_FALSE(read_slots(Reply(), {}, 1).ok());
    Reply two = Reply::array();
    two.add(range(0, 5, "10.0.0.2", 7000));
    two.add(range(6, 9, "10.0.0.3", 7000));
    EXPECT_EQ(read_slots(two, {}, 1).error().code, base::Code::too_large);
    EXPECT_EQ(read_slots(two, {}, 2)->at(1).master, (Node{"10.0.0.3", 7000}));
}

TEST(Slots, Redirections) {
    Node asked{"10.0.0.1", 7000};
    EXPECT_EQ(read_redirection("MOVED 3999 127.0.0.1:6381", asked)->to, (Node{"127.0.0.1", 6381}));
    EXPECT_EQ(read_redirection("ASK 3999 ::1:6381", asked)->to, (Node{"::1", 6381}));
    EXPECT_EQ(read_redirection("MOVED 3999 :6381", asked)->to, (Node{"10.0.0.1", 6381}));
    EXPECT_EQ(read_redirection("MOVED 16383 redis.example:1", asked)->slot, 16'383u);
    for (const char* text : {"MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED 1 a", "MOVED 1 a:", "MOVED 1 a:0",
                             "MOVED 1 a:65536", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED x a:1", "MOVED 1 a b:1"})
        EXPECT_FALSE(read_redirection(text, asked)) << text;
}

TEST_P(ClusterTest, EachCommandGoesToTheOwnerOfItsSlot) {
    begin(3);
    for (int i = 0; i < 100; ++i) world.begin({"INCR", "key" + std::to_string(i)});
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_EQ(outcome->text(), "1");
    EXPECT_EQ(everything().size(), 100u);
    for (const auto& node : cluster->nodes) EXPECT_GT(node->count("INCR"), 20u);
    EXPECT_EQ(world.client->counters().redirects, 0u);
    EXPECT_EQ(world.client->counters().slot_refreshes, 1u);
    EXPECT_EQ(world.say({"PING"}).text(), "PONG");
    EXPECT_LE(world.loop.open_sockets(), 8u);  // both ends of three connections, and of one to a node that was asked
}

TEST_P(ClusterTest, ScriptsGoToTheOwnerOfTheirKeys) {
    static const Script script("redis.call('INCR', KEYS[1])");
    begin(3);
    for (const auto& node : cluster->nodes)
        node->on_eval = [&](const std::string&) { node->scripts.insert(std::string(script.digest())); };
    for (int i = 0; i < 50; ++i) {
        std::string tag = "{" + std::to_string(i) + "}";
        world.begin_script(script, {tag + "a", tag + "b"});
    }
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_TRUE(outcome->is_reply()) << outcome->text();
    EXPECT_EQ(everything().size(), 100u);
}

TEST_P(ClusterTest, NodesThatDoNotSayTheirHostAreWhereTheyWereAsked) {
    begin(3);
    cluster->says_hosts = false;
    for (int i = 0; i < 30; ++i) world.begin({"INCR", "key" + std::to_string(i)});
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_EQ(outcome->text(), "1");
    cluster->owner.fill(2);
    EXPECT_EQ(world.say({"INCR", "another"}).text(), "1");
}

TEST_P(ClusterTest, AWrongMapIsMendedSlotBySlotAndThenWhole) {
    begin(3);
    ASSERT_EQ(world.say({"INCR", "{a}1"}).text(), "1");
    cluster->owner.fill(2);
    ASSERT_EQ(world.say({"INCR", "{a}2"}).text(), "1");
    std::uint64_t redirects = world.client->counters().redirects;
    EXPECT_LE(redirects, 1u);
    for (int i = 3; i < 9; ++i) EXPECT_EQ(world.say({"INCR", "{a}" + std::to_string(i)}).text(), "1");
    EXPECT_EQ(world.client->counters().redirects, redirects);
    world.loop.run_for(seconds(1));
    redirects = world.client->counters().redirects;
    for (int i = 0; i < 100; ++i) world.begin({"INCR", "key" + std::to_string(i)});
    world.finish_all();
    EXPECT_LE(world.client->counters().redirects, redirects + (redirects == 0 ? 100 : 0));
    EXPECT_LE(world.client->counters().slot_refreshes, 3u);
}

TEST_P(ClusterTest, RedirectionsWithoutEndAreNotFollowed) {
    begin(2);
    ASSERT_EQ(world.say({"INCR", "key"}).text(), "1");
    cluster->intercept = [](auto& session, const Words& words) -> std::optional<std::string> {
        if (words[0] != "INCR") return std::nullopt;
        std::uint16_t other = session.socket->remote().port % 2;
        return "-MOVED 1 127.0.0.1:" + std::to_string(7000 + other) + "\r\n";
    };
    Outcome& outcome = world.say({"INCR", "key"});
    EXPECT_EQ(outcome.code(), base::Code::no_endpoint);
    EXPECT_EQ(world.client->counters().redirects, 5u);
    EXPECT_EQ(cluster->count("INCR"), 7u);
}

TEST_P(ClusterTest, NodesThatSendToEachOtherAreAskedAgainAMomentLater) {
    begin(2);
    ASSERT_EQ(world.say({"INCR", "key"}).text(), "1");
    net::Instant told = world.loop.now() + 30;
    cluster->intercept = [&](auto& session, const Words& words) -> std::optional<std::string> {
        if (words[0] != "INCR" || world.loop.now() >= told) return std::nullopt;
        std::uint16_t other = session.socket->remote().port % 2;
        return "-MOVED " + std::to_string(slot_of("key")) + " 127.0.0.1:" + std::to_string(7000 + other) + "\r\n";
    };
    EXPECT_EQ(world.say({"INCR", "key"}).text(), "2");
}

TEST_P(ClusterTest, ASlotOnItsWayIsFoundOnBothSides) {
    begin(2);
    ASSERT_EQ(world.say({"SET", "{tag}old", "1"}).text(), "OK");
    ASSERT_EQ(world.say({"SET", "{tag}moved", "1"}).text(), "OK");
    std::uint16_t slot = slot_of("tag");
    std::size_t from = cluster->owner[slot];
    cluster->begin_move(slot, 1 - from);
    cluster->move_key("{tag}moved");
    // Interleaved with others, so that an ASKING that came apart from its command would show.
    for (int i = 0; i < 10; ++i) {
        world.begin({"INCR", "{tag}old"});
        world.begin({"INCR", "other" + std::to_string(i)});
        world.begin({"INCR", "{tag}moved"});
        world.begin({"INCR", "{tag}new"});
    }
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_TRUE(outcome->is_reply()) << outcome->text();
    auto all = everything();
    EXPECT_EQ(all["{tag}old"], "11");
    EXPECT_EQ(all["{tag}moved"], "11");
    EXPECT_EQ(all["{tag}new"], "10");
    EXPECT_EQ(cluster->nodes[1 - from]->store.count("{tag}new"), 1u);
    cluster->end_move(slot);
    EXPECT_EQ(world.say({"INCR", "{tag}old"}).text(), "12");
}

TEST_P(ClusterTest, KeysOnBothSidesAreTriedAgain) {
    begin(2);
    ASSERT_EQ(world.say({"PING"}).text(), "PONG");
    cluster->begin_move(slot_of("tag"), 1 - cluster->owner[slot_of("tag")]);
    cluster->try_again = 2;
    net::Instant begun = world.loop.now();
    EXPECT_EQ(world.say({"INCR", "{tag}new"}).text(), "1");
    EXPECT_GE(world.loop.now(), begun + 20);
    cluster->try_again = 1'000;
    EXPECT_EQ(world.say({"INCR", "{tag}newer"}).code(), base::Code::no_endpoint);
}

// What the issue asks of resharding: no command fails, none is lost, none is run twice.
TEST_P(ClusterTest, ReshardingUnderLoad) {
    begin(4);
    int issued = 0;
    base::Random random(GetParam());
    for (int round = 0; round < 60; ++round) {
        for (int i = 0; i < 20; ++i, ++issued) world.begin({"INCR", "key" + std::to_string(random.below(40))});
        if (round % 3 == 0) {
            std::string key = "key" + std::to_string(random.below(40));
            std::uint16_t slot = slot_of(key);
            if (cluster->moving.contains(slot))
                cluster->end_move(slot);
            else
                cluster->begin_move(slot, (cluster->owner[slot] + 1 + random.below(3)) % 4);
        }
        for (int i = 0; i < 5; ++i) cluster->move_key("key" + std::to_string(random.below(40)));
        world.loop.run_for(milliseconds(random.below(100)));
    }
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_TRUE(outcome->is_reply()) << outcome->text();
    int total = 0;
    for (const auto& [key, value] : everything()) total += std::stoi(value);
    EXPECT_EQ(total, issued);
    EXPECT_GT(world.client->counters().redirects, 0u);
}

TEST_P(ClusterTest, ALostNodeFailsItsOwnKeysOnlyUntilAnotherHasThem) {
    begin(3);
    std::vector<std::string> keys;
    for (std::size_t node = 0; node < 3; ++node)
        for (int i = 0;; ++i)
            if (std::string key = "key" + std::to_string(i); cluster->owner[slot_of(key)] == node) {
                keys.push_back(key);
                break;
            }
    for (const std::string& key : keys) ASSERT_EQ(world.say({"INCR", key}).text(), "1");
    cluster->stop(0);
    world.loop.run_for(milliseconds(100));
    net::Instant end = net::after(world.loop.now(), seconds(5));
    while (world.loop.now() < end) {
        net::Instant begun = world.loop.now();
        Outcome& lost = world.say({"INCR", keys[0]});
        EXPECT_FALSE(lost.is_reply());
        EXPECT_LE(lost.at, begun + 50);
        EXPECT_TRUE(world.say({"INCR", keys[1]}).is_reply());
        EXPECT_TRUE(world.say({"INCR", keys[2]}).is_reply());
        EXPECT_TRUE(world.client->is_available());
        world.loop.run_for(milliseconds(200));
    }
    for (std::size_t& owner : cluster->owner)
        if (owner == 0) owner = 1;
    world.loop.run_until([&] { return world.say({"INCR", keys[0]}).is_reply(); }, seconds(2));
    EXPECT_EQ(world.say({"INCR", keys[0]}).text(), "2");
}

TEST_P(ClusterTest, AnyNodeOfTheConfigurationWillDo) {
    cluster = std::make_unique<FakeCluster>(world.loop, 3);
    cluster->stop(0);
    for (std::size_t& owner : cluster->owner)
        if (owner == 0) owner = 2;
    world.settings.cluster_nodes = {FakeCluster::node(0), FakeCluster::node(1)};
    world.connect();
    EXPECT_EQ(world.say({"INCR", "key"}).text(), "1");
}

TEST_P(ClusterTest, WithoutAnyNodeEverythingFailsAtOnceUntilOneIsBack) {
    world.settings.cluster_nodes = {FakeCluster::node(0), FakeCluster::node(1)};
    world.connect();
    net::Instant begun = world.loop.now();
    for (int i = 0; i < 10; ++i) world.begin({"INCR", "key"});
    world.finish_all();
    for (const auto& outcome : world.outcomes) EXPECT_LE(outcome->at, begun + 100);
    EXPECT_FALSE(world.client->is_available());
    EXPECT_EQ(world.begin({"INCR", "key"}).code(), base::Code::no_endpoint);
    world.loop.run_for(seconds(60));
    EXPECT_LE(world.client->counters().slot_refreshes, 40u);
    cluster = std::make_unique<FakeCluster>(world.loop, 2);
    EXPECT_TRUE(world.loop.run_until([&] { return world.client->is_available(); }, seconds(15)));
    EXPECT_EQ(world.say({"INCR", "key"}).text(), "1");
}

TEST_P(ClusterTest, AServerThatIsNoClusterIsNotUsedAsOne) {
    world.serve();
    world.settings.cluster_nodes = {world.settings.server};
    world.connect();
    EXPECT_EQ(world.say({"INCR", "key"}).code(), base::Code::invalid);
    EXPECT_EQ(world.server->count("INCR"), 0u);
}

TEST_P(ClusterTest, TheClientMayEndAtAnyTime) {
    begin(3);
    for (int i = 0; i < 20; ++i) world.begin({"INCR", "key" + std::to_string(i)});
    world.loop.run_for(milliseconds(static_cast<net::Instant>(GetParam() - 1)));
    world.client.reset();
    for (const auto& outcome : world.outcomes) EXPECT_TRUE(outcome->is_done());
}

TEST_P(ClusterTest, ThoseInLineMayLeave) {
    begin(3);
    for (const auto& node : cluster->nodes)
        node->intercept = [](auto&, const Words&) { return std::optional<std::string>(""); };
    net::Instant begun = world.loop.now();
    Outcome& leaver = world.begin({"INCR", "a"});
    Outcome& late = world.begin({"INCR", "b"}, begun + 50);
    Outcome& stays = world.begin({"INCR", "c"});
    world.loop.run_for(milliseconds(10));
    leaver.task = {};
    world.finish(late);
    EXPECT_EQ(late.code(), base::Code::timed_out);
    EXPECT_LE(late.at, begun + 52);
    world.finish(stays);
    EXPECT_LE(stays.at, begun + 4'005);
}

}  // namespace
}  // namespace redis
