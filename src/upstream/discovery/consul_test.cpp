#include "upstream/discovery/consul.h"

#include <gtest/gtest.h>

namespace upstream::consul {

namespace {
std::string text(const base::Result<Instances>& got) {
    if (!got) return "fault: " + got.error().detail;
    std::string out;
    for (const Target& each : got->targets)
        out +=
            (out.empty() ? "" : " ") + each.host + ":" + std::to_string(each.port) + "*" + std::to_string(each.weight);
    return got->left_out.empty() ? out : out + " without " + got->left_out;
}
net::FetchAnswer answer(std::string body, std::string index = "5") {
    return {200, std::move(body), {{"X-Consul-Index", std::move(index)}}};
}
std::string one(std::string_view address, int port, std::string_view weights = R"({"Passing": 1, "Warning": 1})",
                std::string_view status = "passing", std::string_view id = "s1") {
    return R"({"Node": {"Node": "n", "Address": "10.9.9.9"}, "Service": {"ID": ")" + std::string(id) +
           R"(", "Service": "web", "Tags": ["a"], "Address": ")" + std::string(address) + R"(", "Port": )" +
           std::to_string(port) + R"(, "Weights": )" + std::string(weights) +
           R"(}, "Checks": [{"Status": "passing"}, {"Status": ")" + std::string(status) + R"("}]})";
}
}  // namespace

TEST(Consul, Questions) {
    SourceSpec spec;
    spec.type = SourceType::consul;
    spec.place = "http://127.0.0.1:8500/";
    spec.service = "user service/x";
    spec.wait = std::chrono::seconds(16);
    EXPECT_EQ(question(spec, 0).url, "http://127.0.0.1:8500/v1/health/service/user%20service%2Fx?passing=1");
    EXPECT_EQ(question(spec, 0).limits.whole, std::chrono::seconds(10));
    EXPECT_TRUE(question(spec, 0).limits.fields.empty());
    spec.passing_only = false;
    spec.tags = {"blue", "v=1&2"};
    spec.datacenter = "dc1";
    spec.name_space = "n";
    spec.partition = "p";
    spec.token = "secret";
    net::FetchRequest next = question(spec, 77);
    EXPECT_EQ(next.url,
              "http://127.0.0.1:8500/v1/health/service/"
              "user%20service%2Fx?tag=blue&tag=v%3D1%262&dc=dc1&ns=n&partition=p&index=77&wait=16000ms");
    EXPECT_EQ(next.limits.fields, std::vector<std::string>{"X-Consul-Token: secret"});
    EXPECT_EQ(next.limits.redirects, 0);
    EXPECT_EQ(next.limits.whole, std::chrono::seconds(27));
    EXPECT_EQ(spec.text().find("secret"), std::string::npos);
}

TEST(Consul, TheIndexIsResetWhenItGoesBackwardsAndIsNeverNothing) {
    EXPECT_EQ(next_index(answer("[]", "5"), 0), 5U);
    EXPECT_EQ(next_index(answer("[]", "6"), 5), 6U);
    EXPECT_EQ(next_index(answer("[]", "5"), 5), 5U);
    EXPECT_EQ(next_index(answer("[]", "4"), 5), 0U);
    for (const char* wrong : {"0", "", "-1", "abc", "5x", "99999999999999999999999"})
        EXPECT_EQ(next_index(answer("[]", wrong), 5), 1U) << wrong;
    EXPECT_EQ(next_index({200, "[]", {}}, 5), 1U);
}

TEST(Consul, InstancesThatMayTakeRequests) {
    std::string all = "[" + one("10.0.0.2", 80, R"({"Passing": 3, "Warning": 1})") + "," + one("10.0.0.1", 81) + "," +
                      one("", 82) + "," + one("::1", 83) + "," + one("web.test", 84, "null") + "," +
                      one("10.0.0.5", 85, R"({"Passing": 9, "Warning": 2})", "warning") + "," +
                      one("10.0.0.6", 86, R"({"Passing": 9, "Warning": 2})", "critical") + "," +
                      one("10.0.0.7", 87, R"({"Passing": 9, "Warning": 2})", "maintenance") + "]";
    EXPECT_EQ(text(instances(answer(all), true)), "10.0.0.1:81*1 10.0.0.2:80*3 10.9.9.9:82*1 [::1]:83*1 web.test:84*1");
    EXPECT_EQ(text(instances(answer(all), false)),
              "10.0.0.1:81*1 10.0.0.2:80*3 10.0.0.5:85*2 10.9.9.9:82*1 [::1]:83*1 web.test:84*1");
    EXPECT_EQ(text(instances(answer("[" + one("10.0.0.2", 80, R"({"Passing": 99999999})") + "]"), true)),
              "10.0.0.2:80*65535");
}

TEST(Consul, WhatCannotBeUsedIsLeftOutOrAFault) {
    EXPECT_EQ(
        text(instances(answer("[" + one("10.0.0.2", 80) + "," + one("a b", 80, "{}", "passing", "odd") + "]"), true)),
        "10.0.0.2:80*1 without odd: no usable address");
    EXPECT_EQ(text(instances(answer("[" + one("10.0.0.2", 0) + "]"), true)),
              "fault: no instance can be used: s1: no usable port");
    EXPECT_EQ(text(instances(answer("[7]"), true)), "fault: no instance can be used: an entry without a Service");
    EXPECT_EQ(text(instances(answer("{}"), true)), "fault: the answer is no list of instances");
    EXPECT_EQ(text(instances(answer("[{"), true)).substr(0, 29), "fault: the answer is no JSON:");
    EXPECT_EQ(text(instances(answer(""), true)).substr(0, 6), "fault:");
    EXPECT_EQ(text(instances({500, "No cluster leader", {}}, true)), "fault: status 500");
    EXPECT_EQ(text(instances({403, "ACL not found", {}}, true)),
              "fault: status 403: the token may not read this service");
}

TEST(Consul, AnEmptyListIsBelievedUnlessTheTokenMayNotSee) {
    EXPECT_EQ(text(instances(answer("[]"), true)), "");
    net::FetchAnswer filtered = answer("[]");
    filtered.headers["X-Consul-Results-Filtered-By-ACLs"] = "true";
    EXPECT_EQ(text(instances(filtered, true)), "fault: the token may not see the instances");
}

}  // namespace upstream::consul
