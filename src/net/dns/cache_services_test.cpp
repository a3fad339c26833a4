// SRV records in the cache: hosts, priorities, weights, changes, and what keeps a name going while parts of it fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "net/dns/cache.h"
#include "net/dns/names.h"

namespace net::dns {

namespace {
using std::chrono::seconds;
constexpr Instant second = 1000;

Answer found(std::initializer_list<const char*> addresses, int ttl = 10) {
    Answer out{Answer::Kind::found, {}, seconds(ttl), {}};
    for (const char* address : addresses) out.addresses.push_back(*IpAddress::parse(address));
    return out;
}
Answer services(std::vector<ServiceRecord> records, int ttl = 10) {
    return {Answer::Kind::found, {}, seconds(ttl), {}, std::move(records)};
}
Answer nothing() { return {Answer::Kind::nothing, {}, seconds(0), "no such name"}; }
Answer failed() { return {Answer::Kind::failed, {}, seconds(0), "no answer"}; }

std::string text(const RecordsPointer& records) {
    if (!records) return "null";
    if (records->state == Records::State::not_found) return "not found: " + records->detail;
    if (records->state == Records::State::failed) return "failed: " + records->detail;
    std::string out;
    for (const ServiceAddress& service : records->services)
        out += (out.empty() ? "" : " ") + service.host + "=" + service.ip.text() + ":" + std::to_string(service.port) +
               "*" + std::to_string(service.weight);
    if (!out.empty()) return out;
    for (const IpAddress& address : records->addresses) out += (out.empty() ? "" : " ") + address.text();
    return out;
}

// A DNS that answers at once with what the test has written down, in the cache's own time.
struct ServicesTest : testing::Test {
    Settings settings;
    std::optional<Cache> made;
    Instant now = 1'000'000;
    std::map<std::string, Answer> dns;  // "name TYPE"
    std::vector<std::string> asked;
    std::vector<std::string> told;

    Cache& cache() {
        if (!made) made.emplace(settings, 7);
        return *made;
    }
    static std::string name_of(const Query& query) {
        const char* type = query.type == RecordType::srv ? " SRV" : query.type == RecordType::aaaa ? " AAAA" : " A";
        return query.name + (query.is_service_host ? "." : "") + type;
    }
    void tell(const std::vector<Finding>& findings) {
        for (const Finding& finding : findings)
            told.push_back(finding.name + ": " + text(finding.records) + (finding.is_news ? "" : " (no news)"));
    }
    void answer(const Query& query) {
        asked.push_back(name_of(query));
        auto at = dns.find(asked.back());
        tell(cache().answered(query, at == dns.end() ? nothing() : at->second, now));
    }
    // All that is due now is asked and answered; what was told.
    std::vector<std::string> run() {
        asked.clear();
        told.clear();
        while (auto query = cache().next_query(now)) answer(*query);
        return told;
    }
    std::vector<std::string> run_at(Instant when) {
        now = when;
        return run();
    }
    std::string known(const std::string& name) { return text(cache().known(name, now)); }
};
using Lines = std::vector<std::string>;
}  // namespace

TEST_F(ServicesTest, TheHostsOfTheLowestPriorityWithTheirPortsAndWeights) {
    dns["web.test SRV"] = services({{"n2.test", 8080, 1, 0}, {"n1.test", 9090, 1, 30}, {"spare.test", 80, 2, 100}});
    dns["n1.test. A"] = found({"10.0.0.1"});
    dns["n2.test. A"] = found({"10.0.0.3", "10.0.0.2"});
    EXPECT_EQ(cache().watch("Web.test", now), nullptr);
    EXPECT_EQ(run(), Lines{"web.test: n1.test=10.0.0.1:9090*30 n2.test=10.0.0.2:8080*1 n2.test=10.0.0.3:8080*1"});
    EXPECT_EQ(asked, (Lines{"web.test SRV", "n1.test. A", "n2.test. A"}));
    EXPECT_EQ(cache().known("web.test", now)->places(80).front(), *SocketAddress::parse("10.0.0.1:9090"));
    EXPECT_EQ(cache().known("web.test", now)->addresses.size(), 3U);
    EXPECT_EQ(run(), Lines{});
}

TEST_F(ServicesTest, OneAfterTheOtherIsNotTold) {
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}, {"n2.test", 80, 0, 1}});
    static_cast<void>(cache().watch("web.test", now));
    answer(*cache().next_query(now));
    Query first = *cache().next_query(now);
    Query second_one = *cache().next_query(now);
    EXPECT_FALSE(cache().next_query(now)) << "the name itself waits for its hosts";
    EXPECT_TRUE(cache().answered(first, found({"10.0.0.1"}), now).empty());
    EXPECT_EQ(cache().known("web.test", now), nullptr);
    EXPECT_EQ(text(cache().answered(second_one, failed(), now)[0].records), "n1.test=10.0.0.1:80*1");
}

TEST_F(ServicesTest, ARequestWaitsForTheHostsToo) {
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}});
    dns["n1.test. A"] = found({"10.0.0.1"});
    EXPECT_EQ(cache().request("web.test", now), nullptr);
    answer(*cache().next_query(now));
    EXPECT_EQ(cache().request("web.test", now), nullptr);  // a second one, while it gathers
    EXPECT_EQ(run(), Lines{"web.test: n1.test=10.0.0.1:80*1"});
    EXPECT_EQ(text(cache().request("web.test", now)), "n1.test=10.0.0.1:80*1");
    run_at(now + 2 * 3600 * second);  // nobody watches: all is forgotten, the hosts too
    run_at(now + 2 * 3600 * second);
    EXPECT_EQ(cache().size(), 0U);
}

TEST_F(ServicesTest, WithoutSrvTheAddressesAndLastIsAskedFirst) {
    dns["web.test A"] = found({"10.0.0.1"}, 10);
    static_cast<void>(cache().watch("web.test", now));
    EXPECT_EQ(run(), Lines{"web.test: 10.0.0.1"});
    EXPECT_EQ(asked, (Lines{"web.test SRV", "web.test A"}));
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}});
    EXPECT_EQ(run_at(cache().next_due()), Lines{"web.test: 10.0.0.1 (no news)"});
    EXPECT_EQ(asked, Lines{"web.test A"});
    dns.erase("web.test A");
    dns["n1.test. A"] = found({"10.0.0.2"});
    EXPECT_EQ(run_at(cache().next_due()), Lines{"web.test: n1.test=10.0.0.2:80*1"});
    EXPECT_EQ(asked, (Lines{"web.test A", "web.test SRV", "n1.test. A"}));
    dns.erase("web.test SRV");
    dns["web.test A"] = found({"10.0.0.3"});
    run_at(now + 11 * second);
    EXPECT_EQ(known("web.test"), "10.0.0.3");
    EXPECT_EQ(cache().size(), 2U);  // the host is idle, and goes
    run_at(now + 2 * 3600 * second);
    run_at(now + 2 * 3600 * second);
    EXPECT_EQ(cache().size(), 1U);
}

TEST_F(ServicesTest, AFailureOfSrvEndsTheLookUp) {
    dns["web.test SRV"] = failed();
    dns["web.test A"] = found({"10.0.0.1"});
    static_cast<void>(cache().watch("web.test", now));
    EXPECT_EQ(run(), Lines{"web.test: failed: no answer"});
    EXPECT_EQ(asked, Lines{"web.test SRV"});
}

TEST_F(ServicesTest, WhereSrvIsDeclinedAddressesServeForAWhile) {
    dns["web.test SRV"] = failed();
    dns["web.test SRV"].is_declined = true;
    dns["web.test A"] = found({"10.0.0.1"}, 1000);
    static_cast<void>(cache().watch("web.test", now));
    EXPECT_EQ(run(), Lines{"web.test: 10.0.0.1"});
    EXPECT_LE(cache().next_due(), now + 11 * second);
    run_at(cache().next_due());
    EXPECT_EQ(asked, (Lines{"web.test SRV", "web.test A"}));
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}});
    dns["n1.test. A"] = found({"10.0.0.2"});
    EXPECT_EQ(run_at(cache().next_due()), Lines{"web.test: n1.test=10.0.0.2:80*1"});
    // Who has services is not asked for anything else because they cannot be had now.
    dns["web.test SRV"] = failed();
    dns["web.test SRV"].is_declined = true;
    run_at(now + 11 * second);
    EXPECT_EQ(known("web.test"), "n1.test=10.0.0.2:80*1");
    EXPECT_EQ(std::ranges::count(asked, "web.test A"), 0);
    dns["other.test SRV"] = dns["web.test SRV"];
    static_cast<void>(cache().watch("other.test", now));
    EXPECT_EQ(run(), Lines{"other.test: not found: no such name"});
}

TEST_F(ServicesTest, WhatComesAndGoesMovesNothingElse) {
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}, {"n2.test", 80, 0, 1}}, 5);
    dns["n1.test. A"] = found({"10.0.0.1"}, 1000);
    dns["n2.test. A"] = found({"10.0.0.2"}, 1000);
    dns["n3.test. A"] = found({"10.0.0.3"}, 1000);
    static_cast<void>(cache().watch("web.test", now));
    run();
    dns["web.test SRV"] = services({{"n3.test", 80, 0, 1}, {"n1.test", 80, 0, 1}}, 5);
    EXPECT_EQ(run_at(now + 6 * second), Lines{"web.test: n1.test=10.0.0.1:80*1 n3.test=10.0.0.3:80*1"});
    EXPECT_EQ(asked, (Lines{"web.test SRV", "n3.test. A"}));
    dns["n1.test. A"] = found({"10.0.9.1"}, 1000);  // the address of a host changes, at its own time
    Lines said = run_at(now + 1001 * second);
    EXPECT_EQ(known("web.test"), "n3.test=10.0.0.3:80*1 n1.test=10.0.9.1:80*1");
    EXPECT_EQ(std::count_if(said.begin(), said.end(), [](const auto& line) { return !line.ends_with("(no news)"); }),
              1);
}

TEST_F(ServicesTest, TheOldOnesServeUntilTheNewOnesHaveAddresses) {
    dns["web.test SRV"] = services({{"n1.test", 80, 0, 1}}, 5);
    dns["n1.test. A"] = found({"10.0.0.1"}, 1000);
    static_cast<void>(cache().watch("web.test", now));
    run();
    now += 6 * second;
    Query again = *cache().next_query(now);
    EXPECT_TRUE(cache().answered(again, services({{"n2.test", 81, 0, 1}}, 5), now).empty());
    EXPECT_EQ(known("web.test"), "n1.test=10.0.0.1:80*1");
    Query host = *cache().next_query(now);
    EXPECT_EQ(name_of(host), "n2.test. A");
    EXPECT_FALSE(cache().answered(host, nothing(), now).size() > 1);
    EXPECT_EQ(known("web.test"), "n1.test=10.0.0.1:80*1") << "and when these cannot be had";
    dns["web.test SRV"] = services({{"n2.test", 81, 0, 1}}, 5);
    dns["n2.test. A"] = found({"10.0.0.2"}, 1000);
    run_at(now + 31 * second);  // dns_not_found_ttl
    EXPECT_EQ(known("web.test"), "n2.test=10.0.0.2:81*1");
}

TEST_F(ServicesTest, SilentServersTakeNothingAwayAndSharedHostsAreAskedOnce) {
    settings.stale_ttl = seconds(60);
    dns["a.test SRV"] = services({{"n1.test", 80, 0, 1}}, 5);
    dns["b.test SRV"] = services({{"n1.test", 81, 0, 1}}, 5);
    dns["n1.test. A"] = found({"10.0.0.1"}, 5);
    static_cast<void>(cache().watch("a.test", now));
    static_cast<void>(cache().watch("b.test", now));
    run();
    EXPECT_EQ(std::count(asked.begin(), asked.end(), "n1.test. A"), 1);
    dns["a.test SRV"] = dns["b.test SRV"] = dns["n1.test. A"] = failed();
    for (Instant end = now + 86'400 * second; now < end;) {
        run_at(std::max(now + 600 * second, cache().next_due()));
        ASSERT_EQ(known("a.test"), "n1.test=10.0.0.1:80*1");
        ASSERT_EQ(known("b.test"), "n1.test=10.0.0.1:81*1");
    }
    dns["a.test SRV"] = dns["b.test SRV"] = nothing();
    run_at(cache().next_due() + second);
    EXPECT_EQ(known("a.test"), "not found: no such name");
    cache().unwatch("a.test", now);
    cache().unwatch("b.test", now);
    run_at(now + 2 * 3600 * second);
    run_at(now + 2 * 3600 * second);
    EXPECT_EQ(cache().size(), 0U);
}

TEST_F(ServicesTest, HostsThatNeedNoDns) {
    dns["web.test SRV"] = services({{"10.0.0.9", 80, 0, 1}, {"listed.test", 81, 0, 1}, {"localhost", 82, 0, 1}});
    cache().set_hosts(Hosts::parse("10.0.0.5 listed.test\n"), now);
    static_cast<void>(cache().watch("web.test", now));
    EXPECT_EQ(run(), Lines{"web.test: listed.test=10.0.0.5:81*1 10.0.0.9=10.0.0.9:80*1 localhost=127.0.0.1:82*1"});
    tell(cache().set_hosts(Hosts::parse("10.0.0.6 listed.test\n"), now));
    EXPECT_EQ(told.back(), "web.test: listed.test=10.0.0.6:81*1 10.0.0.9=10.0.0.9:80*1 localhost=127.0.0.1:82*1");
    tell(cache().set_hosts(Hosts::parse("10.0.0.6 listed.test\n10.0.0.7 web.test\n"), now));
    EXPECT_EQ(told.back(), "web.test: 10.0.0.7");
}

TEST_F(ServicesTest, ACircleOfNamesEnds) {
    dns["a.test SRV"] = services({{"b.test", 80, 0, 1}});
    dns["b.test SRV"] = services({{"a.test", 80, 0, 1}});
    dns["b.test. A"] = found({"10.0.0.2"});
    static_cast<void>(cache().watch("a.test", now));
    static_cast<void>(cache().watch("b.test", now));
    run();
    EXPECT_EQ(known("a.test"), "b.test=10.0.0.2:80*1");
    EXPECT_EQ(known("b.test"), "not found: a.test: no such name");
}

TEST_F(ServicesTest, AddressesOfThisHostAndItsLinkAreRefused) {
    const char* local[] = {
        "127.0.0.1",   "127.9.9.9",        "0.0.0.0",         "169.254.169.254", "::1", "::", "fe80::1", "febf::1",
        "::127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::ffff:a9fe:a9fe"};
    for (bool refuses : {false, true}) {
        settings.refuses_local = refuses;
        for (const char* address : local) {
            made.reset();
            dns["a.test A"] = found({address});
            static_cast<void>(cache().watch("a.test", now));
            Lines said = run();
            ASSERT_EQ(said.size(), 1U);
            EXPECT_EQ(said[0].find("not found: the DNS points at this host") != said[0].npos, refuses)
                << address << " " << said[0];
        }
    }
    made.reset();
    dns["a.test A"] = found({"127.0.0.1", "10.0.0.1"});
    EXPECT_EQ(cache().watch("a.test", now), nullptr);
    EXPECT_EQ(run(), Lines{"a.test: 10.0.0.1"});
    EXPECT_NE(cache().known("a.test", now)->detail, "");
    // SRV: hosts that are an address, that are called localhost, and whose addresses are refused.
    dns["s.test SRV"] = services({{"127.0.0.1", 80, 0, 1}, {"localhost", 81, 0, 1}, {"a.test", 82, 0, 1}});
    dns["a.test. A"] = found({"127.0.0.1", "10.0.0.1"});
    static_cast<void>(cache().watch("s.test", now));
    EXPECT_EQ(run(), Lines{"s.test: a.test=10.0.0.1:82*1"});
    // The operator's own words count.
    cache().set_hosts(Hosts::parse("127.0.0.1 own.test\n"), now);
    EXPECT_EQ(known("own.test"), "127.0.0.1");
    EXPECT_EQ(known("localhost"), "127.0.0.1");
    EXPECT_EQ(known("127.0.0.1"), "127.0.0.1");
}

TEST_F(ServicesTest, ANameThatTurnsToThisHostKeepsItsOldAddresses) {
    settings.refuses_local = true;
    dns["a.test A"] = found({"10.0.0.1"}, 5);
    static_cast<void>(cache().watch("a.test", now));
    run();
    dns["a.test A"] = found({"169.254.169.254"}, 5);
    run_at(now + 6 * second);
    EXPECT_EQ(known("a.test"), "10.0.0.1");
}

TEST_F(ServicesTest, LongAnswersAreCut) {
    std::vector<ServiceRecord> many;
    for (int i = 0; i < 2000; ++i) many.push_back({"n" + std::to_string(i) + ".test", 80, 0, 1});
    for (const ServiceRecord& each : many) dns[each.host + ". A"] = found({"10.0.0.1", "10.0.0.2"});
    dns["web.test SRV"] = services(many);
    static_cast<void>(cache().watch("web.test", now));
    run();
    EXPECT_EQ(cache().known("web.test", now)->services.size(), most_addresses);
    EXPECT_EQ(cache().size(), 1 + most_addresses);
}

// Whatever happens in whatever order: one query per name at most, bounds hold, everything watched gets an answer, and
// nothing is left behind.
TEST_F(ServicesTest, RandomLives) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        base::Random random(seed);
        settings.cache_size = 8;
        settings.most_queries = 4;
        settings.refuses_local = seed % 2 == 0;
        Cache lives(settings, seed);
        std::map<std::string, int> watched;
        std::vector<Query> flying;
        std::set<std::string> waiting;
        Instant at = 0;
        auto note = [&](const std::vector<Finding>& findings) {
            for (const Finding& finding : findings) waiting.erase(finding.name);
        };
        auto host = [&] { return std::string(1, static_cast<char>('a' + random.below(6))); };
        auto any_answer = [&](const Query& query) {
            if (query.type == RecordType::srv && random.below(3) > 0) {
                std::vector<ServiceRecord> records;
                for (std::uint32_t i = 1 + random.below(3); i > 0; --i)
                    records.push_back({random.below(8) == 0 ? "localhost" : host(), 80,
                                       static_cast<std::uint16_t>(random.below(2)), random.below(3)});
                return services(records, static_cast<int>(random.below(10)));
            }
            Answer answers[] = {found({"1.1.1.1"}), found({"2.2.2.2", "127.0.0.1"}, 0), nothing(), failed()};
            answers[3].is_declined = random.below(2) == 0;
            return answers[query.type == RecordType::srv ? 2 + random.below(2) : random.below(4)];
        };
        for (int step = 0; step < 400; ++step) {
            std::string name = host();
            switch (random.below(8)) {
                case 0:
                    static_cast<void>(lives.watch(name, at));
                    ++watched[name];
                    break;
                case 1:
                    if (watched[name] > 0 && watched[name]-- > 0) lives.unwatch(name, at);
                    break;
                case 2:
                    if (!lives.request(name, at)) waiting.insert(name);
                    break;
                case 3:
                    note(lives.set_hosts(Hosts::parse(random.below(2) ? "1.2.3.4 a b\n" : ""), at));
                    break;
                case 4:
                    at += random.below(20'000);
                    break;
                case 5:
                case 6:
                    while (auto query = lives.next_query(at)) {
                        for (const Query& other : flying)
                            ASSERT_TRUE(other.name != query->name || other.is_service_host != query->is_service_host);
                        flying.push_back(*query);
                    }
                    break;
                case 7:
                    if (!flying.empty()) {
                        std::size_t i = random.below(static_cast<std::uint32_t>(flying.size()));
                        Query query = flying[i];
                        flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(i));
                        note(lives.answered(query, any_answer(query), at));
                    }
                    break;
            }
            ASSERT_EQ(flying.size(), lives.in_flight());
            ASSERT_LE(lives.size(), 13U + settings.cache_size);
        }
        auto drain = [&] {
            for (int round = 0; round < 100; ++round) {
                while (auto query = lives.next_query(at)) flying.push_back(*query);
                if (flying.empty()) break;
                for (const Query& query : std::exchange(flying, {})) note(lives.answered(query, any_answer(query), at));
            }
        };
        drain();
        EXPECT_TRUE(flying.empty()) << seed;
        EXPECT_TRUE(waiting.empty()) << *waiting.begin() << " seed " << seed;
        for (auto& [name, count] : watched) {
            if (count > 0) EXPECT_NE(lives.known(name, at), nullptr) << name << " seed " << seed;
            while (count-- > 0) lives.unwatch(name, at);
        }
        for (int i = 0; i < 4; ++i) {
            at += 2 * 3600 * second;
            drain();
        }
        EXPECT_EQ(lives.size(), 0U) << seed;
    }
}

}  // namespace net::dns
