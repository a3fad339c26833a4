// proxy-cache where several do something at once: who waits for whose fetch, and purging beside requests.
#include "plugins/proxy_cache_fetches.h"
#include "plugins/proxy_cache_for_tests.h"

namespace plugin {
namespace {

// A large store is walked a part at a time; what comes in between is served.
TEST_F(ProxyCacheTest, PurgingGivesWayToRequests) {
    use("proxy-cache", "strategy: memory");
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
    ASSERT_EQ(shared.purgeables().size(), 1U);
    std::shared_ptr<Purgeable> answers = shared.purgeables()[0];
    base::Task<base::Result<std::uint64_t>> purging = answers->purge(worker, PurgeBy::all, "");
    purging.start();
    EXPECT_FALSE(purging.is_done());
    ask("GET /b HTTP/1.1\r\nHost: a");
    int turns = 0;
    for (; !purging.is_done() && turns < 10'000; ++turns) loop.turn(true);
    EXPECT_GT(turns, 10);
    ASSERT_TRUE(purging.is_done());
    EXPECT_GE(*purging.take(), 1U);
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
}

TEST_F(ProxyCacheTest, WhoWantsWhatIsBeingFetchedWaitsForIt) {
    use("proxy-cache", "strategy: memory");
    auto first = exchange(std::string(get));
    ASSERT_EQ(run(*first), Verdict::go_on);
    auto second = exchange(std::string(get));
    ASSERT_EQ(type->on_request(under_test.get(), *second), Verdict::wait);
    base::Task<Verdict> waiting = type->wait_request(under_test.get(), *second);
    waiting.start();
    loop.turn(false);
    EXPECT_FALSE(waiting.is_done());
    fetch(*first, {});
    for (int turn = 0; !waiting.is_done() && turn < 100; ++turn) loop.turn(true);
    ASSERT_TRUE(waiting.is_done());
    EXPECT_EQ(waiting.take(), Verdict::answered);
    EXPECT_EQ(told(*second), "200 Hit hello");
    EXPECT_EQ(fetches, 1);
}

TEST_F(ProxyCacheTest, NobodyWaitsForAVariantOfOthers) {
    use("proxy-cache", "strategy: memory");
    Upstream upstream{200, "Content-Type: text/plain\r\nVary: Accept-Language\r\n"};
    ask(std::string(get) + "\r\nAccept-Language: en", upstream);
    auto german = exchange(std::string(get) + "\r\nAccept-Language: de");
    ASSERT_EQ(run(*german), Verdict::go_on);
    auto french = exchange(std::string(get) + "\r\nAccept-Language: fr");
    EXPECT_EQ(type->on_request(under_test.get(), *french), Verdict::go_on);
    auto other_german = exchange(std::string(get) + "\r\nAccept-Language: de");
    EXPECT_EQ(type->on_request(under_test.get(), *other_german), Verdict::wait);
}

TEST_F(ProxyCacheTest, NobodyWaitsForWhatIsForAnother) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    ask(std::string(get), {200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n"});
    std::string german = std::string(get) + "\r\nAccept-Language: de\r\nAuthorization: Bearer ";
    auto alice = exchange(german + "alice");
    ASSERT_EQ(run(*alice), Verdict::go_on);
    auto bob = exchange(german + "bob");
    EXPECT_EQ(type->on_request(under_test.get(), *bob), Verdict::go_on);
    auto again = exchange(german + "alice");
    EXPECT_EQ(type->on_request(under_test.get(), *again), Verdict::wait);
}

TEST_F(ProxyCacheTest, NobodyWaitsForWhatEachMustValidate) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream checked{200, "Content-Type: text/plain\r\nCache-Control: no-cache\r\nETag: \"a\"\r\n"};
    EXPECT_EQ(ask(std::string(get), checked), "200 Miss hello");
    for (int round = 0; round < 2; ++round) {
        auto first = exchange(std::string(get));
        ASSERT_EQ(run(*first), Verdict::go_on);
        auto second = exchange(std::string(get));
        EXPECT_EQ(type->on_request(under_test.get(), *second), Verdict::go_on) << round;
        fetch(*first, {304, "ETag: \"a\"\r\n", ""});
        EXPECT_EQ(told(*first), "200 Refresh hello");
    }
}

TEST_F(ProxyCacheTest, WaitingHasAnEnd) {
    use("proxy-cache", "{strategy: memory, collapse_timeout: 1000}");
    auto first = exchange(std::string(get));
    ASSERT_EQ(run(*first), Verdict::go_on);
    net::Instant before = loop.now();
    auto second = exchange(std::string(get));
    EXPECT_EQ(run(*second), Verdict::go_on);  // the deadline
    EXPECT_GE(loop.now() - before, 1000);
    // Gone without an answer: the next one fetches.
    first.reset();
    second.reset();
    auto third = exchange(std::string(get));
    EXPECT_EQ(type->on_request(under_test.get(), *third), Verdict::go_on);
}

// A leader whose client takes nothing costs one wait, not one for each who comes later.
TEST_F(ProxyCacheTest, WhoHasWaitedLongEnoughLeads) {
    use("proxy-cache", "{strategy: memory, collapse_timeout: 1000}");
    auto stalled = exchange(std::string(get));
    ASSERT_EQ(run(*stalled), Verdict::go_on);
    auto second = exchange(std::string(get));
    ASSERT_EQ(run(*second), Verdict::go_on);
    net::Instant before = loop.now();
    auto third = exchange(std::string(get));
    ASSERT_EQ(type->on_request(under_test.get(), *third), Verdict::wait);
    base::Task<Verdict> waiting = type->wait_request(under_test.get(), *third);
    waiting.start();
    fetch(*second, {});
    for (int turn = 0; !waiting.is_done() && turn < 100; ++turn) loop.turn(true);
    ASSERT_TRUE(waiting.is_done());
    EXPECT_EQ(waiting.take(), Verdict::answered);
    EXPECT_EQ(told(*third), "200 Hit hello");
    EXPECT_LT(loop.now() - before, 500);
    stalled.reset();  // it leads no more
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
}

TEST_F(ProxyCacheTest, NobodyWaitsForWhatCannotBeStored) {
    use("proxy-cache", "strategy: memory");
    EXPECT_EQ(ask(std::string(get), {500}), "500 Bypass hello");
    auto first = exchange(std::string(get));
    ASSERT_EQ(run(*first), Verdict::go_on);
    auto second = exchange(std::string(get));
    EXPECT_EQ(type->on_request(under_test.get(), *second), Verdict::go_on);
}

}  // namespace
}  // namespace plugin
