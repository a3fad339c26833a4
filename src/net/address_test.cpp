#include "net/address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <tuple>

namespace net {

TEST(IpAddress, PrintsWhatItRead) {
    for (const char* text : {"1.2.3.4", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::5", "::"})
        EXPECT_EQ(IpAddress::parse(text)->text(), text);
}

TEST(IpAddress, RefusesWhatIsNone) {
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1%lo", "[::1]", "1.2.3.4 ", "host"})
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpAddress, TheMappedFormIsTheIpv4Address) {
    EXPECT_EQ(*IpAddress::parse("::ffff:1.2.3.4"), *IpAddress::parse("1.2.3.4"));
}

TEST(Cidr, HasALowestAndAHighestAddress) {
    auto ends = [](std::string_view text) {
        Cidr block = Cidr::parse(text).value();
        return block.first().text() + " " + block.last().text();
    };
    EXPECT_EQ(ends("10.1.2.3"), "10.1.2.3 10.1.2.3");
    EXPECT_EQ(ends("10.1.2.3/8"), "10.0.0.0 10.255.255.255");
    EXPECT_EQ(ends("10.1.130.3/17"), "10.1.128.0 10.1.255.255");
    EXPECT_EQ(ends("0.0.0.0/0"), "0.0.0.0 255.255.255.255");
    EXPECT_EQ(ends("::/0"), ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    EXPECT_EQ(ends("2001:db8:8000::1/33"), "2001:db8:8000:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(Cidr, TheMappedFormCountsAllBits) {
    EXPECT_TRUE(Cidr::parse("::ffff:10.0.0.0/104")->contains(*IpAddress::parse("10.255.1.2")));
    EXPECT_FALSE(Cidr::parse("::ffff:10.0.0.0/104")->contains(*IpAddress::parse("11.0.0.0")));
    EXPECT_TRUE(Cidr::parse("::ffff:10.0.0.0/8")->contains(*IpAddress::parse("::1")));  // no 10.0.0.0/8
    EXPECT_FALSE(Cidr::parse("10.0.0.0/104"));
    EXPECT_FALSE(Cidr::parse("::ffff:10.0.0.0/129"));
}

TEST(Cidr, Contains) {
    EXPECT_TRUE(Cidr::parse("10.0.0.0/8")->contains(*IpAddress::parse("10.255.1.2")));
    EXPECT_FALSE(Cidr::parse("10.0.0.0/8")->contains(*IpAddress::parse("11.0.0.0")));
    EXPECT_TRUE(Cidr::parse("10.0.0.128/25")->contains(*IpAddress::parse("10.0.0.200")));
    EXPECT_FALSE(Cidr::parse("10.0.0.128/25")->contains(*IpAddress::parse("10.0.0.127")));
    EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("9.9.9.9")));
    EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
    EXPECT_FALSE(Cidr::parse("::/0")->contains(*IpAddress::parse("9.9.9.9")));
    EXPECT_FALSE(Cidr::parse("::/64")->contains(*IpAddress::parse("::ffff:9.9.9.9")));
    EXPECT_TRUE(Cidr::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
    EXPECT_TRUE(Cidr::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:7fff::1")));
    EXPECT_FALSE(Cidr::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:8000::1")));
    for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "/8"})
        EXPECT_FALSE(Cidr::parse(text)) << text;
}

TEST(SocketAddress, ReadsPrintsAndConverts) {
    for (const char* text : {"1.2.3.4:80", "[::1]:65535"}) {
        SocketAddress address = *SocketAddress::parse(text);
        sockaddr_storage native;
        std::ignore = address.to(native);
        EXPECT_EQ(SocketAddress::from(native), address);
        EXPECT_EQ(address.text(), text);
    }
    for (const char* text : {"1.2.3.4", "::1:80", "1.2.3.4:65536", ":80", "1.2.3.4:", "[::1]"})
        EXPECT_FALSE(SocketAddress::parse(text)) << text;
}

}  // namespace net
