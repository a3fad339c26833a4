#include "net/dns/hosts.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace net::dns {

TEST(Hosts, ReadsNamesAndAliases) {
    Hosts hosts = Hosts::parse(
        "127.0.0.1\tlocalhost\n"
        "# a comment\n"
        "::1 localhost ip6-localhost # another\r\n"
        "  10.0.0.1   Web web.internal#glued\n"
        "10.0.0.2 web\n"
        "fe80::1%lo0 zoned\n"
        "nonsense here\n"
        "10.0.0.3\n"
        "10.0.0.4 last");
    ASSERT_NE(hosts.find("localhost"), nullptr);
    EXPECT_EQ(hosts.find("localhost")->size(), 2U);
    EXPECT_EQ(hosts.find("web")->size(), 2U);
    EXPECT_EQ(hosts.find("web.")->size(), 2U);
    EXPECT_EQ(hosts.find("web.internal")->front().text(), "10.0.0.1");
    EXPECT_EQ(hosts.find("last")->front().text(), "10.0.0.4");
    for (const char* name : {"zoned", "here", "", "."}) EXPECT_EQ(hosts.find(name), nullptr) << name;
}

TEST(Hosts, SurvivesAnyBytes) {
    base::Random random(1);
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (std::uint32_t i = random.below(80); i > 0; --i) text += "1.:a #\n\r\t\0\xff"[random.below(11)];
        EXPECT_LE(Hosts::parse(text).size(), text.size());
    }
}

}  // namespace net::dns
