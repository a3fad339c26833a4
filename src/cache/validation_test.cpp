#include "cache/validation.h"

#include <gtest/gtest.h>

#include "cache/heads_for_tests.h"

namespace cache {
namespace {

constexpr std::string_view monday = "Mon, 13 Jan 2020 00:00:00 GMT";
constexpr std::string_view tuesday = "Tue, 14 Jan 2020 00:00:00 GMT";
constexpr Millis arrived = 1'579'000'000'000;  // Tuesday

Answer judged(const Fields& request, const Fields& stored, int status = 200) {
    return judge_conditions(headers_of(request), status, headers_of(stored), arrived);
}

TEST(Validation, Rfc9111_4_3_1_AsksWithWhatIsStored) {
    http::Headers stored = headers_of({{"ETag", "W/\"a\""}, {"Last-Modified", monday}});
    http::Headers request =
        headers_of({{"A", "1"}, {"If-None-Match", "\"client\""}, {"Range", "bytes=0-1"}, {"If-Range", "x"}});
    make_conditional(request, validators_of(stored));
    EXPECT_EQ(text_of(request), "A: 1\nIf-None-Match: W/\"a\"\nIf-Modified-Since: " + std::string(monday) + "\n");
    EXPECT_FALSE(validators_of(headers_of({{"Last-Modified", "once"}})).any());
    EXPECT_FALSE(validators_of(headers_of({{"ETag", "\"a\""}, {"ETag", "\"b\""}})).any());
}

TEST(Validation, Rfc9111_4_3_4_A304ForSomethingElseConfirmsNothing) {
    http::Headers stored = headers_of({{"ETag", "\"a\""}, {"Last-Modified", monday}});
    EXPECT_TRUE(confirms(stored, headers_of({{"ETag", "\"a\""}})));
    EXPECT_TRUE(confirms(stored, headers_of({{"ETag", "W/\"a\""}})));
    EXPECT_TRUE(confirms(stored, headers_of({})));
    EXPECT_TRUE(confirms(stored, headers_of({{"Last-Modified", monday}})));
    EXPECT_FALSE(confirms(stored, headers_of({{"ETag", "\"b\""}, {"Last-Modified", monday}})));
    EXPECT_FALSE(confirms(stored, headers_of({{"Last-Modified", tuesday}})));
    EXPECT_FALSE(confirms(headers_of({}), headers_of({{"ETag", "\"b\""}})));
}

TEST(Validation, Rfc9111_3_2_UpdatesAllButTheContent) {
    http::Headers stored = headers_of({{"A", "1"},
                                       {"B", "1"},
                                       {"a", "2"},
                                       {"Content-Encoding", "gzip"},
                                       {"ETag", "\"a\""},
                                       {"Content-Type", "text/plain"},
                                       {"Set-Cookie", "a=1"}});
    update_stored(stored, headers_of({{"a", "3"},
                                      {"Content-Encoding", "br"},
                                      {"Content-Length", "9"},
                                      {"C", "4"},
                                      {"ETag", "W/\"a\""},
                                      {"Content-Type", "text/html"},
                                      {"Content-MD5", "x"},
                                      {"Set-Cookie", "a=2"},
                                      {"Set-Cookie", "b=2"}}));
    EXPECT_EQ(text_of(stored),
              "B: 1\nContent-Encoding: gzip\nETag: \"a\"\na: 3\nC: 4\nContent-Type: text/html\n"
              "Set-Cookie: a=2\nSet-Cookie: b=2\n");
}

TEST(Validation, Rfc9111_4_3_2_IfNoneMatchIsWeakAndComesFirst) {
    Fields stored = {{"ETag", "\"a\""}, {"Last-Modified", monday}};
    EXPECT_EQ(judged({{"If-None-Match", "\"a\""}}, stored), Answer::not_modified);
    EXPECT_EQ(judged({{"If-None-Match", "W/\"a\""}}, stored), Answer::not_modified);
    EXPECT_EQ(judged({{"If-None-Match", "\"x, \", \"y\" , \"a\""}}, stored), Answer::not_modified);
    EXPECT_EQ(judged({{"If-None-Match", "\"x\""}, {"If-None-Match", "\"a\""}}, stored), Answer::not_modified);
    EXPECT_EQ(judged({{"If-None-Match", "*"}}, {}), Answer::not_modified);
    EXPECT_EQ(judged({{"If-None-Match", "\"a, \"a\"x"}}, stored), Answer::full);
    EXPECT_EQ(judged({{"If-None-Match", "\"A\""}}, stored), Answer::full);
    EXPECT_EQ(judged({{"If-None-Match", "w/\"a\""}}, stored), Answer::full);
    EXPECT_EQ(judged({{"If-None-Match", "\"b\""}, {"If-Modified-Since", tuesday}}, stored), Answer::full);
    EXPECT_EQ(judged({{"If-None-Match", "\"a\""}}, stored, 404), Answer::full);
    EXPECT_EQ(judged({{"If-None-Match", "\"\""}}, {}), Answer::full);
}

TEST(Validation, Rfc9111_4_3_2_IfModifiedSince) {
    EXPECT_EQ(judged({{"If-Modified-Since", monday}}, {{"Last-Modified", monday}}), Answer::not_modified);
    EXPECT_EQ(judged({{"If-Modified-Since", tuesday}}, {{"Last-Modified", monday}}), Answer::not_modified);
    EXPECT_EQ(judged({{"If-Modified-Since", monday}}, {{"Last-Modified", tuesday}}), Answer::full);
    EXPECT_EQ(judged({{"If-Modified-Since", "Tuesday, 14-Jan-20 00:00:00 GMT"}}, {{"Last-Modified", monday}}),
              Answer::not_modified);
    EXPECT_EQ(judged({{"If-Modified-Since", "yesterday"}}, {{"Last-Modified", monday}}), Answer::full);
    EXPECT_EQ(judged({{"If-Modified-Since", monday}}, {{"Date", monday}}), Answer::not_modified);
    EXPECT_EQ(judged({{"If-Modified-Since", monday}}, {}), Answer::full);
}

TEST(Validation, Rfc9111_4_3_2_LeavesIfMatchToTheOrigin) {
    EXPECT_TRUE(has_origin_condition(headers_of({{"If-Match", "\"a\""}})));
    EXPECT_TRUE(has_origin_condition(headers_of({{"If-Unmodified-Since", monday}})));
    EXPECT_FALSE(has_origin_condition(headers_of({{"If-None-Match", "\"a\""}, {"Range", "bytes=0-"}})));
}

TEST(Validation, Rfc9110_15_4_5_WhatA304Carries) {
    http::Headers headers = headers_of({{"Content-Type", "a/b"},
                                        {"ETag", "\"a\""},
                                        {"Last-Modified", monday},
                                        {"Cache-Control", "max-age=1"},
                                        {"Vary", "A"},
                                        {"Content-Location", "/x"}});
    strip_for_not_modified(headers);
    EXPECT_EQ(text_of(headers), "ETag: \"a\"\nCache-Control: max-age=1\nVary: A\nContent-Location: /x\n");
}

}  // namespace
}  // namespace cache
