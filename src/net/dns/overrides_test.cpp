#include "net/dns/overrides.h"

#include <gtest/gtest.h>

namespace net::dns {

TEST(Overrides, TakesCurlsForm) {
    Overrides overrides;
    ASSERT_TRUE(overrides.add("Example.com:443:10.0.0.1"));
    ASSERT_TRUE(overrides.add("example.com:443:[::1]:8443"));
    ASSERT_TRUE(overrides.add("six:80:::1"));
    ASSERT_TRUE(overrides.add("two:80:10.0.0.2:81,10.0.0.1"));
    ASSERT_NE(overrides.find("EXAMPLE.com", 443), nullptr);
    EXPECT_EQ(overrides.find("example.com", 80), nullptr);
    EXPECT_EQ(overrides.find("other", 443), nullptr);
    auto texts = [&](std::string_view name, std::uint16_t port) {
        std::vector<std::string> out;
        for (const SocketAddress& each : *overrides.find(name, port)) out.push_back(each.text());
        return out;
    };
    EXPECT_EQ(texts("example.com", 443), (std::vector<std::string>{"[::1]:8443", "10.0.0.1:443"}));
    EXPECT_EQ(texts("six", 80), std::vector<std::string>{"[::1]:80"});
    EXPECT_EQ(texts("two", 80), (std::vector<std::string>{"10.0.0.1:80", "10.0.0.2:81"}));
}

TEST(Overrides, RefusesTheRestWithTheReason) {
    for (const char* text :
         {"", "a", "a:1", "a:1:", ":1:1.2.3.4", "a:0:1.2.3.4", "a:x:1.2.3.4", "a:70000:1.2.3.4", "a:1:b",
          "a:1:1.2.3.4:0", "a:1:1.2.3.4,", "*:1:1.2.3.4", "a b:1:1.2.3.4", "a:1:[1.2.3.4"}) {
        Overrides overrides;
        auto result = overrides.add(text);
        ASSERT_FALSE(result) << text;
        EXPECT_NE(result.error().detail.find("name:port:address"), std::string::npos);
    }
}

}  // namespace net::dns
