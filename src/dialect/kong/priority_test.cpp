#include "dialect/kong/priority.h"

#include <gtest/gtest.h>

#include "dialect/kong/uuid.h"
#include "route/router.h"

namespace kong {
namespace {

const base::Uuid id = *base::Uuid::parse("11111111-2222-4333-8444-555555555555");

constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }

TEST(Priority, FollowsTheBitsOfTheContract) {
    RouteMatchers route{.id = id, .protocols = {"http", "https"}};
    EXPECT_EQ(priority(route, PathGroup::none, 0), 0u);
    EXPECT_EQ(priority(route, PathGroup::prefixes, 6), 1 * bit(61) | 6);
    EXPECT_EQ(priority(route, PathGroup::regexes, 6), 1 * bit(61) | bit(51));
    route.regex_priority = 10;
    EXPECT_EQ(priority(route, PathGroup::regexes, 0), 1 * bit(61) | bit(51) | 10 * bit(19));
    EXPECT_EQ(priority(route, PathGroup::prefixes, 6), 1 * bit(61) | 6);
    route.regex_priority = 0xffffffff;
    EXPECT_EQ(priority(route, PathGroup::regexes, 0), 1 * bit(61) | bit(51) | 0xffffffff * bit(19));
    route.methods = {"GET", "PUT"};
    EXPECT_EQ(priority(route, PathGroup::prefixes, 1), 2 * bit(61) | 1);
    route.hosts = {"a.b", "c.d:80"};
    EXPECT_EQ(priority(route, PathGroup::prefixes, 1), 3 * bit(61) | bit(60) | 1);
    route.hosts.push_back("*.x");
    EXPECT_EQ(priority(route, PathGroup::prefixes, 1), 3 * bit(61) | 1);
    route.headers = {{"a", {"1"}}, {"b", {"1", "2"}}};
    EXPECT_EQ(priority(route, PathGroup::prefixes, 1), 4 * bit(61) | 2 * bit(52) | 1);
    route.snis = {"a"};
    route.sources = {{.port = 1}};
    route.destinations = {{.port = 1}};
    EXPECT_EQ(priority(route, PathGroup::prefixes, 1), 7 * bit(61) | 2 * bit(52) | 1);
    EXPECT_EQ(priority(route, PathGroup::prefixes, 0x80001), 7 * bit(61) | 2 * bit(52) | 1);
}

TEST(Priority, CountsAtMost255Headers) {
    RouteMatchers route;
    for (int i = 0; i < 300; ++i) route.headers.push_back({"h" + std::to_string(i), {"1"}});
    EXPECT_EQ(priority(route, PathGroup::none, 0), 1 * bit(61) | 255 * bit(52));
}

TEST(Priority, StreamRoutes) {
    RouteMatchers route{.id = id, .protocols = {"tls", "tcp"}, .snis = {"a"}};
    EXPECT_EQ(priority(route, PathGroup::none, 0), bit(61));
    route.snis = {};
    route.sources = {{.ip = "10.0.0.1"}};
    EXPECT_EQ(priority(route, PathGroup::none, 0), 0x80u);
    route.sources.push_back({.ip = "10.0.0.0/8", .port = 5});
    EXPECT_EQ(priority(route, PathGroup::none, 0), 0xd0u);
    route.destinations = {{.port = 7}};
    EXPECT_EQ(priority(route, PathGroup::none, 0), bit(61) | 0xd4);
}

TEST(AppendRules, OneGroupKeepsTheId) {
    std::vector<route::Rule> rules;
    ASSERT_TRUE(append_rules({.id = id, .paths = {"/a", "/b"}}, 7, rules));
    ASSERT_EQ(rules.size(), 1u);
    EXPECT_EQ(rules[0].route, 7u);
    EXPECT_EQ(rules[0].tie_break, id.bytes);
    EXPECT_EQ(rules[0].prefixes, (std::vector<std::string>{"/a", "/b"}));
    EXPECT_EQ(rules[0].priority, bit(61) | 2);
    ASSERT_TRUE(append_rules({.id = id, .methods = {"GET"}}, 8, rules));
    ASSERT_EQ(rules.size(), 2u);
    EXPECT_TRUE(rules[1].prefixes.empty() && rules[1].regexes.empty());
    EXPECT_EQ(rules[1].priority, bit(61));
}

TEST(AppendRules, GroupsByRegexAndLength) {
    std::vector<route::Rule> rules;
    RouteMatchers route{
        .id = id, .paths = {"~/rx.*$", "/long-path", "/one", "/two", "/three", "~/.*"}, .regex_priority = 3};
    ASSERT_TRUE(append_rules(route, 1, rules));
    ASSERT_EQ(rules.size(), 4u);
    EXPECT_EQ(rules[0].regexes, (std::vector<std::string>{"/rx.*$", "/.*"}));
    EXPECT_EQ(rules[1].prefixes, (std::vector<std::string>{"/long-path"}));
    EXPECT_EQ(rules[2].prefixes, (std::vector<std::string>{"/one", "/two"}));
    EXPECT_EQ(rules[3].prefixes, (std::vector<std::string>{"/three"}));
    EXPECT_EQ(rules[0].priority, bit(61) | bit(51) | 3 * bit(19));
    EXPECT_EQ(rules[2].priority, bit(61) | 4);
    base::Uuid name_space = *base::Uuid::parse("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");
    for (std::size_t i = 0; i < rules.size(); ++i) {
        EXPECT_EQ(rules[i].tie_break, uuid_v5(name_space, id.text() + "#" + std::to_string(i + 1)).bytes);
    }
}

TEST(AppendRules, TranslatesTheConditions) {
    std::vector<route::Rule> rules;
    RouteMatchers route{.id = id,
                        .hosts = {"*.A.example:81"},
                        .headers = {{"x-a", {"1", "~*^b"}}},
                        .snis = {"s.*"},
                        .sources = {{.ip = "10.0.0.0/8"}},
                        .destinations = {{.ip = "::1", .port = 9}}};
    ASSERT_TRUE(append_rules(route, 1, rules));
    const route::Rule& rule = rules.at(0);
    EXPECT_EQ(rule.hosts.at(0), (route::HostPattern{route::HostPattern::Kind::suffix, ".a.example", 81}));
    EXPECT_EQ(rule.server_names.at(0), (route::HostPattern{route::HostPattern::Kind::prefix, "s.", 0}));
    EXPECT_EQ(rule.headers.at(0).values, (std::vector<std::string>{"1"}));
    EXPECT_EQ(rule.headers.at(0).regexes, (std::vector<std::string>{"^b"}));
    EXPECT_EQ(rule.sources.at(0).block, *net::Cidr::parse("10.0.0.0/8"));
    EXPECT_EQ(rule.destinations.at(0).port, 9);
}

TEST(AppendRules, FaultsLeaveTheRulesAlone) {
    std::vector<route::Rule> rules(1);
    for (const RouteMatchers& route :
         {RouteMatchers{.hosts = {"a.*.b"}}, RouteMatchers{.snis = {"*"}},
          RouteMatchers{.sources = {{.ip = "10.0.0.300"}}}, RouteMatchers{.destinations = {{.ip = "x/8"}}}}) {
        EXPECT_FALSE(append_rules(route, 1, rules));
        EXPECT_EQ(rules.size(), 1u);
    }
}

// The routes of a real Kong 3.9.1 and what it answered.
class ObservedRoutes : public ::testing::Test {
  protected:
    void SetUp() override {
        std::vector<route::Rule> rules;
        for (std::size_t i = 0; i < std::size(routes); ++i) {
            RouteMatchers matchers = routes[i].matchers;
            matchers.id = uuid_v5(id, routes[i].name);
            ASSERT_TRUE(append_rules(matchers, static_cast<std::uint32_t>(i), rules));
        }
        auto built = route::Router::build(std::move(rules));
        ASSERT_TRUE(built) << built.error().detail;
        router.emplace(std::move(*built));
    }
    std::string match(std::string_view method, std::string_view path, std::string_view host = "gw.example") {
        route::Query query{.method = method, .host = host, .port = 9971, .path = path};
        return router->match(query, matched) ? routes[matched.route].name : "";
    }

    struct Named {
        std::string name;
        RouteMatchers matchers;
    };
    const Named routes[7] = {{"list-pets", {.paths = {"/api/v1/pets"}}},
                             {"get-pet", {.paths = {R"(~/api/v1/pets/(?<id>\d+)$)"}}},
                             {"plain", {.paths = {"/plain"}}},
                             {"getonly", {.methods = {"GET"}, .paths = {"/getonly"}}},
                             {"hosted", {.hosts = {"api.example.com", "*.wild.example.com"}, .paths = {"/hosted"}}},
                             {"regex", {.paths = {R"(~/rx/(?<a>[a-z]+)/(?<b>\d+))"}}},
                             {"both", {.paths = {"/both", "/both/longer", R"(~/both/\d)"}}}};
    std::optional<route::Router> router;
    route::Match matched;
};

TEST_F(ObservedRoutes, MatchAsObserved) {
    EXPECT_EQ(match("GET", "/api/v1/pets"), "list-pets");
    EXPECT_EQ(match("GET", "/api/v1/pets/42"), "get-pet");
    EXPECT_EQ(matched.capture("id"), "42");
    EXPECT_EQ(match("GET", "/api/v1/pets/42/x"), "list-pets");
    EXPECT_EQ(match("GET", "/plainfoo"), "plain");
    EXPECT_EQ(match("GET", "/PLAIN/x"), "");
    EXPECT_EQ(match("GET", "/getonly/x"), "getonly");
    EXPECT_EQ(match("HEAD", "/getonly/x"), "");
    EXPECT_EQ(match("OPTIONS", "/getonly/x"), "");
    EXPECT_EQ(match("GET", "/hosted/x"), "");
    EXPECT_EQ(match("GET", "/hosted/x", "api.example.com"), "hosted");
    EXPECT_EQ(match("GET", "/hosted/x", "a.b.wild.example.com"), "hosted");
    EXPECT_EQ(match("GET", "/hosted/x", "API.Example.COM"), "hosted");  // Kong: 404, against RFC 9110 4.2.3
    EXPECT_EQ(match("GET", "/rx/ab/12/tail"), "regex");
    EXPECT_EQ(matched.matched_path, "/rx/ab/12");
    EXPECT_EQ(match("GET", "/none"), "");
    EXPECT_EQ(match("GET", "/both/longer/x"), "both");
    EXPECT_EQ(matched.matched_path, "/both/longer");
    EXPECT_EQ(match("GET", "/both/1x"), "both");
    EXPECT_EQ(matched.matched_path, "/both/1");
}

}  // namespace
}  // namespace kong
