#include "route/router.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/headers.h"

namespace route {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

HeaderFields fields_of(const Fields& fields) {
    return {&fields, fields.size(),
            [](const void* all, std::size_t i, std::string_view& name, std::string_view& value) {
                const auto& [field_name, field_value] = (*static_cast<const Fields*>(all))[i];
                name = field_name;
                value = field_value;
            }};
}

HostPattern host(std::string_view text) {
    auto pattern = HostPattern::parse(text);
    EXPECT_TRUE(pattern) << text;
    return *pattern;
}

Router built(std::vector<Rule> rules) {
    auto router = Router::build(std::move(rules));
    EXPECT_TRUE(router) << (router ? "" : router.error().detail);
    return std::move(*router);
}

Query get(std::string_view path, std::string_view host_name = "gw.example") {
    return {.method = "GET", .host = host_name, .port = 80, .path = path};
}

constexpr int nothing = -1;
int route_of(const Router& router, const Query& query) {
    Match match;
    return router.match(query, match) ? static_cast<int>(match.route) : nothing;
}

TEST(Router, WithoutRulesMatchesNothing) {
    EXPECT_EQ(route_of(built({}), get("/")), nothing);
    EXPECT_EQ(route_of(built({}), get("")), nothing);
    EXPECT_EQ(built({}).rule_count(), 0u);
}

TEST(Router, ARuleWithoutConditionsMatchesEverything) {
    Router router = built({{.route = 3}});
    Match match;
    ASSERT_TRUE(router.match(get("/any"), match));
    EXPECT_EQ(match.route, 3u);
    EXPECT_FALSE(match.by_path);
    EXPECT_FALSE(match.by_regex);
    EXPECT_EQ(match.matched_path, "");
    EXPECT_EQ(route_of(router, get("", "")), 3);
}

TEST(Router, PrefixesHaveNoSegmentBorder) {
    Router router =
        built({{.route = 1, .priority = 3, .prefixes = {"/plain"}}, {.route = 2, .priority = 1, .prefixes = {"/"}}});
    Match match;
    ASSERT_TRUE(router.match(get("/plainfoo"), match));
    EXPECT_EQ(match.route, 1u);
    EXPECT_EQ(match.matched_path, "/plain");
    EXPECT_TRUE(match.by_path);
    EXPECT_FALSE(match.by_regex);
    EXPECT_EQ(route_of(router, get("/plai")), 2);
    EXPECT_EQ(route_of(router, get("/PLAIN")), 2);
}

TEST(Router, PriorityBeatsLength) {
    Router router =
        built({{.route = 1, .priority = 1, .prefixes = {"/a/b/c"}}, {.route = 2, .priority = 2, .prefixes = {"/a"}}});
    EXPECT_EQ(route_of(router, get("/a/b/c")), 2);
}

TEST(Router, EqualPriorityTakesTheHigherTieBreakThenTheLowerRoute) {
    Rule low{.route = 1, .priority = 5, .prefixes = {"/a"}};
    Rule high{.route = 2, .priority = 5, .prefixes = {"/a"}};
    high.tie_break[15] = 1;
    EXPECT_EQ(route_of(built({low, high}), get("/a")), 2);
    high.tie_break = {};
    EXPECT_EQ(route_of(built({high, low}), get("/a")), 1);
}

TEST(Router, HostsIgnoreCaseAndTheTrailingDot) {
    Router router =
        built({{.route = 1, .hosts = {host("api.example.com"), host("*.wild.example.com"), host("any.*")}}});
    for (const char* name :
         {"api.example.com", "API.Example.COM", "api.example.com.", "a.b.wild.example.com", "any.x", "ANY.x.y"}) {
        EXPECT_EQ(route_of(router, get("/", name)), 1) << name;
    }
    for (const char* name :
         {"", "example.com", "wild.example.com", "xapi.example.com", "api.example.com.x", "any", "xany.x"}) {
        EXPECT_EQ(route_of(router, get("/", name)), nothing) << name;
    }
    EXPECT_EQ(route_of(router, get("/", std::string(300, 'a') + ".wild.example.com")), nothing);
}

TEST(Router, HostPortsMustFit) {
    Router router = built(
        {{.route = 1, .priority = 1, .hosts = {host("a:8080"), host("*.b:8081")}}, {.route = 2, .hosts = {host("a")}}});
    Query query = get("/", "a");
    EXPECT_EQ(route_of(router, query), 2);
    query.port = 8080;
    EXPECT_EQ(route_of(router, query), 1);
    query.host = "x.b";
    EXPECT_EQ(route_of(router, query), nothing);
    query.port = 8081;
    EXPECT_EQ(route_of(router, query), 1);
}

TEST(Router, TheBestOverAllHostsWins) {
    Router router = built({{.route = 1, .priority = 1, .hosts = {host("a.x")}, .prefixes = {"/p"}},
                           {.route = 2, .priority = 2, .hosts = {host("*.x")}, .prefixes = {"/"}},
                           {.route = 3, .priority = 3, .methods = {"POST"}},
                           {.route = 4, .priority = 0}});
    Query query = get("/p", "a.x");
    EXPECT_EQ(route_of(router, query), 2);
    query.method = "POST";
    EXPECT_EQ(route_of(router, query), 3);
    EXPECT_EQ(route_of(router, get("/p", "other")), 4);
}

TEST(Router, MethodsAreExact) {
    Router router = built({{.route = 1, .methods = {"GET", "PURGE"}}});
    Query query = get("/");
    for (auto [method, expected] :
         {std::pair{"GET", 1}, {"PURGE", 1}, {"HEAD", nothing}, {"get", nothing}, {"", nothing}}) {
        query.method = method;
        EXPECT_EQ(route_of(router, query), expected) << method;
    }
}

TEST(Router, MoreMethodsThanBits) {
    std::vector<Rule> rules;
    for (std::uint32_t i = 0; i < 200; ++i) rules.push_back({.route = i, .methods = {"M" + std::to_string(i)}});
    rules.push_back({.route = 999, .methods = {"M10", "M150"}, .prefixes = {"/both"}});
    rules.back().priority = 1;
    Router router = built(std::move(rules));
    for (int i = 0; i < 200; ++i) {
        std::string method = "M" + std::to_string(i);
        Query query = get("/");
        query.method = method;
        EXPECT_EQ(route_of(router, query), i);
        query.path = "/both";
        EXPECT_EQ(route_of(router, query), i == 10 || i == 150 ? 999 : i);
    }
    EXPECT_EQ(route_of(router, get("/")), nothing);
}

TEST(Router, HeadersMatchAnyValueWithoutCase) {
    Router router =
        built({{.route = 1,
                .headers = {{.name = "X-Version", .values = {"2", "Beta"}}, {.name = "x_kind", .regexes = {"^a+$"}}}}});
    auto with = [&](const Fields& fields) {
        Query query = get("/");
        query.headers = fields_of(fields);
        return route_of(router, query);
    };
    EXPECT_EQ(with({{"x-version", "2"}, {"X-Kind", "AAA"}}), 1);
    EXPECT_EQ(with({{"X_VERSION", "bETA"}, {"x-kind", "b"}, {"X_Kind", "a"}}), 1);
    EXPECT_EQ(with({{"x-version", "1"},
                    {"x-version", "9"},
                    {"x-version", "8"},
                    {"x-version", "7"},
                    {"x-version", "6"},
                    {"x-version", "2"},
                    {"x-kind", "a"}}),
              1);
    EXPECT_EQ(with({{"x-version", "2"}}), nothing);
    EXPECT_EQ(with({{"x-version", "22"}, {"x-kind", "a"}}), nothing);
    EXPECT_EQ(with({{"x-version", "2"}, {"x-kind", "ab"}}), nothing);
    EXPECT_EQ(with({}), nothing);
}

TEST(Router, ReadsTheHeadersOfAMessage) {
    Router router = built({{.route = 1, .headers = {{.name = "x-version", .values = {"2"}}}}});
    http::Headers headers;
    headers.add("Accept", "*/*");
    headers.add("X-Version", "2");
    Query query = get("/");
    EXPECT_EQ(route_of(router, query), nothing);
    query.headers = header_fields(headers);
    EXPECT_EQ(route_of(router, query), 1);
}

TEST(Router, ManyHeaderNames) {
    std::vector<Rule> rules;
    for (std::uint32_t i = 0; i < 20; ++i) {
        rules.push_back({.route = i, .headers = {{.name = "x-" + std::to_string(i), .values = {"1"}}}});
    }
    Router router = built(std::move(rules));
    for (int i = 0; i < 20; ++i) {
        Fields fields{{"X-" + std::to_string(i), "1"}};
        Query query = get("/");
        query.headers = fields_of(fields);
        EXPECT_EQ(route_of(router, query), i);
    }
}

TEST(Router, ServerNamesCountOnlyOnTls) {
    auto name = HostPattern::parse_server_name("*.Secure.example");
    ASSERT_TRUE(name);
    Router router = built({{.route = 1, .server_names = {*name}}});
    Query query = get("/");
    EXPECT_EQ(route_of(router, query), 1);
    query.tls = true;
    EXPECT_EQ(route_of(router, query), nothing);
    query.sni = "A.secure.EXAMPLE.";
    EXPECT_EQ(route_of(router, query), 1);
    query.sni = "secure.example";
    EXPECT_EQ(route_of(router, query), nothing);
}

TEST(Router, SourcesAndDestinations) {
    auto block = net::Cidr::parse("10.0.0.0/8");
    ASSERT_TRUE(block);
    Router router = built(
        {{.route = 1, .sources = {{.block = *block}, {.port = 7}}, .destinations = {{.block = *block, .port = 9}}}});
    Query query = get("/");
    query.destination = {net::IpAddress::v4(0x0a000001), 9};
    EXPECT_EQ(route_of(router, query), nothing);
    query.source = {net::IpAddress::v4(0x0a010203), 1};
    EXPECT_EQ(route_of(router, query), 1);
    query.source = {net::IpAddress::v4(0x0b010203), 7};
    EXPECT_EQ(route_of(router, query), 1);
    query.destination.port = 8;
    EXPECT_EQ(route_of(router, query), nothing);
}

TEST(Router, RegexesCapture) {
    Router router = built({{.route = 1, .priority = 2, .regexes = {R"(/api/v1/pets/(?<id>\d+)$)"}},
                           {.route = 2, .priority = 1, .prefixes = {"/api/v1/pets"}},
                           {.route = 3, .priority = 2, .regexes = {R"(/rx/(?P<a>[a-z]+)/(?<b>\d+))"}}});
    Match match;
    ASSERT_TRUE(router.match(get("/api/v1/pets/42"), match));
    EXPECT_EQ(match.route, 1u);
    EXPECT_TRUE(match.by_regex);
    EXPECT_EQ(match.matched_path, "/api/v1/pets/42");
    EXPECT_EQ(match.capture(0), "/api/v1/pets/42");
    EXPECT_EQ(match.capture(1), "42");
    EXPECT_EQ(match.capture("id"), "42");
    EXPECT_EQ(match.capture("none"), "");
    EXPECT_EQ(match.capture(2), "");

    ASSERT_TRUE(router.match(get("/api/v1/pets/x"), match));
    EXPECT_EQ(match.route, 2u);
    EXPECT_FALSE(match.by_regex);
    EXPECT_EQ(match.capture(0), "");
    EXPECT_TRUE(match.names.empty());

    ASSERT_TRUE(router.match(get("/rx/ab/12/tail"), match));
    EXPECT_EQ(match.matched_path, "/rx/ab/12");
    EXPECT_EQ(match.capture("a"), "ab");
    EXPECT_EQ(match.capture("b"), "12");
    EXPECT_EQ(route_of(router, get("/x/rx/ab/12")), nothing);
}

TEST(Router, RegexesWithoutVariablePart) {
    Router router = built({{.route = 1, .priority = 1, .regexes = {R"(/a\.b)"}}, {.route = 2, .regexes = {"/x|/y"}}});
    Match match;
    ASSERT_TRUE(router.match(get("/a.bc"), match));
    EXPECT_TRUE(match.by_regex);
    EXPECT_EQ(match.matched_path, "/a.b");
    EXPECT_EQ(match.capture(0), "/a.b");
    EXPECT_EQ(route_of(router, get("/axb")), nothing);
    EXPECT_EQ(route_of(router, get("/y/1")), 2);
    EXPECT_EQ(route_of(router, get("/z/y")), nothing);  // every alternative is anchored
}

TEST(Router, TheFirstMatchingPathOfARuleIsReported) {
    Router router = built({{.regexes = {"/a(b)?", "/(a.*)", "/(.)"}}});
    Match match;
    ASSERT_TRUE(router.match(get("/ac"), match));
    EXPECT_EQ(match.matched_path, "/a");
    ASSERT_TRUE(router.match(get("/xy"), match));
    EXPECT_EQ(match.matched_path, "/x");
    Router other = built({{.prefixes = {"/a", "/ab"}}});
    ASSERT_TRUE(other.match(get("/abc"), match));
    EXPECT_EQ(match.matched_path, "/a");
}

TEST(Router, NodesWithManyRegexesFindTheRightOne) {
    std::vector<Rule> rules;
    for (std::uint32_t i = 0; i < 500; ++i) {
        rules.push_back(
            {.route = i, .priority = i, .regexes = {"/(?<tenant>[a-z]+)/svc" + std::to_string(i) + "/(\\d+)$"}});
    }
    rules.push_back({.route = 1000, .priority = 250, .regexes = {"/([a-z]+)/[a-z]+7/(\\d+)$"}});
    Router router = built(std::move(rules));
    Match match;
    ASSERT_TRUE(router.match(get("/acme/svc321/7"), match));
    EXPECT_EQ(match.route, 321u);
    EXPECT_EQ(match.capture("tenant"), "acme");
    EXPECT_EQ(route_of(router, get("/acme/svc7/7")), 1000);
    EXPECT_EQ(route_of(router, get("/acme/svc321svc321/7")), nothing);
    std::string hostile = "/acme";
    for (int i = 0; i < 1000; ++i) hostile += "/svc" + std::to_string(i % 500);
    EXPECT_EQ(route_of(router, get(hostile)), nothing);
}

// The same rest of a pattern is one compiled regex; that it fails behind one beginning says nothing about another.
TEST(Router, SharedRegexesAreTriedAtEachDepth) {
    Router router = built({{.route = 1, .priority = 2, .regexes = {R"(/(\d+)$)"}},
                           {.route = 2, .priority = 1, .regexes = {R"(/x/(\d+)$)"}}});
    EXPECT_EQ(route_of(router, get("/x/1")), 2);
    EXPECT_EQ(route_of(router, get("/1")), 1);
}

TEST(Router, TheFirstPathCountsAmongVeryMany) {
    Rule rule;
    for (std::size_t length = 150; length > 0; --length) rule.prefixes.push_back("/" + std::string(length, 'a'));
    Router router = built({rule});
    Match match;
    ASSERT_TRUE(router.match(get("/" + std::string(200, 'a')), match));
    EXPECT_EQ(match.matched_path.size(), 151u);
}

TEST(Router, MoreCandidateListsThanFitAtOnce) {
    std::vector<Rule> rules;
    std::string path = "/";
    for (std::uint32_t i = 0; i < 300; ++i) {
        rules.push_back({.route = i, .priority = i % 97, .prefixes = {path}});
        rules.back().tie_break[0] = static_cast<std::uint8_t>(i / 97);
        path += "a";
    }
    EXPECT_EQ(route_of(built(rules), get(path)), 96 + 2 * 97);
    rules[10].priority = 1000;  // among those gathered first
    EXPECT_EQ(route_of(built(rules), get(path)), 10);
}

TEST(Router, RulesWithVeryManyHosts) {
    Rule rule{.route = 1, .priority = 1, .prefixes = {"/a", "/b"}};
    for (int i = 0; i < 3000; ++i) rule.hosts.push_back(host("h" + std::to_string(i) + ".x"));
    rule.hosts.push_back(host("*.wild.x:81"));
    Router router = built({rule, {.route = 2}});
    EXPECT_EQ(route_of(router, get("/a", "H2999.x")), 1);
    EXPECT_EQ(route_of(router, get("/a", "h3000.x")), 2);
    EXPECT_EQ(route_of(router, get("/a", "q.wild.x")), 2);
    Query query = get("/b", "q.wild.x");
    query.port = 81;
    EXPECT_EQ(route_of(router, query), 1);
}

TEST(Router, RoutesAreSmall) {
    constexpr std::size_t count = 5000;
    std::vector<Rule> prefixes;
    std::vector<Rule> regexes;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::string name = std::to_string(i);
        prefixes.push_back({.route = i,
                            .methods = {"GET"},
                            .hosts = {host("host-" + std::to_string(i / 10) + ".example.com")},
                            .prefixes = {"/api/service-" + name + "/resource"}});
        regexes.push_back({.route = i, .regexes = {"/service-" + name + "/(?<id>\\d+)/item-" + name + "/[a-z]+$"}});
    }
    EXPECT_LT(built(std::move(prefixes)).memory_bytes() / count, 120u);
    EXPECT_LT(built(std::move(regexes)).memory_bytes() / count, 350u);
}

TEST(Router, AllFaultsAreReportedWithTheirRoute) {
    auto router = Router::build({{.route = 7, .regexes = {"/a(b", "/ok"}},
                                 {.route = 8, .headers = {{.name = "x", .regexes = {"["}}}},
                                 {.route = 9, .prefixes = {std::string(max_path_pattern + 1, 'a')}}});
    ASSERT_FALSE(router);
    const std::string& text = router.error().detail;
    EXPECT_NE(text.find("route 7: regex '/a(b': missing closing parenthesis"), text.npos) << text;
    EXPECT_NE(text.find("route 8: header 'x': regex '['"), text.npos) << text;
    EXPECT_NE(text.find("route 9: a path is longer"), text.npos) << text;
}

TEST(Router, CatastrophicPatternsAreCountedAndDoNotMatch) {
    Router router = built({{.route = 1, .priority = 1, .regexes = {R"(/(a+)+\1b$)"}}, {.route = 2}});
    EXPECT_EQ(route_of(router, get("/aaab")), 1);
    EXPECT_EQ(router.limited_matches(), 0u);
    EXPECT_EQ(route_of(router, get("/" + std::string(5000, 'a') + "bc")), 2);
    EXPECT_EQ(router.limited_matches(), 1u);
}

TEST(Router, HostileBytesInThePath) {
    Router router =
        built({{.route = 1, .prefixes = {std::string("/\0", 2), "/\xff"}}, {.route = 2, .regexes = {"/é"}}});
    EXPECT_EQ(route_of(router, get(std::string_view("/\0x", 3))), 1);
    EXPECT_EQ(route_of(router, get("/\xff\xfe")), 1);
    EXPECT_EQ(route_of(router, get("/é")), 2);
    EXPECT_EQ(route_of(router, get("/\xc3")), nothing);
    EXPECT_EQ(route_of(router, get(std::string(1 << 20, '/'))), nothing);
}

}  // namespace
}  // namespace route
