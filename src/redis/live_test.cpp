// The client against real servers (redis-server and redis-sentinel of Debian), on the loops of this machine: users,
// TLS, a failover, a cluster that is resharded under load, a server that hangs, dies and comes back. Skipped where
// Redis is not installed.
#include <gtest/gtest.h>

#include <algorithm>

#include "net/tls/certificate_for_tests.h"
#include "redis/live_for_tests.h"
#include "redis/server_for_tests.h"
#include "redis/slots.h"

namespace redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* plain = "port PORT\nsave \"\"\nappendonly no\n";

class LiveTest : public testing::TestWithParam<net::Loop::Kind> {
  protected:
    void SetUp() override {
        if (!has_program("redis-server")) GTEST_SKIP() << "redis-server is not installed";
        if (!live.loop) GTEST_SKIP() << "this machine does not allow that loop";
    }
    // A client that answers, once the server is up.
    Client& ready(const Settings& settings) {
        Client& client = live.connect(settings);
        EXPECT_TRUE(live.says_at_last(client, {"PING"}, "PONG", seconds(20)));
        return client;
    }
    Live live{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Loops, LiveTest, testing::Values(net::Loop::Kind::epoll, net::Loop::Kind::io_uring),
                         [](const auto& info) { return std::string(net::name(info.param)); });

Settings settings_for(const Server& server) {
    Settings out;
    out.server = server.node();
    return out;
}

TEST_P(LiveTest, CommandsScriptsAndDatabases) {
    Server server(plain);
    Settings settings = settings_for(server);
    Client& client = ready(settings);
    settings.database = 5;
    Client& other = ready(settings);
    EXPECT_EQ(live.say(client, {"SET", "key", "value"}).text(), "OK");
    EXPECT_EQ(live.say(client, {"GET", "key"}).text(), "value");
    EXPECT_TRUE((*live.say(other, {"GET", "key"}).result)->is_nil());
    EXPECT_EQ(live.say(client, {"LPUSH", "key", "x"}).code(), base::Code::invalid);

    static const Script script("return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}");
    for (int i = 1; i <= 3; ++i) {
        if (i == 3) EXPECT_EQ(live.say(client, {"SCRIPT", "FLUSH"}).text(), "OK");
        Outcome out;
        std::array<std::string_view, 1> keys{"count"};
        std::array<std::string_view, 1> arguments{"10"};
        Call call = client.run(script, keys, arguments);
        ASSERT_TRUE(live.run_until([&] { return call.is_settled(); }, seconds(10)));
        base::Result<Reply> reply = call.take();
        ASSERT_TRUE(reply) << reply.error().detail;
        EXPECT_EQ(reply->elements()[0].integer(), i * 10);
        EXPECT_EQ(reply->elements()[1].integer(), -1);
    }
    EXPECT_EQ(client.counters().script_loads, 2u);

    const std::string large(5'000'000, 'x');
    EXPECT_EQ(live.say(client, {"SET", "large", large}).text(), "OK");
    EXPECT_TRUE(live.say(client, {"GET", "large"}).text() == large);
    for (int i = 0; i < 2'000; ++i) live.begin(client, {"INCR", "many"});
    ASSERT_TRUE(live.run_until([&] { return live.outcomes.back()->is_done(); }, seconds(20)));
    EXPECT_EQ(live.outcomes.back()->text(), "2000");
}

TEST_P(LiveTest, PasswordsAndUsers) {
    Server server(std::string(plain) +
                  "requirepass open-sesame\nuser gateway on >of-the-gateway ~cardea:* +@all -@dangerous\n");
    Settings settings = settings_for(server);
    settings.password = "open-sesame";
    Client& root = ready(settings);
    EXPECT_EQ(live.say(root, {"SET", "other", "1"}).text(), "OK");

    settings.username = "gateway";
    settings.password = "of-the-gateway";
    Client& gateway = ready(settings);
    EXPECT_EQ(live.say(gateway, {"INCR", "cardea:count"}).text(), "1");
    EXPECT_EQ(live.say(gateway, {"INCR", "other"}).code(), base::Code::refused);
    EXPECT_EQ(live.say(gateway, {"CONFIG", "GET", "requirepass"}).code(), base::Code::refused);

    settings.password = "something-else";
    Client& wrong = live.connect(settings);
    Outcome& refused = live.say(wrong, {"INCR", "cardea:count"});
    EXPECT_EQ(refused.code(), base::Code::refused);
    EXPECT_EQ(refused.text().find("something"), std::string::npos);

    settings.username.clear();
    settings.password.clear();
    EXPECT_EQ(live.say(live.connect(settings), {"INCR", "count"}).code(), base::Code::refused);
}

TEST_P(LiveTest, AServerThatHangsDiesAndComesBack) {
    Server server(plain);
    Settings settings = settings_for(server);
    settings.set_timeout(milliseconds(300));
    Client& client = ready(settings);
    server.pause();
    net::Instant begun = net::posix::monotonic_now();
    for (int i = 0; i < 50; ++i) live.begin(client, {"INCR", "count"});
    ASSERT_TRUE(live.run_until([&] { return live.outcomes.back()->is_done(); }, seconds(10)));
    EXPECT_EQ(live.outcomes.back()->code(), base::Code::timed_out);
    EXPECT_LE(net::posix::monotonic_now(), begun + 5'000);
    EXPECT_TRUE(live.run_until([&] { return !client.is_available(); }, seconds(10)));
    EXPECT_TRUE(live.begin(client, {"PING"}).is_done());
    server.go_on();
    EXPECT_TRUE(live.says_at_last(client, {"SET", "count", "0"}, "OK", seconds(20)));

    server.kill();
    EXPECT_TRUE(live.run_until([&] { return !live.say(client, {"INCR", "count"}).is_reply(); }, seconds(10)));
    server.start();
    EXPECT_TRUE(live.says_at_last(client, {"INCR", "count"}, "1", seconds(20)));
}

TEST_P(LiveTest, AFullServerSaysSo) {
    Server server(std::string(plain) + "maxmemory 2mb\nmaxmemory-policy noeviction\n");
    Client& client = ready(settings_for(server));
    const std::string much(100'000, 'x');
    base::Code code = base::Code::internal;
    for (int i = 0; i < 100 && code == base::Code::internal; ++i)
        code = live.say(client, {"SET", "key" + std::to_string(i), much}).code();
    EXPECT_EQ(code, base::Code::exhausted);
    EXPECT_EQ(live.say(client, {"PING"}).text(), "PONG");
}

TEST_P(LiveTest, Tls) {
    using net::tls::Certificate;
    Certificate authority = Certificate::authority("Test authority");
    std::string directory = testing::TempDir() + "cardea-tls-" + std::to_string(::getpid());
    std::filesystem::create_directory(directory);
    authority.write(directory + "/authority.pem");
    authority.sign("redis", "DNS:redis.example,IP:127.0.0.1")
        .write(directory + "/server.pem", directory + "/server.key");
    Server server("port 0\ntls-port PORT\nsave \"\"\ntls-auth-clients no\nrequirepass secret\ntls-cert-file " +
                  directory + "/server.pem\ntls-key-file " + directory + "/server.key\ntls-ca-cert-file " + directory +
                  "/authority.pem\n");
    Settings settings = settings_for(server);
    settings.password = "secret";
    settings.tls = true;
    Client& unverified = ready(settings);
    EXPECT_EQ(live.say(unverified, {"INCR", "count"}).text(), "1");

    settings.tls_verify = true;
    settings.tls_authorities = directory + "/authority.pem";
    Client& by_address = ready(settings);
    EXPECT_EQ(live.say(by_address, {"INCR", "count"}).text(), "2");
    settings.server_name = "redis.example";
    Client& by_name = ready(settings);
    const std::string large(3'000'000, 'x');
    EXPECT_EQ(live.say(by_name, {"SET", "large", large}).text(), "OK");
    EXPECT_TRUE(live.say(by_name, {"GET", "large"}).text() == large);
    for (int i = 0; i < 1'000; ++i) live.begin(by_name, {"INCR", "count"});
    ASSERT_TRUE(live.run_until([&] { return live.outcomes.back()->is_done(); }, seconds(20)));
    EXPECT_EQ(live.outcomes.back()->text(), "1002");

    settings.server_name = "other.example";
    Outcome& wrong_name = live.say(live.connect(settings), {"INCR", "count"});
    EXPECT_FALSE(wrong_name.is_reply());
    EXPECT_NE(wrong_name.text().find("certificate"), std::string::npos) << wrong_name.text();
    settings.server_name.clear();
    settings.tls_authorities.clear();
    EXPECT_FALSE(live.say(live.connect(settings), {"INCR", "count"}).is_reply());
    settings.tls = false;
    EXPECT_FALSE(live.say(live.connect(settings), {"INCR", "count"}).is_reply());
    std::filesystem::remove_all(directory);
}

// What takes its time runs on one loop only, the one that the program would choose.
class LiveGroupTest : public testing::Test {
  protected:
    void SetUp() override {
        if (!has_program("redis-server")) GTEST_SKIP() << "redis-server is not installed";
    }
    Client& ready(const Settings& settings) {
        Client& client = live.connect(settings);
        EXPECT_TRUE(live.says_at_last(client, {"PING"}, "PONG", seconds(20)));
        return client;
    }
    Live live;
};

TEST_F(LiveGroupTest, AFailoverOfSentinels) {
    if (!has_program("redis-sentinel")) GTEST_SKIP() << "redis-sentinel is not installed";
    Server first(plain);
    Server second(std::string(plain) + "replicaof 127.0.0.1 " + std::to_string(first.port()) + "\n");
    std::vector<std::unique_ptr<Server>> sentinels;
    Settings settings;
    settings.set_timeout(milliseconds(500));
    settings.sentinel_master = "main";
    Client& master = ready(settings_for(first));
    Client& replica = ready(settings_for(second));
    auto is_linked = [&] {
        return live.say(replica, {"INFO", "replication"}).text().find("master_link_status:up") != std::string::npos;
    };
    ASSERT_TRUE(live.run_until(is_linked, seconds(30)));
    for (int i = 0; i < 3; ++i) {
        sentinels.push_back(std::make_unique<Server>(
            "port PORT\nsentinel monitor main 127.0.0.1 " + std::to_string(first.port()) +
                " 2\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n",
            Server::Kind::sentinel));
        settings.sentinel_nodes.push_back(sentinels.back()->node());
    }
    Client& client = ready(settings);
    EXPECT_EQ(live.say(client, {"INCR", "count"}).text(), "1");
    EXPECT_EQ(live.say(master, {"GET", "count"}).text(), "1");
    settings.sentinel_role = SentinelRole::replica;
    Settings of_sentinel;
    of_sentinel.server = settings.sentinel_nodes[0];
    Client& sentinel = ready(of_sentinel);
    auto sees_all = [&] {
        std::string seen = live.say(sentinel, {"INFO", "sentinel"}).text();
        return seen.find("slaves=1,sentinels=3") != std::string::npos;
    };
    ASSERT_TRUE(live.run_until(sees_all, seconds(30)));
    Client& reader = ready(settings);
    EXPECT_EQ(live.say(reader, {"INCR", "count"}).code(), base::Code::no_endpoint);  // READONLY

    first.kill();
    net::Instant longest = 0;
    auto answers = [&] {
        net::Instant begun = net::posix::monotonic_now();
        bool out = live.say(client, {"INCR", "after"}).is_reply();
        longest = std::max(longest, net::posix::monotonic_now() - begun);
        live.turn();
        return out;
    };
    EXPECT_TRUE(live.run_until(answers, seconds(60)));
    EXPECT_LE(longest, 5'000);
    EXPECT_EQ(live.say(replica, {"ROLE"}).is_reply() ? "master" : "", "master");
    EXPECT_EQ(live.say(replica, {"GET", "count"}).text(), "1");
}

// ---- a cluster of three masters and three replicas

class LiveCluster {
  public:
    explicit LiveCluster(Live& live) : live_(live) {
        for (int i = 0; i < 6; ++i) {
            servers.push_back(std::make_unique<Server>(std::string(plain) +
                                                       "cluster-enabled yes\ncluster-node-timeout 5000\ncluster-port " +
                                                       std::to_string(free_port()) + "\n"));
            nodes.push_back(&live.connect(settings_for(*servers.back())));
        }
    }
    void join() {
        for (Client* node : nodes) ASSERT_TRUE(live_.says_at_last(*node, {"PING"}, "PONG", seconds(20)));
        for (std::size_t i = 0; i < 6; ++i) ids.push_back(live_.say(*nodes[i], {"CLUSTER", "MYID"}).text());
        for (std::size_t i = 1; i < 6; ++i) {
            Outcome& got = live_.say(*nodes[i], {"CONFIG", "GET", "cluster-port"});
            ASSERT_TRUE(got.is_reply());
            std::string port((*got.result)->elements()[1].text());
            ASSERT_EQ(
                live_.say(*nodes[0], {"CLUSTER", "MEET", "127.0.0.1", std::to_string(servers[i]->port()), port}).text(),
                "OK");
        }
        for (std::size_t i = 0; i < 3; ++i) {
            std::string first = std::to_string(i * slot_count / 3);
            std::string last = std::to_string((i + 1) * slot_count / 3 - 1);
            ASSERT_EQ(live_.say(*nodes[i], {"CLUSTER", "ADDSLOTSRANGE", first, last}).text(), "OK");
        }
        for (std::size_t i = 3; i < 6; ++i)
            ASSERT_TRUE(live_.says_at_last(*nodes[i], {"CLUSTER", "REPLICATE", ids[i - 3]}, "OK", seconds(30)));
        for (Client* node : nodes)
            ASSERT_TRUE(live_.run_until(
                [&] {
                    std::string info = live_.say(*node, {"CLUSTER", "INFO"}).text();
                    return info.find("cluster_state:ok") != std::string::npos &&
                           info.find("cluster_known_nodes:6") != std::string::npos;
                },
                seconds(40)));
        for (std::size_t i = 3; i < 6; ++i)
            ASSERT_TRUE(live_.run_until(
                [&] {
                    return live_.say(*nodes[i], {"INFO", "replication"}).text().find("master_link_status:up") !=
                           std::string::npos;
                },
                seconds(40)));
    }
    // One slot, key by key, with what `between` does meanwhile.
    void move(std::uint16_t slot, std::size_t from, std::size_t to, const std::function<void()>& between) {
        std::string number = std::to_string(slot);
        EXPECT_EQ(live_.say(*nodes[to], {"CLUSTER", "SETSLOT", number, "IMPORTING", ids[from]}).text(), "OK");
        EXPECT_EQ(live_.say(*nodes[from], {"CLUSTER", "SETSLOT", number, "MIGRATING", ids[to]}).text(), "OK");
        between();
        while (true) {
            Outcome& keys = live_.say(*nodes[from], {"CLUSTER", "GETKEYSINSLOT", number, "1"});
            ASSERT_TRUE(keys.is_reply()) << keys.text();
            if ((*keys.result)->elements().empty()) break;
            std::string key((*keys.result)->elements()[0].text());
            EXPECT_EQ(
                live_
                    .say(*nodes[from], {"MIGRATE", "127.0.0.1", std::to_string(servers[to]->port()), key, "0", "10000"})
                    .text(),
                "OK");
            between();
        }
        for (std::size_t node : {to, from})
            EXPECT_EQ(live_.say(*nodes[node], {"CLUSTER", "SETSLOT", number, "NODE", ids[to]}).text(), "OK");
        between();
    }
    [[nodiscard]] static std::size_t owner_of(std::uint16_t slot) {
        std::size_t out = 0;
        while (slot >= (out + 1) * slot_count / 3) ++out;
        return out;
    }
    std::vector<std::unique_ptr<Server>> servers;
    std::vector<Client*> nodes;
    std::vector<std::string> ids;

  private:
    Live& live_;
};

TEST_F(LiveGroupTest, AClusterThatIsReshardedUnderLoadAndLosesAMaster) {
    LiveCluster cluster(live);
    cluster.join();
    if (HasFatalFailure()) return;
    Settings settings;
    settings.set_timeout(milliseconds(10'000));  // the machine may be busy: what counts is that none fails
    settings.cluster_nodes = {cluster.servers[0]->node(), cluster.servers[4]->node()};
    Client& client = live.connect(settings);
    std::map<std::string, int> expected;
    std::vector<Outcome*> begun;
    auto load = [&] {
        for (int i = 0; i < 40; ++i) {
            std::string key = "{" + std::to_string(i % 8) + "}key" + std::to_string(i);
            begun.push_back(&live.begin(client, {"INCR", key}));
            ++expected[key];
        }
        live.turn();
    };
    for (int i = 0; i < 5; ++i) load();
    for (int tag = 0; tag < 8; ++tag) {
        std::uint16_t slot = slot_of(std::to_string(tag));
        std::size_t from = LiveCluster::owner_of(slot);
        cluster.move(slot, from, (from + 1) % 3, load);
        if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(live.run_until([&] { return std::ranges::all_of(begun, &Outcome::is_done); }, seconds(30)));
    for (Outcome* outcome : begun) ASSERT_TRUE(outcome->is_reply()) << outcome->text();
    for (const auto& [key, count] : expected)
        EXPECT_EQ(live.say(client, {"GET", key}).text(), std::to_string(count)) << key;
    EXPECT_GT(client.counters().redirects, 0u);
    std::printf("    %zu commands, %llu redirected, none failed, none lost\n", begun.size(),
                static_cast<unsigned long long>(client.counters().redirects));
    begun.clear();

    // A master dies: its keys fail at once, the others' do not, and its replica takes over.
    cluster.servers[1]->kill();
    std::string lost;
    std::string kept;
    for (int i = 0; lost.empty() || kept.empty(); ++i) {
        std::string key = "failover" + std::to_string(i);
        (LiveCluster::owner_of(slot_of(key)) == 1 ? lost : kept) = key;
    }
    net::Instant longest = 0;
    int kept_failed = 0;
    auto is_taken_over = [&] {
        live.outcomes.clear();
        net::Instant start = net::posix::monotonic_now();
        bool out = live.say(client, {"INCR", lost}).is_reply();
        longest = std::max(longest, net::posix::monotonic_now() - start);
        kept_failed += !live.say(client, {"INCR", kept}).is_reply();
        for (int i = 0; i < 5; ++i) live.turn();
        return out;
    };
    EXPECT_TRUE(live.run_until(is_taken_over, seconds(60)));
    EXPECT_LE(longest, 2 * 10'000) << "a command outlived its timeout";
    // While the masters agree Redis itself says CLUSTERDOWN, for all slots (cluster-require-full-coverage).
    std::printf("    taken over; slowest failure %lld ms, %d commands on other slots refused meanwhile\n",
                static_cast<long long>(longest), kept_failed);
}

}  // namespace
}  // namespace redis
