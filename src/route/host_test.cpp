#include "route/host.h"

#include <gtest/gtest.h>

namespace route {
namespace {

using Kind = HostPattern::Kind;

TEST(HostPattern, ReadsTheThreeKinds) {
    struct Row {
        const char* text;
        Kind kind;
        const char* name;
        int port;
    };
    for (const Row& row :
         {Row{"Api.Example.COM", Kind::exact, "api.example.com", 0},
          Row{"api.example.com.", Kind::exact, "api.example.com", 0},
          Row{"*.Example.com", Kind::suffix, ".example.com", 0}, Row{"example.*", Kind::prefix, "example.", 0},
          Row{"a.b:8080", Kind::exact, "a.b", 8080}, Row{"*.b:1", Kind::suffix, ".b", 1},
          Row{"b.*:65535", Kind::prefix, "b.", 65535}, Row{"[::1]", Kind::exact, "[::1]", 0},
          Row{"[::1]:80", Kind::exact, "[::1]", 80}, Row{"::1", Kind::exact, "::1", 0}}) {
        auto pattern = HostPattern::parse(row.text);
        ASSERT_TRUE(pattern) << row.text;
        EXPECT_EQ(pattern->kind, row.kind) << row.text;
        EXPECT_EQ(pattern->text, row.name) << row.text;
        EXPECT_EQ(pattern->port, row.port) << row.text;
    }
}

TEST(HostPattern, RefusesWhatItCannotMatch) {
    for (const char* text : {"", ".", "*", "*.", ".*", "*.*", "*.a.*", "a.*.b", "a*", "*a", "a:", "a:0", "a:65536",
                             "a:x", "a:-1", "a:80x", "*.a*"}) {
        EXPECT_FALSE(HostPattern::parse(text)) << text;
    }
    EXPECT_FALSE(HostPattern::parse(std::string(max_host_length + 1, 'a')));
    EXPECT_TRUE(HostPattern::parse(std::string(max_host_length, 'a')));
}

TEST(HostPattern, ServerNamesHaveNoPort) {
    auto name = HostPattern::parse_server_name("a.b:80");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->text, "a.b:80");
    EXPECT_EQ(name->port, 0);
}

TEST(ComparableHost, FoldsCaseAndTheTrailingDot) {
    HostBuffer buffer;
    EXPECT_EQ(comparable_host("API.Example.com.", buffer), "api.example.com");
    EXPECT_EQ(comparable_host("", buffer), "");
    EXPECT_EQ(comparable_host(".", buffer), "");
    EXPECT_EQ(comparable_host("a..", buffer), "a.");
    EXPECT_EQ(comparable_host(std::string(max_host_length, 'A'), buffer), std::string(max_host_length, 'a'));
    EXPECT_EQ(comparable_host(std::string(max_host_length + 1, 'a'), buffer), "");
}

TEST(AcceptsName, FollowsTheKind) {
    EXPECT_TRUE(accepts_name({Kind::suffix, ".x"}, "a.b.x"));
    EXPECT_FALSE(accepts_name({Kind::suffix, ".x"}, "x"));
    EXPECT_FALSE(accepts_name({Kind::suffix, ".x"}, "ax"));
    EXPECT_TRUE(accepts_name({Kind::prefix, "x."}, "x.a.b"));
    EXPECT_FALSE(accepts_name({Kind::prefix, "x."}, "xa"));
    EXPECT_TRUE(accepts_name({Kind::exact, "x"}, "x"));
    EXPECT_FALSE(accepts_name({Kind::exact, "x"}, "x.y"));
}

}  // namespace
}  // namespace route
