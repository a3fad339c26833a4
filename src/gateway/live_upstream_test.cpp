// Upstreams whose targets are found: what a change moves, what a reload keeps.
#include "gateway/live_upstream.h"

#include <gtest/gtest.h>

#include "net/dns/simulated_resolver.h"
#include "upstream/discovery/simulated_discovery.h"

namespace gateway {

namespace {
struct LiveUpstreamTest : testing::Test {
    net::dns::SimulatedResolver resolver;
    net::dns::Overrides overrides;
    upstream::SimulatedDiscovery discovery;
    LiveUpstreams live{resolver, overrides, &discovery};

    static UpstreamSpec spec() {
        UpstreamSpec out;
        out.id = out.name = "up";
        out.source.emplace();
        out.source->type = upstream::SourceType::consul;
        out.source->service = "web";
        return out;
    }
    void say(std::vector<upstream::Target> targets, std::string fault = {}) {
        discovery.set(*spec().source, {std::move(targets), std::move(fault)});
    }
    static std::string text(const LiveUpstream& upstream) {
        std::string out;
        for (const upstream::Endpoint& endpoint : upstream.plan()->endpoints())
            out += (out.empty() ? "" : " ") + endpoint.address.text();
        return out;
    }
};
}  // namespace

TEST_F(LiveUpstreamTest, WaitsForItsSourceAndFollowsIt) {
    auto upstream = live.acquire(spec());
    EXPECT_TRUE(upstream->plan()->set().is_pending());
    std::uint64_t version = upstream->version();
    say({{"10.0.0.1", 80, 1}, {"10.0.0.2", 80, 1}});
    EXPECT_GT(upstream->version(), version);
    EXPECT_FALSE(upstream->plan()->set().is_pending());
    EXPECT_EQ(text(*upstream), "10.0.0.1:80 10.0.0.2:80");
    upstream->plan()->endpoints()[1].state->active = 5;
    say({{"10.0.0.2", 80, 1}, {"10.0.0.3", 80, 1}});
    EXPECT_EQ(text(*upstream), "10.0.0.2:80 10.0.0.3:80");
    EXPECT_EQ(upstream->plan()->endpoints()[0].state->active, 5U);
    version = upstream->version();
    say({{"10.0.0.2", 80, 1}, {"10.0.0.3", 80, 1}}, "connection refused");
    EXPECT_EQ(upstream->version(), version) << "nothing changes because the source is away";
    EXPECT_EQ(text(*upstream), "10.0.0.2:80 10.0.0.3:80");
    say({});
    EXPECT_EQ(upstream->plan()->set().nothing_to_pick().code, base::Code::no_endpoint);
}

TEST_F(LiveUpstreamTest, ASourceThatIsAwayFromTheStartFailsAtOnceAndNotLater) {
    auto upstream = live.acquire(spec());
    discovery.set(*spec().source, {std::nullopt, "connection refused"});
    EXPECT_FALSE(upstream->plan()->set().is_pending());
    EXPECT_EQ(upstream->plan()->set().nothing_to_pick().detail, "connection refused");
    say({{"10.0.0.1", 80, 1}});
    EXPECT_EQ(text(*upstream), "10.0.0.1:80");
}

TEST_F(LiveUpstreamTest, NamesThatAreFoundAreResolvedForAsLongAsTheyAreThere) {
    UpstreamSpec with_own = spec();
    with_own.targets = {{"own.test", 80, 1}};
    resolver.set("own.test", {*net::IpAddress::parse("10.0.1.1")});
    auto upstream = live.acquire(with_own);
    say({{"a.test", 80, 1}, {"b.test", 80, 1}});
    EXPECT_EQ(resolver.watch_count(), 3U);
    resolver.set("a.test", {*net::IpAddress::parse("10.0.0.1")});
    resolver.set("b.test", {*net::IpAddress::parse("10.0.0.2")});
    resolver.run();
    EXPECT_EQ(text(*upstream), "10.0.1.1:80 10.0.0.1:80 10.0.0.2:80");
    say({{"b.test", 81, 1}});
    EXPECT_EQ(resolver.watch_count(), 2U);
    EXPECT_EQ(text(*upstream), "10.0.1.1:80 10.0.0.2:81");
    say({{"b.test", 81, 1}, {"a.test", 80, 1}});  // known already, so at once
    EXPECT_EQ(text(*upstream), "10.0.1.1:80 10.0.0.2:81 10.0.0.1:80");
    upstream.reset();
    EXPECT_EQ(resolver.watch_count(), 0U);
    EXPECT_EQ(discovery.watch_count(), 0U);
}

TEST_F(LiveUpstreamTest, AReloadBeginsWithWhatIsKnown) {
    auto before = live.acquire(spec());
    say({{"10.0.0.1", 80, 1}});
    EXPECT_EQ(live.acquire(spec()), before);
    UpstreamSpec other = spec();
    other.algorithm = upstream::Algorithm::least_connections;
    auto after = live.acquire(other);
    EXPECT_NE(after, before);
    EXPECT_EQ(text(*after), "10.0.0.1:80");
    EXPECT_EQ(after->plan()->endpoints()[0].state, before->plan()->endpoints()[0].state);
    UpstreamSpec elsewhere = spec();
    elsewhere.source->token = "another";
    EXPECT_TRUE(live.acquire(elsewhere)->plan()->set().is_pending()) << "another source";
}

}  // namespace gateway
