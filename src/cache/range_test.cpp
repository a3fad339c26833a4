#include "cache/range.h"

#include <gtest/gtest.h>

#include "cache/heads_for_tests.h"

namespace cache {
namespace {

std::string chosen(const Fields& request, const Fields& stored = {}, std::uint64_t size = 10, int status = 200,
                   http::Method method = http::Method::get) {
    RangeChoice choice = choose_range(request_of(request, method), status, headers_of(stored), size);
    return choice.kind == RangeChoice::Kind::whole ? "whole" : content_range(choice, size);
}
std::string range(std::string_view text) { return chosen({{"Range", text}}); }

TEST(Range, Rfc9110_14_1_2_OneRange) {
    EXPECT_EQ(range("bytes=0-4"), "bytes 0-4/10");
    EXPECT_EQ(range("BYTES= 2-2"), "bytes 2-2/10");
    EXPECT_EQ(range("bytes=5-"), "bytes 5-9/10");
    EXPECT_EQ(range("bytes=5-999999"), "bytes 5-9/10");
    EXPECT_EQ(range("bytes=-3"), "bytes 7-9/10");
    EXPECT_EQ(range("bytes=-30"), "bytes 0-9/10");
}

TEST(Range, Rfc9110_15_5_17_Unsatisfiable) {
    for (std::string_view text : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999-"}) {
        EXPECT_EQ(range(text), "bytes */10") << text;
    }
    EXPECT_EQ(chosen({{"Range", "bytes=-1"}}, {}, 0), "bytes */0");
}

TEST(Range, Rfc9110_14_2_WhatIsNotUnderstoodIsIgnored) {
    for (std::string_view text : {"bytes=0-1,3-4", "lines=0-1", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=a-b",
                                  "bytes=0-1x", "bytes=0 - 1", "bytes=99999999999999999999-", ""}) {
        EXPECT_EQ(range(text), "whole") << text;
    }
    EXPECT_EQ(chosen({{"Range", "bytes=0-1"}, {"Range", "bytes=0-1"}}), "whole");
    EXPECT_EQ(chosen({{"Range", "bytes=0-1"}}, {}, 10, 200, http::Method::head), "whole");
    EXPECT_EQ(chosen({{"Range", "bytes=0-1"}}, {}, 10, 404), "whole");
}

TEST(Range, Rfc9110_13_1_5_IfRangeIsStrong) {
    constexpr std::string_view monday = "Mon, 13 Jan 2020 00:00:00 GMT";
    constexpr std::string_view tuesday = "Tue, 14 Jan 2020 00:00:00 GMT";
    auto with = [](std::string_view given, const Fields& stored) {
        return chosen({{"Range", "bytes=0-4"}, {"If-Range", given}}, stored);
    };
    EXPECT_EQ(with("\"a\"", {{"ETag", "\"a\""}}), "bytes 0-4/10");
    EXPECT_EQ(with("\"b\"", {{"ETag", "\"a\""}}), "whole");
    EXPECT_EQ(with("W/\"a\"", {{"ETag", "W/\"a\""}}), "whole");
    EXPECT_EQ(with("\"a\"", {}), "whole");
    EXPECT_EQ(with(monday, {{"Last-Modified", monday}, {"Date", tuesday}}), "bytes 0-4/10");
    EXPECT_EQ(with(monday, {{"Last-Modified", monday}, {"Date", monday}}), "whole");
    EXPECT_EQ(with(tuesday, {{"Last-Modified", monday}, {"Date", tuesday}}), "whole");
    EXPECT_EQ(with("x", {{"ETag", "x"}}), "whole");
}

}  // namespace
}  // namespace cache
