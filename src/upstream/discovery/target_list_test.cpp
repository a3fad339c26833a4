#include "upstream/discovery/target_list.h"

#include <gtest/gtest.h>

namespace upstream {

namespace {
std::string text(const base::Result<std::vector<Target>>& list) {
    if (!list) return list.error().detail;
    std::string out;
    for (const Target& each : *list)
        out +=
            (out.empty() ? "" : " ") + each.host + ":" + std::to_string(each.port) + "*" + std::to_string(each.weight);
    return out;
}
std::string yaml(std::string_view list) { return text(parse_target_list(list, ListForm::yaml, "t.yml")); }
std::string json(std::string_view list) { return text(parse_target_list(list, ListForm::json, "u")); }
}  // namespace

TEST(TargetList, Forms) {
    EXPECT_EQ(yaml("targets:\n- b.test:80\n- {target: '10.0.0.1:81', weight: 5}\n- a.test\n- '[::1]:82'\n"),
              "10.0.0.1:81*5 [::1]:82*100 a.test:8000*100 b.test:80*100");
    EXPECT_EQ(yaml("- a.test:80\n- a.test:81\n- {target: 'a.test:80', weight: 1}\n"), "a.test:80*100 a.test:81*100");
    EXPECT_EQ(json(R"({"targets": ["a.test:80", {"target": "b.test:81", "weight": 0}]})"), "a.test:80*100 b.test:81*0");
    EXPECT_EQ(json("[]"), "");
    EXPECT_EQ(yaml("targets: []"), "");
}

TEST(TargetList, FaultsNameTheirPlaceAndNothingIsTakenOfThem) {
    EXPECT_EQ(yaml("targets:\n- a.test:80\n- 'b test:80'\n"), "t.yml:3:3: [1]: expected host:port");
    EXPECT_EQ(yaml("- {target: 'a.test:80', weight: 70000}\n").substr(0, 22), "t.yml:1:33: [0].weight");
    EXPECT_EQ(yaml("- {target: 'a.test:80', wieght: 7}\n").substr(0, 15), "t.yml:1:25: [0]");
    EXPECT_EQ(yaml("- {weight: 7}\n").substr(0, 14), "t.yml:1:3: [0]");
    EXPECT_EQ(yaml("- [a]\n"), "t.yml:1:3: [0]: expected a target or {target, weight}");
    EXPECT_EQ(yaml("hosts: []\n"), "t.yml:1:1: unknown field: expected targets; t.yml:1:1: expected a list of targets");
    EXPECT_EQ(yaml("a: [\n").substr(0, 6), "t.yml:");
    EXPECT_EQ(yaml(""), "t.yml: expected a list of targets");
    EXPECT_EQ(json("[\"a.test:80\",\n \"x:0\"]"), "u:2:2: [1]: expected host:port");
    EXPECT_EQ(json("{").substr(0, 2), "u:");
    std::string many = "[";
    for (std::size_t i = 0; i <= most_found_targets; ++i) many += std::string(i == 0 ? "" : ",") + "\"a:80\"";
    EXPECT_NE(json(many + "]").find("more than 10000 targets"), std::string::npos);
    EXPECT_EQ(json("[1,2,3,4,5,6,7]").substr(json("[1,2,3,4,5,6,7]").size() - 10), "; and more");
}

TEST(TargetList, Targets) {
    for (const char* good : {"a", "a.b:1", "10.0.0.1", "10.0.0.1:65535", "[::1]", "[2001:db8::1]:80", "under_score:80"})
        EXPECT_TRUE(parse_target(good)) << good;
    for (const char* bad : {"", ":80", "a:", "a:0", "a:65536", "a:-1", "a:8x", "::1", "[::1", "[::1]80",
                            "[10.0.0.1]:80", "[]", "a b:80", "a..b:80", "http://a:80", "a/b", "a:80:80", "a\n:80"})
        EXPECT_FALSE(parse_target(bad)) << bad;
}

}  // namespace upstream
