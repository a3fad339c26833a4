#include "net/dns/settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "net/dns/hosts.h"
#include "net/dns/overrides.h"

namespace net::dns {

TEST(DnsOrder, ReadsKongsForm) {
    using enum RecordType;
    EXPECT_EQ(*parse_order("LAST,SRV,A,CNAME"), (std::vector{last, srv, a, cname}));
    EXPECT_EQ(*parse_order(" aaaa , A,a"), (std::vector{aaaa, a}));
    for (const char* text : {"", ",", "A,MX", "A B"}) EXPECT_FALSE(parse_order(text)) << text;
    EXPECT_NE(parse_order("A,MX").error().detail.find("'MX'"), std::string::npos);
}

TEST(DnsServers, ReadsAddressesWithAndWithoutPort) {
    auto servers = *parse_servers("1.2.3.4, 1.2.3.4:5353,[::1],::2,[::1]:54");
    std::vector<std::string> texts;
    for (const SocketAddress& server : servers) texts.push_back(server.text());
    EXPECT_EQ(texts, (std::vector<std::string>{"1.2.3.4:53", "1.2.3.4:5353", "[::1]:53", "[::2]:53", "[::1]:54"}));
    EXPECT_TRUE(parse_servers("")->empty());
    for (const char* text : {"dns.example", "1.2.3.4:0", "1.2.3.4:99999", "1.2.3"})
        EXPECT_FALSE(parse_servers(text)) << text;
}

// The seeds of dns_text_fuzz: each is read by the reader that its first byte names, and none of them is refused.
TEST(DnsText, FuzzSeeds) {
    int seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/dns_text_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(stream), {}};
        ASSERT_FALSE(text.empty()) << file.path();
        std::string rest = text.substr(1);
        Overrides overrides;
        switch (text[0]) {
            case '0':
                EXPECT_GT(Hosts::parse(rest).size(), 0U);
                break;
            case '1':
                EXPECT_TRUE(overrides.add(rest));
                break;
            case '2':
                EXPECT_TRUE(parse_order(rest));
                break;
            case '3':
                EXPECT_TRUE(parse_servers(rest));
                break;
            default:
                ADD_FAILURE() << file.path();
        }
        ++seeds;
    }
    EXPECT_GE(seeds, 4);
}

}  // namespace net::dns
