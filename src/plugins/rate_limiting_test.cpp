#include <thread>

#include "plugin/limit_key.h"
#include "plugin/plugin_for_tests.h"
#include "plugin/window_counters.h"

namespace plugin {
namespace {

constexpr const char* request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class RateLimitingTest : public PluginTest {
  protected:
    // "STATUS" or "ok", with what remains of the tightest limit.
    std::string call(const std::string& head = request) {
        last = exchange(head);
        Verdict verdict = run(*last);
        std::string out = verdict == Verdict::go_on ? "ok" : std::to_string(last->response.status);
        return out + " " + std::string(last->client_headers.first("RateLimit-Remaining"));
    }
    std::string header(std::string_view name) { return std::string(last->client_headers.first(name)); }
    void pass(net::Milliseconds time) {
        loop.run_until([] { return false; }, time);
    }
    std::unique_ptr<FakeExchange> last;
};

TEST_F(RateLimitingTest, LetsSoManyPassAndTellsTheClient) {
    use("rate-limiting", "{minute: 2, limit_by: ip}");
    EXPECT_EQ(call(), "ok 1");
    EXPECT_EQ(header("X-RateLimit-Limit-Minute"), "2");
    EXPECT_EQ(header("X-RateLimit-Remaining-Minute"), "1");
    EXPECT_EQ(header("RateLimit-Limit"), "2");
    EXPECT_EQ(call(), "ok 0");
    EXPECT_EQ(call(), "429 0");
    EXPECT_EQ(header("Retry-After"), header("RateLimit-Reset"));
    EXPECT_NE(last->response_text.find("\"message\":\"API rate limit exceeded\""), std::string::npos);
    EXPECT_NE(last->response_text.find("\"retry_after\":" + header("Retry-After")), std::string::npos);
}

TEST_F(RateLimitingTest, ARefusalCountsInNoWindow) {
    use("rate-limiting", "{second: 4, minute: 5, hour: 50, limit_by: ip}");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(call().substr(0, 2), "ok");
    pass(net::Milliseconds(1000));
    EXPECT_EQ(call(), "ok 0");
    EXPECT_EQ(call(), "429 0");
    EXPECT_EQ(header("X-RateLimit-Remaining-Second"), "3");
    EXPECT_EQ(header("X-RateLimit-Remaining-Minute"), "0");
    EXPECT_EQ(header("X-RateLimit-Remaining-Hour"), "45");
}

TEST_F(RateLimitingTest, TheWindowsAreTheCalendars) {
    EXPECT_EQ(window_start(Period::month, 1'709'251'199'999), 1'706'745'600'000);  // 29 February 2024
    EXPECT_EQ(window_end(Period::month, 1'709'251'199'999), 1'709'251'200'000);
    EXPECT_EQ(window_start(Period::year, 1'709'251'199'999), 1'704'067'200'000);
    EXPECT_EQ(window_end(Period::year, 1'709'251'199'999), 1'735'689'600'000);
    EXPECT_EQ(window_start(Period::minute, 61'001), 60'000);
}

TEST_F(RateLimitingTest, CountsByHeaderAndByAddressWithoutIt) {
    use("rate-limiting", "{minute: 1, limit_by: header, header_name: X-Key}");
    EXPECT_EQ(call("GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n"), "ok 0");
    EXPECT_EQ(call("GET / HTTP/1.1\r\nHost: a\r\nX-Key: b\r\n\r\n"), "ok 0");
    EXPECT_EQ(call("GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n"), "429 0");
    EXPECT_EQ(call(), "ok 0");
    EXPECT_EQ(call(), "429 0");
}

TEST_F(RateLimitingTest, ALongHeaderIsCountedWholeButNotKept) {
    use("rate-limiting", "{minute: 1, limit_by: header, header_name: X-Key}");
    auto with = [](const std::string& key) { return "GET / HTTP/1.1\r\nHost: a\r\nX-Key: " + key + "\r\n\r\n"; };
    std::string longer(1000, 'k');
    EXPECT_EQ(call(with(longer + "a")), "ok 0");
    EXPECT_EQ(call(with(longer + "b")), "ok 0");
    EXPECT_EQ(call(with(longer + "a")), "429 0");
    EXPECT_LE(identifier_of({LimitBy::header, "X-Key"}, *last).size(), longest_identifier);
}

TEST_F(RateLimitingTest, ConsumersHaveTheirOwnCounts) {
    use("rate-limiting", "{minute: 1}");
    Consumer anna{{}, 0, "anna", {}, {}};
    anna.id.bytes[0] = 1;
    Consumer bert{{}, 1, "bert", {}, {}};
    bert.id.bytes[0] = 2;
    for (const Consumer* consumer : {&anna, &bert}) {
        last = exchange(request);
        last->identity.consumer = consumer;
        EXPECT_EQ(run(*last), Verdict::go_on);
        last = exchange(request);
        last->identity.consumer = consumer;
        EXPECT_EQ(run(*last), Verdict::answered);
    }
}

TEST_F(RateLimitingTest, NeighboursInAnIpv6NetworkCanShareACount) {
    use("rate-limiting", "{minute: 1, limit_by: ip, ipv6_prefix: 64}");
    auto from = [&](std::string_view address) {
        last = exchange(request);
        last->client.address.ip = net::IpAddress::parse(address).value();
        return run(*last);
    };
    EXPECT_EQ(from("2001:db8:0:1::1"), Verdict::go_on);
    EXPECT_EQ(from("2001:db8:0:1:ffff::2"), Verdict::answered);
    EXPECT_EQ(from("2001:db8:0:2::1"), Verdict::go_on);
}

TEST_F(RateLimitingTest, ASlidingWindowLetsNoBurstPassAtTheBorder) {
    use("rate-limiting", "{minute: 10, limit_by: ip, window_type: sliding}");
    std::int64_t into = loop.wall_now() % 60'000;
    pass(net::Milliseconds(60'000 - into + 59'000));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(call().substr(0, 2), "ok");
    pass(net::Milliseconds(2'000));  // a new calendar minute, with most of the last one still in view
    EXPECT_EQ(call().substr(0, 3), "429");
    pass(net::Milliseconds(29'000));
    int passed = 0;
    for (int i = 0; i < 10; ++i) passed += call().substr(0, 2) == "ok" ? 1 : 0;
    EXPECT_GE(passed, 4);
    EXPECT_LE(passed, 6);
}

TEST_F(RateLimitingTest, ATokenBucketAllowsABurstAndThenASteadyRate) {
    use("rate-limiting", "{minute: 60, burst: 3, limit_by: ip, algorithm: token-bucket}");
    EXPECT_EQ(call(), "ok 2");
    EXPECT_EQ(call(), "ok 1");
    EXPECT_EQ(call(), "ok 0");
    EXPECT_EQ(call(), "429 0");
    EXPECT_EQ(header("Retry-After"), "1");
    pass(net::Milliseconds(1'000));
    EXPECT_EQ(call(), "ok 0");
    EXPECT_EQ(call(), "429 0");
}

TEST_F(RateLimitingTest, BoundsRequestsUnderWay) {
    use("rate-limiting", "{concurrency: 2, limit_by: ip}");
    auto first = exchange(request);
    auto second = exchange(request);
    EXPECT_EQ(run(*first), Verdict::go_on);
    EXPECT_EQ(run(*second), Verdict::go_on);
    EXPECT_EQ(call(), "429 ");
    first.reset();
    EXPECT_EQ(call(), "ok ");
}

TEST_F(RateLimitingTest, SurvivesAReload) {
    use("rate-limiting", "{minute: 1, limit_by: ip}");
    EXPECT_EQ(call(), "ok 0");
    std::shared_ptr<void> before = under_test;
    use("rate-limiting", "{minute: 1, limit_by: ip, error_code: 420}");
    EXPECT_EQ(call(), "420 0");
}

TEST_F(RateLimitingTest, HidesWhatItShould) {
    use("rate-limiting",
        "{minute: 1, limit_by: ip, hide_client_headers: true, error_code: 420, error_message: slow down}");
    EXPECT_EQ(call(), "ok ");
    EXPECT_EQ(call(), "420 ");
    EXPECT_EQ(last->client_headers.size(), 0u);
    EXPECT_EQ(last->response_text,
              "{\n  \"message\":\"slow down\",\n  \"request_id\":\"" + std::string(last->id()) + "\"\n}");
}

TEST_F(RateLimitingTest, RefusesWhatContradictsItself) {
    auto says = [&](std::string_view yaml, std::string_view words) {
        EXPECT_NE(try_use("rate-limiting", yaml).find(words), std::string::npos)
            << yaml << try_use("rate-limiting", yaml);
    };
    says("{}", "at least one of these fields must be non-empty");
    says("{second: 10, minute: 5}", "The limit for minute(5.0) cannot be lower than the limit for second(10.0)");
    says("{minute: 5, limit_by: header}", "required field missing");
    says("{minute: 0}", "greater than 0");
    says("{minute: 5, policy: banana}", "expected one of: local, redis");
    says("{minute: 5, sync_rate: 0.001}", "sync_rate must not be less than 0.02");
    says("{minute: 5, minutes: 5}", "unknown field");
}

TEST_F(RateLimitingTest, SaysWhatIsWrongAboutRedis) {
    auto says = [&](std::string_view redis, std::string_view words) {
        std::string problems =
            try_use("rate-limiting", "{minute: 5, policy: redis, redis: {" + std::string(redis) + "}}");
        EXPECT_TRUE(words.empty() ? problems.empty() : problems.find(words) != std::string::npos)
            << redis << ": " << problems;
    };
    says("host: redis.example", "");
    says("host: redis.example, ssl: true, ssl_verify: true, server_name: other.example", "");
    says("host: 192.0.2.1, ssl: true, ssl_verify: true", "");
    says("sentinel_master: main, sentinel_role: master, sentinel_nodes: [{host: a, port: 26379}]", "");
    says("cluster_nodes: [{host: a}, {host: b, port: 7000}], cluster_max_redirections: 3", "");
    says("host: redis.example, username: u, password: p", "");

    says("", "redis.host: required field missing");
    says("sentinel_master: main", "all or none of these fields must be set: 'sentinel_master', 'sentinel_nodes'");
    says("host: a, sentinel_nodes: [{host: a}]", "all or none of these fields must be set");
    says("sentinel_master: main, sentinel_role: slave, sentinel_nodes: [{host: a}]",
         "sentinel_role: expected one of: master");
    says("host: a, cluster_nodes: [{host: b}]", "only one of these fields may be set");
    says("cluster_nodes: [{host: b}], database: 1", "redis.database: a Redis Cluster has only database 0");
    says("host: a, username: u", "redis.password: required field missing");
    says("host: 'a b'", "not a host name or an address: a b");
    says("host: a, ssl: true, server_name: 'a:1'", "not a host name or an address: a:1");
    says("cluster_nodes: [{host: 'b:7000'}]", "not a host name or an address: b:7000");
    says("host: a, nonsense: 1", "unknown field");
}

// The promise of `local`: of many threads at one instant, exactly as many pass as the limit says.
TEST(WindowCountersTest, IsExactOverThreads) {
    WindowCounters counters;
    std::array<Limit, 2> limits{{{Period::minute, 1000}, {Period::hour, 1000}}};
    std::atomic<int> passed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            Usages usages;
            for (int i = 0; i < 1000; ++i)
                if (counters.take("same", limits, Counting::fixed, 3'600'000, 1, usages)) ++passed;
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(passed, 1000);
}

TEST(WindowCountersTest, IsBoundedAndKeepsWhoIsNearTheLimit) {
    WindowCounters counters(640);  // ten a shard
    std::array<Limit, 1> limits{{{Period::hour, 5}}};
    Usages usages;
    for (int i = 0; i < 5; ++i) counters.take("busy", limits, Counting::fixed, 3'600'000, 1, usages);
    for (int i = 0; i < 50'000; ++i)
        counters.take("guest" + std::to_string(i), limits, Counting::fixed, 3'600'000, 1, usages);
    EXPECT_LE(counters.size(), 640u);
    EXPECT_FALSE(counters.take("busy", limits, Counting::fixed, 3'600'000, 1, usages));
}

TEST(WindowCountersTest, LateNewsOfOtherNodesTakesNothingBack) {
    WindowCounters counters;
    counters.remember_unsynced();
    std::array<Limit, 1> limits{{{Period::hour, 10}}};
    Usages usages;
    constexpr std::int64_t now = 3'600'000;
    for (int i = 0; i < 2; ++i) counters.take("a", limits, Counting::fixed, now, 1, usages);
    auto first = counters.collect(10);  // of one core
    for (int i = 0; i < 3; ++i) counters.take("a", limits, Counting::fixed, now, 1, usages);
    auto second = counters.collect(10);  // of another one
    ASSERT_EQ(second.size(), 1u);
    counters.take("a", limits, Counting::fixed, now, 1, usages);
    counters.settle(second[0], 9);
    counters.look("a", limits, Counting::fixed, now, usages);
    EXPECT_TRUE(usages[0].is_over);  // the 9 and the one that Redis has not heard of
    counters.settle(first[0], 2);
    counters.look("a", limits, Counting::fixed, now, usages);
    EXPECT_TRUE(usages[0].is_over);
}

// What is to be told to Redis while Redis is away.
TEST(WindowCountersTest, KeepsNoMoreToBeToldThanItCounts) {
    WindowCounters counters(640);
    counters.remember_unsynced();
    std::array<Limit, 1> limits{{{Period::second, 5}}};
    Usages usages;
    std::int64_t now = 1'000'000;
    for (int i = 0; i < 100'000; ++i)
        counters.take(std::to_string(i % 100), limits, Counting::fixed, now += 1'000, 1, usages);
    EXPECT_LE(counters.unsynced(), 640u);
    for (int i = 0; i < 100'000; ++i) counters.take(std::to_string(i), limits, Counting::fixed, now += 1, 1, usages);
    EXPECT_LE(counters.unsynced(), 640u);
}

TEST(WindowCountersTest, ForgetsWhatIsOver) {
    WindowCounters counters;
    std::array<Limit, 1> limits{{{Period::second, 5}}};
    Usages usages;
    std::int64_t now = 1'000'000;
    for (int i = 0; i < 100'000; ++i) counters.take(std::to_string(i), limits, Counting::fixed, now += 10, 1, usages);
    EXPECT_LT(counters.size(), 20'000u);
}

}  // namespace
}  // namespace plugin
