#include "upstream/targets.h"

#include <gtest/gtest.h>

#include "upstream/balancer.h"

namespace upstream {

namespace {
net::dns::RecordsPointer resolved(std::initializer_list<const char*> addresses) {
    net::dns::Records records{net::dns::Records::State::resolved, {}, {}};
    for (const char* address : addresses) records.addresses.push_back(*net::IpAddress::parse(address));
    return std::make_shared<const net::dns::Records>(records);
}
net::dns::RecordsPointer missing(net::dns::Records::State state, std::string detail) {
    return std::make_shared<const net::dns::Records>(net::dns::Records{state, {}, std::move(detail)});
}

std::string text(const EndpointSetPointer& set) {
    std::string out;
    for (const Endpoint& endpoint : set->endpoints) {
        if (!out.empty()) out += " ";
        out += endpoint.host + "=" + endpoint.address.text() + "*" + std::to_string(endpoint.weight) + "@" +
               std::to_string(endpoint.target);
    }
    return out;
}

struct TargetsTest : testing::Test {
    net::dns::Overrides overrides;
    EndpointStates states;
    Targets targets(std::vector<Target> list) { return Targets("u1", std::move(list), overrides, states); }
};
using State = net::dns::Records::State;
}  // namespace

TEST_F(TargetsTest, NumericTargetsNeedNoNames) {
    auto these = targets({{"10.0.0.1", 80, 5}, {"::1", 81, 1}, {"[::2]", 82, 0}});
    EXPECT_TRUE(these.names().empty());
    EXPECT_EQ(text(these.endpoints()), "10.0.0.1=10.0.0.1:80*5@0 [::1]=[::1]:81*1@1 [::2]=[::2]:82*0@2");
    EXPECT_FALSE(these.endpoints()->is_pending());
}

TEST_F(TargetsTest, EveryAddressOfANameHasItsWeight) {
    auto these = targets({{"Web.test", 80, 7}, {"db.test", 5432, 1}, {"web.test", 81, 2}});
    EXPECT_EQ(these.names(), (std::vector<std::string>{"db.test", "web.test"}));
    EXPECT_TRUE(these.endpoints()->is_pending());
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::resolver_failed);
    EXPECT_TRUE(these.update("web.test", resolved({"10.0.0.1", "10.0.0.2"})));
    EXPECT_EQ(text(these.endpoints()),
              "Web.test=10.0.0.1:80*7@0 Web.test=10.0.0.2:80*7@0 web.test=10.0.0.1:81*2@2 web.test=10.0.0.2:81*2@2");
    EXPECT_TRUE(these.update("db.test", resolved({"10.0.0.9"})));
    EXPECT_EQ(these.endpoints()->endpoints[2].host, "db.test");
    EXPECT_FALSE(these.endpoints()->is_pending());
    EXPECT_FALSE(these.update("other.test", resolved({"10.0.0.9"})));
}

TEST_F(TargetsTest, TheSameAnswerChangesNothing) {
    auto these = targets({{"web.test", 80, 7}});
    EXPECT_TRUE(these.update("web.test", resolved({"10.0.0.1"})));
    auto before = these.endpoints();
    EXPECT_FALSE(these.update("web.test", resolved({"10.0.0.1"})));
    EXPECT_EQ(these.endpoints(), before);
}

TEST_F(TargetsTest, ServicesBringTheirPortsAndWeights) {
    net::dns::Records records{State::resolved, {}, {}, {}};
    records.services = {{*net::IpAddress::parse("10.0.0.1"), 8080, 3, "n1.test"},
                        {*net::IpAddress::parse("10.0.0.2"), 0, 1, "n2.test"}};
    auto found = std::make_shared<const net::dns::Records>(records);
    auto these = targets({{"web.test", 80, 7}, {"web.test", 81, 0}});
    EXPECT_TRUE(these.update("web.test", found));
    EXPECT_EQ(
        text(these.endpoints()),
        "web.test=10.0.0.1:8080*3@0 web.test=10.0.0.2:80*1@0 web.test=10.0.0.1:8080*0@1 web.test=10.0.0.2:81*0@1");
    EXPECT_EQ(these.endpoints()->endpoints[0].port, 8080);
    Targets called("u1", {{"web.test", 80, 7}}, overrides, states, CalledBy::srv_record);
    called.update("web.test", found);
    EXPECT_EQ(text(called.endpoints()), "n1.test=10.0.0.1:8080*3@0 n2.test=10.0.0.2:80*1@0");

    // Another weight, another host: who stays keeps its state.
    auto before = called.endpoints();
    records.services = {{*net::IpAddress::parse("10.0.0.1"), 8080, 9, "n1.test"},
                        {*net::IpAddress::parse("10.0.0.3"), 80, 1, "n3.test"}};
    EXPECT_TRUE(called.update("web.test", std::make_shared<const net::dns::Records>(records)));
    EXPECT_EQ(text(called.endpoints()), "n1.test=10.0.0.1:8080*9@0 n3.test=10.0.0.3:80*1@0");
    EXPECT_EQ(called.endpoints()->endpoints[0].state, before->endpoints[0].state);
}

TEST_F(TargetsTest, AnUpdateKeepsTheStateOfWhatStays) {
    auto these = targets({{"web.test", 80, 7}});
    these.update("web.test", resolved({"10.0.0.1", "10.0.0.2"}));
    auto before = these.endpoints();
    before->endpoints[1].state->active = 5;
    these.update("web.test", resolved({"10.0.0.0", "10.0.0.2"}));
    auto after = these.endpoints();
    EXPECT_EQ(after->endpoints[1].state, before->endpoints[1].state);
    EXPECT_EQ(after->endpoints[1].state->active, 5U);
    EXPECT_EQ(after->endpoints[0].state->active, 0U);
}

TEST_F(TargetsTest, AReloadKeepsCountersAndAnotherUpstreamHasItsOwn) {
    auto old = std::make_unique<Targets>("u1", std::vector<Target>{{"10.0.0.1", 80, 1}, {"10.0.0.2", 80, 1}}, overrides,
                                         states);
    auto balancer = Balancer::make(Plan::build(old->endpoints(), Algorithm::least_connections), 1);
    balancer->started(0);
    balancer->started(1);
    Targets reloaded("u1", {{"10.0.0.3", 80, 1}, {"10.0.0.1", 80, 9}}, overrides, states);
    Targets other("u2", {{"10.0.0.1", 80, 1}}, overrides, states);
    old.reset();
    EXPECT_EQ(reloaded.endpoints()->endpoints[1].state->active, 1U);
    EXPECT_EQ(other.endpoints()->endpoints[0].state->active, 0U);
    balancer->finished(0, {}, Outcome::answered, 0);  // an exchange that began before the reload
    EXPECT_EQ(reloaded.endpoints()->endpoints[1].state->active, 0U);
}

TEST_F(TargetsTest, OtherTargetsKeepWhatIsKnownOfThoseThatStay) {
    auto these = targets({{"10.0.0.1", 80, 1}, {"web.test", 80, 1}});
    these.update("web.test", resolved({"10.0.0.2"}));
    auto before = these.endpoints();
    EXPECT_TRUE(these.set({{"10.0.0.1", 80, 5}, {"db.test", 80, 1}, {"web.test", 81, 1}}, SourceState::known, {}));
    EXPECT_EQ(these.names(), (std::vector<std::string>{"db.test", "web.test"}));
    EXPECT_EQ(text(these.endpoints()), "10.0.0.1=10.0.0.1:80*5@0 web.test=10.0.0.2:81*1@2");
    EXPECT_EQ(these.endpoints()->endpoints[0].state, before->endpoints[0].state);
    EXPECT_FALSE(these.set({{"10.0.0.1", 80, 5}, {"db.test", 80, 1}, {"web.test", 81, 1}}, SourceState::known, {}));
    EXPECT_TRUE(these.set({}, SourceState::known, {}));
    EXPECT_EQ(these.endpoints()->nothing_to_pick().detail, "no target may take the request");
}

TEST_F(TargetsTest, ASourceThatHasSaidNothing) {
    auto these = targets({});
    EXPECT_TRUE(these.set({}, SourceState::pending, {}));
    EXPECT_TRUE(these.endpoints()->is_pending());
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::no_endpoint);
    EXPECT_TRUE(these.set({}, SourceState::failed, "connection refused"));
    EXPECT_FALSE(these.endpoints()->is_pending());
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::no_endpoint);
    EXPECT_EQ(these.endpoints()->nothing_to_pick().detail, "connection refused");
    EXPECT_TRUE(these.set({{"10.0.0.1", 80, 1}}, SourceState::known, {}));
    EXPECT_FALSE(these.endpoints()->is_pending());
}

TEST_F(TargetsTest, WhyThereIsNothingToPick) {
    auto these = targets({{"a.test", 80, 1}, {"b.test", 80, 1}});
    these.update("a.test", missing(State::not_found, "no such name"));
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::resolver_failed);  // b is pending
    these.update("b.test", missing(State::not_found, "nor this"));
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::unresolved);
    EXPECT_EQ(these.endpoints()->nothing_to_pick().detail, "a.test: no such name");
    EXPECT_EQ(these.endpoints()->target_states, (std::vector{TargetState::not_found, TargetState::not_found}));
    these.update("b.test", missing(State::failed, "timeout"));
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::resolver_failed);
    these.update("b.test", resolved({"10.0.0.1"}));
    EXPECT_EQ(these.endpoints()->nothing_to_pick().code, base::Code::no_endpoint);
    EXPECT_EQ(targets({}).endpoints()->nothing_to_pick().code, base::Code::no_endpoint);
    EXPECT_EQ(targets({}).endpoints()->nothing_to_pick().source, base::Source::upstream);
}

TEST_F(TargetsTest, OverridesWin) {
    ASSERT_TRUE(overrides.add("web.test:80:127.0.0.1:8080"));
    ASSERT_TRUE(overrides.add("10.0.0.1:80:127.0.0.2"));
    auto these = targets({{"Web.Test", 80, 1}, {"web.test", 81, 1}, {"10.0.0.1", 80, 1}});
    EXPECT_EQ(these.names(), std::vector<std::string>{"web.test"});
    EXPECT_EQ(text(these.endpoints()), "Web.Test=127.0.0.1:8080*1@0 10.0.0.1=127.0.0.2:80*1@2");
    EXPECT_EQ(these.endpoints()->endpoints[0].port, 80);
}

TEST(EndpointStates, ForgetsWhatNobodyHolds) {
    EndpointStates states;
    for (std::uint32_t i = 0; i < 100'000; ++i) static_cast<void>(states.acquire("u", {net::IpAddress::v4(i), 80}));
    EXPECT_LE(states.size(), 1024U);
    auto kept = states.acquire("u", {net::IpAddress::v4(1), 80});
    EXPECT_EQ(states.acquire("u", {net::IpAddress::v4(1), 80}), kept);
    EXPECT_NE(states.acquire("v", {net::IpAddress::v4(1), 80}), kept);
}

}  // namespace upstream
