#include "net/dns/settings.h"

#include <gtest/gtest.h>

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

}  // namespace net::dns
