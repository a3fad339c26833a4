#include "command/settings_values.h"

#include <gtest/gtest.h>

namespace command {

namespace {
constexpr Range any;
std::string reason(auto result) { return result ? "" : result.error().detail; }
}  // namespace

TEST(SettingsValues, Booleans) {
    for (const char* text : {"on", "true", "On", "TRUE"}) EXPECT_TRUE(*read_boolean(text)) << text;
    for (const char* text : {"off", "false", "OFF"}) EXPECT_FALSE(*read_boolean(text)) << text;
    for (const char* text : {"", "yes", "1", "on "}) EXPECT_FALSE(read_boolean(text)) << text;
}

TEST(SettingsValues, NumbersAndSizes) {
    EXPECT_EQ(*read_number("18446744073709551615", any), 18446744073709551615u);
    for (const char* text : {"", "-1", "+1", "1.5", "1k", " 1", "18446744073709551616", "0x10"})
        EXPECT_FALSE(read_number(text, any)) << text;
    EXPECT_EQ(reason(read_number("0", {1, 9})), "must be between 1 and 9");
    EXPECT_EQ(*read_size("8k", any), 8192u);
    EXPECT_EQ(*read_size("1M", any), 1u << 20);
    EXPECT_EQ(*read_size("2g", any), 2ull << 30);
    EXPECT_EQ(*read_size("0", any), 0u);
    for (const char* text : {"", "k", "8 k", "8kb", "8x", "-8k", "17179869184g", "99999999999999999999"})
        EXPECT_FALSE(read_size(text, any)) << text;
    EXPECT_EQ(reason(read_size("1k", {2048, 4096})), "must be between 2048 and 4096");
}

TEST(SettingsValues, Times) {
    EXPECT_EQ(read_time("60", any)->count(), 60'000);
    EXPECT_EQ(read_time("500ms", any)->count(), 500);
    EXPECT_EQ(read_time("1h30m", any)->count(), 5'400'000);
    EXPECT_EQ(read_time("1m 5s 7ms", any)->count(), 65'007);
    EXPECT_EQ(read_time("2d", any)->count(), 172'800'000);
    EXPECT_FALSE(read_time("18446744073709551615", any));
    EXPECT_EQ(read_time("999999999d", any)->count(), 100ll * 365 * 86'400'000)
        << "bounded, so that deadlines cannot overflow";
    EXPECT_EQ(read_time("1h30", any)->count(), 3'630'000) << "as nginx: no unit means seconds";
    for (const char* text : {"", "s", "1x", "1.5s", "-1", "30m1h", "1s1s", "18446744073709551616s", "1 s"})
        EXPECT_FALSE(read_time(text, any)) << text;
}

TEST(SettingsValues, ListenAddresses) {
    auto list =
        read_listen("0.0.0.0:8000 reuseport backlog=16384, [::1]:8001 ipv6only=off deferred so_keepalive=on bind");
    ASSERT_TRUE(list) << list.error().detail;
    ASSERT_EQ(list->size(), 2u);
    EXPECT_EQ((*list)[0].address.text(), "0.0.0.0:8000");
    EXPECT_EQ((*list)[0].backlog, 16384);
    EXPECT_TRUE((*list)[0].reuse_port);
    EXPECT_FALSE((*list)[0].deferred);
    EXPECT_EQ((*list)[1].address.text(), "[::1]:8001");
    EXPECT_FALSE((*list)[1].ipv6_only);
    EXPECT_TRUE((*list)[1].deferred);
    EXPECT_TRUE((*list)[1].keep_alive);
    auto encrypted = read_listen("0.0.0.0:8000, 0.0.0.0:8443 ssl http2 reuseport");
    ASSERT_TRUE(encrypted.ok());
    EXPECT_FALSE((*encrypted)[0].ssl);
    EXPECT_TRUE((*encrypted)[1].ssl);
    EXPECT_TRUE((*encrypted)[1].http2);
    EXPECT_TRUE((*read_listen("0.0.0.0:8000 http2"))[0].http2);  // as Kong's: by prior knowledge, which is there anyway
    EXPECT_TRUE(read_listen("off")->empty());
    EXPECT_EQ(read_listen("127.0.0.1:0, 127.0.0.1:0")->size(), 2u);
}

TEST(SettingsValues, AListenAddressThatCannotBeHadAsAskedIsRefused) {
    EXPECT_NE(reason(read_listen("0.0.0.0:8443 ssl=on")).find("unknown flag ssl=on"), std::string::npos);
    EXPECT_TRUE((*read_listen("0.0.0.0:80 proxy_protocol"))[0].proxied);
    EXPECT_NE(reason(read_listen("0.0.0.0:80 proxy_protocol=on")).find("unknown flag"), std::string::npos);
    EXPECT_NE(reason(read_listen("unix:/run/x.sock")).find("unix sockets are not served"), std::string::npos);
    EXPECT_NE(reason(read_listen("0.0.0.0:80 setfib=1")).find("unknown flag setfib=1; known are"), std::string::npos);
    EXPECT_EQ(reason(read_listen("0.0.0.0:80 backlog=0")), "0.0.0.0:80: flag backlog: must be between 1 and 1048576");
    EXPECT_EQ(reason(read_listen("1.1.1.1:80, 1.1.1.1:80 reuseport")), "1.1.1.1:80 is named twice");
    for (const char* text :
         {"", "localhost:80", "8000", "1.1.1.1", "1.1.1.1:80,", "::1:80", "1.1.1.1:80 so_keepalive=30m::10",
          "off, 1.1.1.1:80", "1.1.1.1:80 deferred=on", "1.1.1.1:80 ipv6only"})
        EXPECT_FALSE(read_listen(text)) << text;
}

TEST(SettingsValues, BlocksAndPorts) {
    EXPECT_EQ(read_cidrs("10.0.0.0/8, ::1, unix:")->size(), 2u);
    EXPECT_TRUE(read_cidrs("")->empty());
    EXPECT_EQ(reason(read_cidrs("10.0.0.0/8,host")), "host: expected an address or block, as in 10.0.0.0/8 or ::1");
    EXPECT_EQ(*read_port_maps("80:8000, 443:8443"),
              (std::vector<std::pair<std::uint16_t, std::uint16_t>>{{80, 8000}, {443, 8443}}));
    for (const char* text : {"80", "80:", ":80", "0:1", "65536:1", "80:80:80", "a:b"})
        EXPECT_FALSE(read_port_maps(text)) << text;
}

TEST(SettingsValues, HeaderTokens) {
    gateway::HeaderTokens none{false, false, false, false, false, false, false, false};
    EXPECT_EQ(*read_header_tokens("off"), none);
    EXPECT_EQ(*read_header_tokens("server_tokens, Latency_Tokens, X-Kong-Request-Id"), gateway::HeaderTokens{});
    auto one = read_header_tokens("x-kong-UPSTREAM-status");
    EXPECT_TRUE(one->upstream_status);
    EXPECT_FALSE(one->via);
    EXPECT_FALSE(read_header_tokens("off, via"));
    EXPECT_FALSE(read_header_tokens("via,,server"));
    EXPECT_NE(reason(read_header_tokens("X-Powered-By")).find("X-Powered-By: expected off alone"), std::string::npos);
}

TEST(SettingsValues, Lists) {
    EXPECT_TRUE(list_items("  ").empty());
    EXPECT_EQ(list_items(" a , b,"), (std::vector<View>{"a", "b", ""}));
}

}  // namespace command
