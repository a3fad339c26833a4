#include "net/dns/names.h"

#include <gtest/gtest.h>

namespace net::dns {

TEST(HostName, Accepts) {
    for (const char* name : {"a", "a.b", "a-b.c_d", "_http._tcp.web", "localhost.", "xn--bcher-kva.example"})
        EXPECT_TRUE(is_host_name(name)) << name;
    EXPECT_TRUE(is_host_name(std::string(63, 'a') + "." + std::string(63, 'b')));
}

TEST(HostName, Refuses) {
    for (const char* name : {"", ".", "a..b", ".a", "a b", "a/b", "a:1",
                             "b\xc3\xbc"
                             "cher",
                             "a\n", "a.."})
        EXPECT_FALSE(is_host_name(name)) << name;
    EXPECT_FALSE(is_host_name(std::string(64, 'a')));
    EXPECT_FALSE(is_host_name(std::string_view("a\0b", 3)));
    std::string long_name;
    for (int i = 0; i < 64; ++i) long_name += "abc.";
    EXPECT_FALSE(is_host_name(long_name));
}

TEST(HostName, Localhost) {
    for (const char* name : {"localhost", "localhost.", "a.localhost"}) EXPECT_TRUE(is_localhost(name)) << name;
    for (const char* name : {"", "notlocalhost", "localhost.example"}) EXPECT_FALSE(is_localhost(name)) << name;
}

}  // namespace net::dns
