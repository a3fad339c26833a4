#include "http/path.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "http/path_checks_for_tests.h"

namespace http {
namespace {

using namespace std::string_view_literals;

// kong.md 2.3, and what a real Kong sent upstream.
TEST(NormalPath, IsKongs) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"/", "/"},
        {"/plain/x", "/plain/x"},
        {"/plain//x", "/plain/x"},
        {"//plain/x", "/plain/x"},
        {"///", "/"},
        {"/plain/./x", "/plain/x"},
        {"/plain/a/../x", "/plain/x"},
        {"/plain/../nostrip/x", "/nostrip/x"},
        {"/plain/%2e%2e/nostrip/y", "/nostrip/y"},
        {"/plain/%2E/x", "/plain/x"},
        {"/%70lain/x", "/plain/x"},
        {"/plain/a%2Fb", "/plain/a%2Fb"},
        {"/plain/a%2fb%20c", "/plain/a%2Fb c"},
        {"/plain/%7Euser/%41", "/plain/~user/A"},
        {"/plain/%C3%A9", "/plain/\xc3\xa9"},
        {"/plain/\xc3\xa9", "/plain/\xc3\xa9"},
        {"/plain/;v=1/x", "/plain/;v=1/x"},
        {"/PLAIN/x", "/PLAIN/x"},
        {"/a/.", "/a/"},
        {"/a/..", "/"},
        {"/a/b/..", "/a/"},
        {"/a/b/../", "/a/"},
        {"/a//../b", "/b"},
        {"/a/", "/a/"},
        {"/a//", "/a/"},
        {"/...", "/..."},
        {"/a/.b/..c/d.", "/a/.b/..c/d."},
        {"/.well-known/x", "/.well-known/x"},
        {"/a%252fb", "/a%252fb"},
        {"/%3a%3F%23%5b", "/%3A%3F%23%5B"},
        {"/a%0ab", "/a\nb"},
        {"/a.%2fx", "/a.%2Fx"},
        {"/a\\..b", "/a\\..b"},
    };
    base::Arena arena;
    for (const auto& [raw, normal] : cases) {
        NormalPath got = normalise(raw, arena);
        EXPECT_EQ(message(got.fault), "") << raw;
        EXPECT_EQ(got.path, normal) << raw;
        check_path(raw);
    }
}

TEST(NormalPath, RefusesWhatHasNone) {
    const std::pair<std::string_view, PathFault> cases[] = {
        {"", PathFault::not_absolute},           {"*", PathFault::not_absolute},
        {"a/b", PathFault::not_absolute},        {"/plain/%", PathFault::bad_escape},
        {"/plain/%zz", PathFault::bad_escape},   {"/plain/%4", PathFault::bad_escape},
        {"/%%41", PathFault::bad_escape},        {"/%+1", PathFault::bad_escape},
        {"/plain/%00", PathFault::nul},          {"/a\0/b"sv, PathFault::nul},
        {"/..", PathFault::above_root},          {"/../../etc", PathFault::above_root},
        {"/a/../../b", PathFault::above_root},   {"/a/%2e%2e/%2E./b", PathFault::above_root},
        {"/a/..//../b", PathFault::above_root},  {"/plain/\xe9", PathFault::not_utf8},
        {"/plain/%E9", PathFault::not_utf8},     {"/%c0%af", PathFault::not_utf8},
        {"/%ed%a0%80", PathFault::not_utf8},     {"/%2e%2fx", PathFault::hidden_dots},
        {"/a\\..\\b", PathFault::hidden_dots},   {"/a/..;/b", PathFault::hidden_dots},
        {"/a/..%3bx", PathFault::hidden_dots},   {"/a%5c..", PathFault::hidden_dots},
        {"/a%2f..%2fb", PathFault::hidden_dots}, {"/..\\a", PathFault::hidden_dots},
    };
    base::Arena arena;
    for (const auto& [raw, fault] : cases) {
        EXPECT_EQ(message(normalise(raw, arena).fault), message(fault)) << raw;
        check_path(raw);
    }
}

TEST(DotSegments, AreSeenAsTheMostCarelessServerSeesThem) {
    for (std::string_view path : {"/..", "/.", "/a/..", "/a/../b", "/./b", "/%2e%2E/x", "/.%2e", "/a%2f..",
                                  "/a%2F.%5Cb", "/a\\..", "/..;x", "/a/.;/b", "/..%3Bx", "/a/%2e;"})
        EXPECT_TRUE(has_dot_segment(path)) << path;
    for (std::string_view path : {"/", "/a", "/...", "/..a", "/a..", "/a../b", "/.well-known", "/a;..", "/%252e%252e/x",
                                  "/..%3z", "/%2e%2", "/.%2", "/a%3z..", "//", "/..%20"})
        EXPECT_FALSE(has_dot_segment(path)) << path;
}

TEST(AmbiguousPaths, AreThoseWithASecondReading) {
    for (std::string_view path : {"/a%2Fb", "/a\\b", "/;/a", "/a;v=1", "/a%3Bb", "/%2561", "/a\nb", "/a\x7f"})
        EXPECT_TRUE(is_ambiguous(path)) << path;
    for (std::string_view path : {"/", "/a b", "/caf\xc3\xa9", "/100%25", "/100%25z0", "/a%3Fb", "/a,b=c+d"})
        EXPECT_FALSE(is_ambiguous(path)) << path;
}

TEST(NormalPath, OfANormalPathIsThePathItself) {
    base::Arena arena;
    for (std::string_view raw : {"/api/v1/users/4711"sv, "/.well-known/x"sv, "/a%2Fb"sv, "/caf\xc3\xa9"sv}) {
        EXPECT_EQ(normalise(raw, arena).path.data(), raw.data()) << raw;
    }
}

TEST(EscapePath, SendsWhatKongSends) {
    base::Arena arena;
    EXPECT_EQ(escape_path("/base/a%2Fb c", arena), "/base/a%2Fb%20c");
    EXPECT_EQ(escape_path("/base/\xc3\xa9", arena), "/base/%C3%A9");
    EXPECT_EQ(escape_path("/a\r\n\"<>\\^`{|}\x7f", arena), "/a%0D%0A%22%3C%3E%5C%5E%60%7B%7C%7D%7F");
    std::string_view plain = "/a-._~!$&'()*+,/:;=@[]";
    EXPECT_EQ(escape_path(plain, arena).data(), plain.data());
}

TEST(EscapeValue, ChangesOnlyWhatMayNotStandInAField) {
    base::Arena arena;
    EXPECT_EQ(escape_value("a\r\nX: b\x7f\tc d%\xc3\xa9", arena), "a%0D%0AX: b%7F\tc d%\xc3\xa9");
}

TEST(EscapeQuery, ChangesOnlyWhatMayNotBeSent) {
    base::Arena arena;
    std::string_view verbatim = "a=%41&b=../..//c&d=\"<x>\"|{}?";
    EXPECT_EQ(escape_query(verbatim, arena).data(), verbatim.data());
    EXPECT_EQ(escape_query("q=\xc3\xa9 #\r\n", arena), "q=%C3%A9%20%23%0D%0A");
}

TEST(Utf8, FollowsRfc3629) {
    EXPECT_TRUE(is_utf8("abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"));
    for (std::string_view bad :
         {"\x80"sv, "\xc3"sv, "\xc3("sv, "\xc0\xaf"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv, "\xe2\x82"sv,
          "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv}) {
        EXPECT_FALSE(is_utf8(bad));
    }
}

TEST(NormalPath, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http_path_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        check_path(bytes.str());
        ++seeds;
    }
    EXPECT_GT(seeds, 10U);
}

}  // namespace
}  // namespace http
