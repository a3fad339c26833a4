#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class IpRestrictionTest : public PluginTest {
  protected:
    std::string from(std::string_view address) {
        auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n");
        made->client.address.ip = net::IpAddress::parse(address).value();
        if (run(*made) == Verdict::go_on) return "go on";
        std::string text(made->response_text);
        return std::to_string(made->response.status) + " " + text.substr(0, text.find('\n'));
    }
};

TEST_F(IpRestrictionTest, Denies) {
    use("ip-restriction", "{deny: [127.0.0.0/8, '2001:db8::/32', 192.0.2.7]}");
    EXPECT_EQ(from("127.0.0.1"), "403 IP address not allowed: 127.0.0.1");
    EXPECT_EQ(from("2001:db8::1"), "403 IP address not allowed: 2001:db8::1");
    EXPECT_EQ(from("192.0.2.7"), "403 IP address not allowed: 192.0.2.7");
    EXPECT_EQ(from("::ffff:192.0.2.7"), "403 IP address not allowed: 192.0.2.7");
    EXPECT_EQ(from("192.0.2.8"), "go on");
    EXPECT_EQ(from("::1"), "go on");
}

TEST_F(IpRestrictionTest, AllowsNoOthers) {
    use("ip-restriction", "{allow: [10.0.0.0/8, 192.0.2.9, 192.0.2.7]}");
    EXPECT_EQ(from("10.255.255.255"), "go on");
    EXPECT_EQ(from("192.0.2.7"), "go on");
    EXPECT_EQ(from("192.0.2.8"), "403 IP address not allowed: 192.0.2.8");
    EXPECT_EQ(from("::a00:1"), "403 IP address not allowed: ::10.0.0.1");
}

TEST_F(IpRestrictionTest, DenialsCountMore) {
    use("ip-restriction", "{allow: [10.0.0.0/8], deny: [10.0.0.66], status: 404, message: gone}");
    EXPECT_EQ(from("10.0.0.65"), "go on");
    EXPECT_EQ(from("10.0.0.66"), "404 gone");
    EXPECT_EQ(from("11.0.0.1"), "404 gone");
}

TEST_F(IpRestrictionTest, TheConnectionsOtherEndDoesNotMatter) {
    use("ip-restriction", "{deny: [127.0.0.1]}");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::answered);
}

TEST_F(IpRestrictionTest, FamiliesDoNotMix) {
    use("ip-restriction", "{allow: ['::/0']}");
    EXPECT_EQ(from("2001:db8::1"), "go on");
    EXPECT_EQ(from("192.0.2.1"), "403 IP address not allowed: 192.0.2.1");
    use("ip-restriction", "{allow: [0.0.0.0/0]}");
    EXPECT_EQ(from("192.0.2.1"), "go on");
    EXPECT_EQ(from("::ffff:192.0.2.1"), "go on");
    EXPECT_EQ(from("2001:db8::1"), "403 IP address not allowed: 2001:db8::1");
}

TEST_F(IpRestrictionTest, TakesIPv4InItsMappedForm) {
    use("ip-restriction", "{allow: ['::ffff:10.0.0.0/104', '::ffff:192.0.2.1']}");
    EXPECT_EQ(from("10.255.0.1"), "go on");
    EXPECT_EQ(from("192.0.2.1"), "go on");
    EXPECT_EQ(from("11.0.0.0"), "403 IP address not allowed: 11.0.0.0");
}

TEST_F(IpRestrictionTest, BlocksMayOverlapAndTouch) {
    use("ip-restriction", "{allow: [10.1.0.0/16, 10.0.0.0/8, 10.2.3.4, 9.255.255.0/24, 12.0.0.0/8]}");
    EXPECT_EQ(from("9.255.254.255"), "403 IP address not allowed: 9.255.254.255");
    for (std::string_view inside : {"9.255.255.0", "10.0.0.0", "10.2.3.5", "10.255.255.255", "12.0.0.0"})
        EXPECT_EQ(from(inside), "go on") << inside;
    for (std::string_view outside : {"11.0.0.0", "11.255.255.255", "13.0.0.0"}) EXPECT_NE(from(outside), "go on");
}

TEST_F(IpRestrictionTest, FindsOneOfThousandsOfBlocks) {
    std::string list = "{deny: [";
    for (int i = 0; i < 4096; ++i)
        list += (i > 0 ? ", " : "") + std::to_string(10 + i / 256) + "." + std::to_string(i % 256) + ".0.0/17";
    use("ip-restriction", list + "]}");
    for (int i = 0; i < 256; i += 5) {
        EXPECT_NE(from("20." + std::to_string(i) + ".127.255"), "go on");
        EXPECT_EQ(from("20." + std::to_string(i) + ".128.0"), "go on");
    }
}

TEST_F(IpRestrictionTest, SettingsThatAreRefused) {
    EXPECT_NE(try_use("ip-restriction", "{deny: [10.0.0.1], status: 101}").find("between 200 and 599"),
              std::string::npos);
    EXPECT_NE(try_use("ip-restriction", "{}").find("at least one of these fields must be non-empty"),
              std::string::npos);
    for (std::string_view bad : {"10.0.0.0/33", "x", "10.0.0", "10.0.0.1:80", "::1/129", "::ffff:10.0.0.0/129"})
        EXPECT_NE(try_use("ip-restriction", "{deny: ['" + std::string(bad) + "']}")
                      .find("invalid ip or cidr range: '" + std::string(bad) + "'"),
                  std::string::npos)
            << bad;
}

TEST_F(IpRestrictionTest, ABlockOfOneFamilySaysNothingOfTheOther) {
    use("ip-restriction", "allow: ['::/0']");
    auto four = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(run(*four), Verdict::answered);
    auto six = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    six->client.address.ip = net::IpAddress::parse("2001:db8::1").value();
    EXPECT_EQ(run(*six), Verdict::go_on);
}

}  // namespace
}  // namespace plugin
