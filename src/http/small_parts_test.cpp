// Methods, statuses, dates, authorities and queries: the small parts that need no file each.
#include <gtest/gtest.h>

#include <string>

#include "http/authority.h"
#include "http/date.h"
#include "http/method.h"
#include "http/query.h"
#include "http/status.h"

namespace http {
namespace {

TEST(Method, IsCaseSensitive) {
    for (int i = 0; i < static_cast<int>(Method::other); ++i) {
        EXPECT_EQ(method_of(name(static_cast<Method>(i))), static_cast<Method>(i));
    }
    EXPECT_EQ(method_of("get"), Method::other);
    EXPECT_EQ(method_of("GETX"), Method::other);
    EXPECT_EQ(method_of(""), Method::other);
    EXPECT_TRUE(is_upper_case("PROPFIND") && is_upper_case("M-SEARCH"));
    EXPECT_FALSE(is_upper_case("get") || is_upper_case("GET1"));
}

TEST(Method, Rfc9110_9_2_SafeAndIdempotent) {
    for (Method method : {Method::get, Method::head, Method::options, Method::trace}) EXPECT_TRUE(is_safe(method));
    for (Method method : {Method::put, Method::delete_, Method::get}) EXPECT_TRUE(is_idempotent(method));
    for (Method method : {Method::post, Method::patch, Method::connect, Method::other}) {
        EXPECT_FALSE(is_safe(method) || is_idempotent(method));
    }
    EXPECT_FALSE(is_safe(Method::put));
}

TEST(Status, HasPhrasesAndKnowsBodiless) {
    EXPECT_EQ(reason_phrase(200), "OK");
    EXPECT_EQ(reason_phrase(418), "");
    EXPECT_TRUE(is_bodiless(100) && is_bodiless(103) && is_bodiless(204) && is_bodiless(304));
    EXPECT_FALSE(is_bodiless(200) || is_bodiless(205) || is_bodiless(99));
}

TEST(Date, Rfc9110_5_6_7) {
    const std::pair<std::int64_t, std::string_view> cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},  {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {1795478400, "Tue, 24 Nov 2026 00:00:00 GMT"},
    };
    char buffer[date_size];
    for (const auto& [seconds, text] : cases) {
        EXPECT_EQ(write_date(seconds, buffer), text);
        EXPECT_EQ(parse_date(text), seconds);
    }
    EXPECT_EQ(write_date(-5, buffer), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(write_date(INT64_MAX, buffer), "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), 784111777);
    for (std::string_view bad : {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 24:00:00 GMT",
                                 "Sun, 31 Feb 1994 00:00:00 GMT", "Sun, 06 Xov 1994 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 No"}) {
        EXPECT_FALSE(parse_date(bad)) << bad;
    }
}

TEST(Date, EveryDayOfFourCenturiesGoesBothWays) {
    char buffer[date_size];
    for (std::int64_t day = 0; day < 146097; ++day) {
        ASSERT_EQ(parse_date(write_date(day * 86400 + day % 86400, buffer)), day * 86400 + day % 86400);
    }
}

TEST(Authority, Rfc3986_3_2) {
    struct Case {
        std::string_view text, host;
        std::uint16_t port;
        std::string_view sent;
    };
    const Case cases[] = {
        {"example.com", "example.com", 0, "example.com"},
        {"Example.COM:8080", "Example.COM", 8080, "Example.COM:8080"},
        {"example.com:", "example.com", 0, "example.com"},
        {"127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535"},
        {"[::1]", "[::1]", 0, "[::1]"},
        {"[2001:db8::1]:443", "[2001:db8::1]", 443, "[2001:db8::1]:443"},
        {"a_b-c~.", "a_b-c~.", 0, "a_b-c~."},
        {"0.0.0.0=5000", "0.0.0.0=5000", 0, "0.0.0.0=5000"},
        {"a:00080", "a", 80, "a:00080"},
    };
    for (const Case& each : cases) {
        std::optional<Authority> got = parse_authority(each.text);
        ASSERT_TRUE(got) << each.text;
        EXPECT_EQ(got->host, each.host);
        EXPECT_EQ(got->port, each.port);
        EXPECT_EQ(got->text, each.sent);
    }
    for (std::string_view bad : {"",     ":80",  "a b",  "a/b", "a@b",     "a:0",         "a:65536",        "a:000080",
                                 "a:-1", "a:8x", "[::1", "[]",  "[::1]x",  "[127.0.0.1]", "[fe80::1%eth0]", "[v1.x]",
                                 "::1",  "a%41", "a\tb", "a#",  "\xc3\xa9"}) {
        EXPECT_FALSE(parse_authority(bad)) << bad;
    }
}

TEST(Query, FindsAndDecodes) {
    base::Arena arena;
    EXPECT_EQ(find_argument("a=1&b=2&b=3", "b", arena), "2");
    EXPECT_EQ(find_argument("a&b=", "a", arena), "");
    EXPECT_EQ(find_argument("a%62c=x+y%20z%2", "abc", arena), "x y z%2");
    EXPECT_EQ(find_argument("&&=v&x==y=", "x", arena), "=y=");
    EXPECT_FALSE(find_argument("ab=1", "a", arena));
    EXPECT_FALSE(find_argument("", "a", arena));
    QueryArguments arguments("&a&b=&");
    QueryArgument argument;
    ASSERT_TRUE(arguments.next(argument));
    EXPECT_FALSE(argument.has_value);
    ASSERT_TRUE(arguments.next(argument));
    EXPECT_TRUE(argument.has_value && argument.value.empty() && argument.name == "b");
    EXPECT_FALSE(arguments.next(argument));
    std::string_view plain = "plain";
    EXPECT_EQ(decode_argument(plain, arena).data(), plain.data());
}

}  // namespace
}  // namespace http
