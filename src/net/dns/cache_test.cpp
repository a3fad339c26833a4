#include "net/dns/cache.h"

#include <gtest/gtest.h>

#include <map>

namespace net::dns {

namespace {
using std::chrono::seconds;
constexpr Instant second = 1000;

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

Answer found(std::initializer_list<const char*> addresses, int ttl = 10) {
    Answer out{Answer::Kind::found, {}, seconds(ttl), {}};
    for (const char* address : addresses) out.addresses.push_back(ip(address));
    return out;
}
Answer nothing() { return {Answer::Kind::nothing, {}, seconds(0), "no such name"}; }
Answer failed() { return {Answer::Kind::failed, {}, seconds(0), "no answer"}; }

std::string text(const RecordsPointer& records) {
    if (!records) return "null";
    if (records->state == Records::State::not_found) return "not found";
    if (records->state == Records::State::failed) return "failed";
    std::string out;
    for (const IpAddress& address : records->addresses) out += (out.empty() ? "" : " ") + address.text();
    return out;
}

// The cache and what it says at `now`; every step is explicit.
struct CacheTest : testing::Test {
    CacheTest() { settings.order = *parse_order("LAST,A,CNAME"); }  // SRV: cache_services_test.cpp
    Settings settings;
    std::optional<Cache> made;
    Instant now = 1'000'000;

    Cache& cache() {
        if (!made) made.emplace(settings, 7);
        return *made;
    }
    std::string query() {
        auto query = cache().next_query(now);
        if (!query) return "none";
        last = *query;
        return query->name + (query->type == RecordType::aaaa ? " AAAA" : " A");
    }
    std::string answer(Answer answer) {
        auto findings = cache().answered(last, std::move(answer), now);
        if (findings.empty()) return "goes on";
        return text(findings[0].records) + (findings[0].is_news ? " (news)" : "");
    }
    Query last;
};
}  // namespace

TEST_F(CacheTest, AWatchedNameIsAskedAtOnceAndAgainAfterItsTtl) {
    EXPECT_EQ(cache().watch("Web.Test", now), nullptr);
    EXPECT_EQ(query(), "web.test A");
    EXPECT_EQ(query(), "none");
    EXPECT_EQ(cache().next_due(), never);
    EXPECT_EQ(answer(found({"10.0.0.2", "10.0.0.1", "10.0.0.2"})), "10.0.0.1 10.0.0.2 (news)");
    EXPECT_EQ(text(cache().watch("web.test", now)), "10.0.0.1 10.0.0.2");

    EXPECT_GE(cache().next_due(), now + 10 * second);
    EXPECT_LE(cache().next_due(), now + 10 * second + 500);
    now += 10 * second - 1;
    EXPECT_EQ(query(), "none");
    now = cache().next_due();
    EXPECT_EQ(query(), "web.test A");
    EXPECT_EQ(text(cache().known("web.test", now)), "10.0.0.1 10.0.0.2");  // stale, served while asking
    EXPECT_EQ(answer(found({"10.0.0.1", "10.0.0.2"})), "10.0.0.1 10.0.0.2");
    now = cache().next_due();
    EXPECT_EQ(query(), "web.test A");
    EXPECT_EQ(answer(found({"10.0.0.3"})), "10.0.0.3 (news)");
}

TEST_F(CacheTest, TheTtlIsHeldBetweenFloorAndCeiling) {
    settings.most_ttl = seconds(100);
    static_cast<void>(cache().watch("a", now));
    query();
    answer(found({"1.1.1.1"}, 0));
    EXPECT_GE(cache().next_due(), now + second);
    EXPECT_LE(cache().next_due(), now + second + 100);
    now = cache().next_due();
    query();
    answer(found({"1.1.1.1"}, 2'000'000'000));
    EXPECT_LE(cache().next_due(), now + 101 * second);
}

TEST_F(CacheTest, ValidTtlReplacesTheAnswers) {
    settings.valid_ttl = seconds(77);
    static_cast<void>(cache().watch("a", now));
    query();
    answer(found({"1.1.1.1"}, 5));
    EXPECT_GE(cache().next_due(), now + 77 * second);
    EXPECT_LE(cache().next_due(), now + 78 * second);
}

TEST_F(CacheTest, TypesAreTriedInOrderAndAFailureEndsTheLookUp) {
    settings.order = *parse_order("AAAA,A,CNAME");
    static_cast<void>(cache().watch("a", now));
    EXPECT_EQ(query(), "a AAAA");
    EXPECT_EQ(answer(nothing()), "goes on");
    EXPECT_EQ(query(), "a A");
    EXPECT_EQ(answer(nothing()), "not found (news)");
    EXPECT_GE(cache().next_due(), now + 30 * second);  // dns_not_found_ttl
    now = cache().next_due();
    EXPECT_EQ(query(), "a AAAA");
    EXPECT_EQ(answer(failed()), "failed (news)");
    EXPECT_GE(cache().next_due(), now + second);  // dns_error_ttl
    EXPECT_LE(cache().next_due(), now + second + 100);
}

TEST_F(CacheTest, LastIsTheTypeThatAnsweredBefore) {
    settings.order = *parse_order("LAST,A,AAAA");
    static_cast<void>(cache().watch("a", now));
    EXPECT_EQ(query(), "a A");
    answer(nothing());
    EXPECT_EQ(query(), "a AAAA");
    EXPECT_EQ(answer(found({"::5"})), "::5 (news)");
    now = cache().next_due();
    EXPECT_EQ(query(), "a AAAA");
    EXPECT_EQ(answer(nothing()), "goes on");
    EXPECT_EQ(query(), "a A");
    EXPECT_EQ(answer(found({"1.1.1.1"})), "1.1.1.1 (news)");
}

TEST_F(CacheTest, ANameThatResolvedOnceGoesOnWhateverDnsSaysUntilStaleTtl) {
    settings.stale_ttl = seconds(60);
    static_cast<void>(cache().watch("a", now));
    query();
    answer(found({"1.1.1.1"}, 10));
    Instant last_good = now + 10 * second + 500 + 60 * second;
    bool gone = false;
    for (int i = 0; i < 500 && !gone; ++i) {
        now = cache().next_due();
        ASSERT_EQ(query(), "a A");
        std::string said = answer(i % 2 == 0 ? failed() : nothing());
        if (now < last_good - 500) {
            ASSERT_EQ(said, "1.1.1.1");
            ASSERT_EQ(text(cache().known("a", now)), "1.1.1.1");
        }
        gone = said == "failed (news)" || said == "not found (news)";
    }
    EXPECT_TRUE(gone);
    EXPECT_GE(now, last_good - 500);
    now = cache().next_due();
    query();
    EXPECT_EQ(answer(found({"1.1.1.1"})), "1.1.1.1 (news)");
}

TEST_F(CacheTest, ServersThatAreSilentForDaysTakeNoWatchedNameAway) {
    settings.stale_ttl = seconds(60);
    static_cast<void>(cache().watch("a", now));
    query();
    answer(found({"1.1.1.1"}, 10));
    for (Instant end = now + 3 * 86'400 * second; now < end;) {
        now = std::max(now + 600 * second, cache().next_due());
        ASSERT_EQ(query(), "a A");
        ASSERT_EQ(answer(failed()), "1.1.1.1");
        ASSERT_EQ(text(cache().known("a", now)), "1.1.1.1");
    }
    now = std::max(now, cache().next_due());
    query();
    EXPECT_EQ(answer(nothing()), "not found (news)") << "an answer counts, and stale_ttl is long over";
}

TEST_F(CacheTest, ARequestWaitsOnlyForTheFirstAnswer) {
    EXPECT_EQ(cache().request("a", now), nullptr);
    EXPECT_EQ(cache().request("A", now), nullptr);
    EXPECT_EQ(query(), "a A");
    EXPECT_EQ(query(), "none");
    EXPECT_EQ(answer(found({"1.1.1.1"}, 10)), "1.1.1.1 (news)");
    EXPECT_EQ(text(cache().request("a", now)), "1.1.1.1");
    EXPECT_EQ(query(), "none");
    now += 100 * second;  // expired: the old answer, and one query in the background
    EXPECT_EQ(text(cache().request("a", now)), "1.1.1.1");
    EXPECT_EQ(text(cache().request("a", now)), "1.1.1.1");
    EXPECT_EQ(query(), "a A");
    EXPECT_EQ(query(), "none");
    answer(failed());
    EXPECT_EQ(text(cache().request("a", now)), "1.1.1.1");
    EXPECT_EQ(query(), "none");  // not again within dns_error_ttl
}

TEST_F(CacheTest, NegativeAnswersAreKeptForTheirTtl) {
    cache().request("a", now);
    query();
    EXPECT_EQ(answer(nothing()), "not found (news)");
    now += 29 * second;
    EXPECT_EQ(text(cache().request("a", now)), "not found");
    now += 4 * second;
    EXPECT_EQ(cache().request("a", now), nullptr);
}

TEST_F(CacheTest, NamesNobodyWatchesAreNotRenewedAndGo) {
    static_cast<void>(cache().watch("a", now));
    query();
    answer(found({"1.1.1.1"}, 10));
    static_cast<void>(cache().watch("a", now));
    cache().unwatch("a", now);
    now += 11 * second;
    EXPECT_EQ(query(), "a A");  // one watcher is left
    answer(found({"1.1.1.1"}, 10));
    cache().unwatch("a", now);
    cache().unwatch("a", now);  // one too many changes nothing
    cache().unwatch("never heard of", now);
    now += 11 * second;
    EXPECT_EQ(query(), "none");
    EXPECT_EQ(text(cache().watch("a", now)), "1.1.1.1");  // a reload: watched again, known at once, renewed
    EXPECT_EQ(query(), "a A");
    answer(found({"1.1.1.1"}, 10));
    cache().unwatch("a", now);
    now += 2 * 3600 * second;
    EXPECT_EQ(query(), "none");
    EXPECT_EQ(cache().size(), 0U);
}

TEST_F(CacheTest, UnwatchedWhileAsked) {
    static_cast<void>(cache().watch("a", now));
    EXPECT_EQ(query(), "a A");
    cache().unwatch("a", now);
    now += 10000 * second;
    EXPECT_FALSE(cache().next_query(now));
    EXPECT_EQ(answer(found({"1.1.1.1"})), "1.1.1.1 (news)");
    EXPECT_EQ(cache().in_flight(), 0U);
}

TEST_F(CacheTest, QueriesInFlightAreBounded) {
    settings.most_queries = 3;
    for (int i = 0; i < 10; ++i) static_cast<void>(cache().watch("n" + std::to_string(i), now));
    std::vector<Query> asked;
    while (auto query = cache().next_query(now)) asked.push_back(*query);
    EXPECT_EQ(asked.size(), 3U);
    EXPECT_EQ(cache().next_due(), never);
    cache().answered(asked[0], found({"1.1.1.1"}), now);
    EXPECT_LE(cache().next_due(), now);
    EXPECT_TRUE(cache().next_query(now));
    EXPECT_FALSE(cache().next_query(now));
}

TEST_F(CacheTest, TheCacheIsBoundedAndWatchedNamesStay) {
    settings.cache_size = 100;
    static_cast<void>(cache().watch("kept", now));
    query();
    answer(found({"9.9.9.9"}, 1000));
    for (int i = 0; i < 1000; ++i) {
        cache().request("n" + std::to_string(i), now);
        query();
        answer(found({"1.1.1.1"}, 1000));
    }
    EXPECT_EQ(cache().size(), 100U);
    EXPECT_EQ(text(cache().known("kept", now)), "9.9.9.9");
    EXPECT_EQ(text(cache().known("n999", now)), "1.1.1.1");
    EXPECT_EQ(text(cache().known("n0", now)), "null");
}

TEST_F(CacheTest, WhenEveryPlaceIsWaitedForANewNameIsRefused) {
    settings.cache_size = 2;
    EXPECT_EQ(cache().request("a", now), nullptr);
    EXPECT_EQ(cache().request("b", now), nullptr);
    EXPECT_EQ(text(cache().request("c", now)), "failed");
    EXPECT_EQ(cache().size(), 2U);
}

TEST_F(CacheTest, SomeNamesNeedNoDns) {
    for (auto [name, says] : std::map<std::string, std::string>{{"10.0.0.1", "10.0.0.1"},
                                                                {"::1", "::1"},
                                                                {"[::1]", "::1"},
                                                                {"localhost", "127.0.0.1"},
                                                                {"x.LocalHost.", "127.0.0.1"},
                                                                {"not a name", "not found"},
                                                                {"a..b", "not found"},
                                                                {"", "not found"}}) {
        EXPECT_EQ(text(cache().watch(name, now)), says) << name;
        EXPECT_EQ(text(cache().request(name, now)), says) << name;
        EXPECT_EQ(query(), "none") << name;
        cache().unwatch(name, now);
    }
    query();
    EXPECT_EQ(cache().size(), 0U);
}

TEST_F(CacheTest, LocalhostFollowsTheOrder) {
    settings.order = *parse_order("AAAA,A");
    EXPECT_EQ(text(cache().request("localhost", now)), "::1");
    cache().set_hosts(Hosts::parse("127.0.0.5 localhost\n::1 localhost\n10.0.0.1 four\n"), now);
    EXPECT_EQ(text(cache().request("localhost", now)), "::1");
    EXPECT_EQ(text(cache().request("four", now)), "10.0.0.1");
}

TEST_F(CacheTest, TheHostsFileWinsAndItsChangesAreNews) {
    cache().set_hosts(Hosts::parse("10.0.0.1 web\n"), now);
    EXPECT_EQ(text(cache().watch("web", now)), "10.0.0.1");
    EXPECT_EQ(cache().watch("other", now), nullptr);
    EXPECT_EQ(query(), "other A");
    answer(found({"1.1.1.1"}, 100));
    EXPECT_TRUE(cache().set_hosts(Hosts::parse("10.0.0.1 web\n"), now).empty());

    auto findings = cache().set_hosts(Hosts::parse("10.0.0.2 web\n10.0.0.3 other\n"), now);
    std::map<std::string, std::string> news;
    for (const Finding& finding : findings) news[finding.name] = text(finding.records);
    EXPECT_EQ(news, (std::map<std::string, std::string>{{"web", "10.0.0.2"}, {"other", "10.0.0.3"}}));
    now += 10'000 * second;
    EXPECT_EQ(query(), "none");

    EXPECT_TRUE(cache().set_hosts(Hosts::parse(""), now).empty());
    EXPECT_EQ(text(cache().known("web", now)), "10.0.0.2");
    EXPECT_NE(query(), "none");
    EXPECT_NE(query(), "none");
    EXPECT_EQ(query(), "none");
}

TEST_F(CacheTest, TheHostsFileAnswersThoseWhoWaitForDns) {
    EXPECT_EQ(cache().request("web", now), nullptr);
    EXPECT_EQ(query(), "web A");
    auto findings = cache().set_hosts(Hosts::parse("10.0.0.1 web\n"), now);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(text(findings[0].records), "10.0.0.1");
    EXPECT_EQ(answer(found({"1.1.1.1"})), "goes on");  // too late, and nobody is told
    EXPECT_EQ(cache().in_flight(), 0U);
}

TEST_F(CacheTest, LongAnswersAreCut) {
    static_cast<void>(cache().watch("a", now));
    query();
    Answer many = found({});
    for (std::uint32_t i = 0; i < 5000; ++i) many.addresses.push_back(IpAddress::v4(i));
    answer(std::move(many));
    EXPECT_EQ(cache().known("a", now)->addresses.size(), most_addresses);
}

// Whatever happens in whatever order: one query per name at most, bounds hold, everything watched gets an answer.
TEST_F(CacheTest, RandomLives) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        base::Random random(seed);
        settings.cache_size = 8;
        settings.most_queries = 4;
        settings.order = *parse_order("LAST,A,AAAA");
        Cache lives(settings, seed);
        std::map<std::string, int> watched;
        std::vector<Query> flying;
        std::map<std::string, bool> told;
        Instant at = 0;
        auto note = [&](const Finding& finding) { told[finding.name] = true; };
        for (int step = 0; step < 300; ++step) {
            std::string name(1, static_cast<char>('a' + random.below(6)));
            switch (random.below(8)) {
                case 0: {
                    RecordsPointer known = lives.watch(name, at);
                    told[name] = known != nullptr || (watched[name] > 0 && told[name]);
                    ++watched[name];
                    break;
                }
                case 1:
                    if (watched[name] > 0) {
                        --watched[name];
                        lives.unwatch(name, at);
                    }
                    break;
                case 2:
                    lives.request(name + name, at);
                    break;
                case 3:
                    for (const Finding& finding :
                         lives.set_hosts(Hosts::parse(random.below(2) ? "1.2.3.4 a b\n" : ""), at))
                        note(finding);
                    break;
                case 4:
                    at += random.below(20'000);
                    break;
                case 5:
                case 6:
                    while (auto query = lives.next_query(at)) {
                        for (const Query& other : flying) ASSERT_NE(other.name, query->name);
                        flying.push_back(*query);
                    }
                    break;
                case 7:
                    if (!flying.empty()) {
                        std::size_t i = random.below(static_cast<std::uint32_t>(flying.size()));
                        Query query = flying[i];
                        flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(i));
                        Answer answers[] = {found({"1.1.1.1"}), found({"2.2.2.2", "3.3.3.3"}, 0), nothing(), failed()};
                        for (const Finding& finding : lives.answered(query, answers[random.below(4)], at))
                            note(finding);
                    }
                    break;
            }
            ASSERT_LE(flying.size(), settings.most_queries);
            ASSERT_EQ(flying.size(), lives.in_flight());
            ASSERT_LE(lives.size(), settings.cache_size + 6);
        }
        for (int round = 0; round < 100; ++round) {
            while (auto query = lives.next_query(at)) flying.push_back(*query);
            if (flying.empty()) break;
            for (const Query& query : std::exchange(flying, {}))
                for (const Finding& finding : lives.answered(query, found({"1.1.1.1"}, 1000), at)) note(finding);
        }
        for (auto& [name, count] : watched) {
            if (count == 0) continue;
            EXPECT_TRUE(told[name]) << name << " seed " << seed;
            EXPECT_NE(lives.known(name, at), nullptr) << name << " seed " << seed;
        }
    }
}

}  // namespace net::dns
