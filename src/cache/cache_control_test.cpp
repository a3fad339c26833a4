#include "cache/cache_control.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cache/cache_control_checks_for_tests.h"
#include "cache/heads_for_tests.h"

namespace cache {
namespace {

ResponseControl response(const std::vector<std::string_view>& lines) {
    http::Headers headers;
    for (std::string_view line : lines) headers.add("Cache-Control", line);
    return parse_response_control(headers);
}
RequestControl request(std::string_view line) { return parse_request_control(headers_of({{"Cache-Control", line}})); }

TEST(CacheControl, Rfc9111_1_2_2_DeltaSeconds) {
    EXPECT_EQ(parse_delta_seconds("0"), 0);
    EXPECT_EQ(parse_delta_seconds("003600"), 3600);
    EXPECT_EQ(parse_delta_seconds("2147483648"), most_delta);
    EXPECT_EQ(parse_delta_seconds("99999999999999999999999999"), most_delta);
    for (std::string_view bad : {"", " 1", "1 ", "-1", "+1", "1.0", "1a", "a1", "'1'"}) {
        EXPECT_FALSE(parse_delta_seconds(bad)) << bad;
    }
}

TEST(CacheControl, Rfc9111_5_2_TakesTokensAndQuotedStrings) {
    EXPECT_EQ(response({"max-age=10"}).max_age, 10);
    EXPECT_EQ(response({"MaX-AgE=\"10\""}).max_age, 10);
    EXPECT_EQ(response({"a=\"x, max-age=3600\", max-age=1"}).max_age, 1);
    EXPECT_EQ(response({"max-age=1, a=\"max-age=3600\""}).max_age, 1);
    EXPECT_EQ(response({"a=\"\\\", max-age=3600, b=\""}).max_age, std::nullopt);
    EXPECT_EQ(response({"a=\"open, max-age=3600"}).max_age, std::nullopt);
    EXPECT_EQ(response({",, ,max-age=5 ,"}).max_age, 5);
    EXPECT_TRUE(response({"public", "extension, No-Store"}).no_store);
    EXPECT_FALSE(response({"no-storex, xno-store, extension=\"no-store\""}).no_store);
}

TEST(CacheControl, Rfc9111_4_2_1_BrokenOrRepeatedNumbersAreNeverFresher) {
    for (std::string_view bad : {"max-age", "max-age=", "max-age=-5", "max-age='5'", "max-age =5", "max-age= 5",
                                 "max-age=5.0", "max-age=5a", "max-age=\"5"}) {
        EXPECT_EQ(response({bad}).max_age, 0) << bad;
    }
    EXPECT_EQ(response({"max-age=3600, max-age=1"}).max_age, 1);
    EXPECT_EQ(response({"max-age=1", "max-age=3600"}).max_age, 1);
    EXPECT_EQ(response({"s-maxage=1, max-age=3600"}).s_maxage, 1);
}

TEST(CacheControl, Rfc9111_5_2_2_4_QualifiedFormsNameFields) {
    ResponseControl control = response({"no-cache=\"a, B\", private=\"c\""});
    EXPECT_FALSE(control.no_cache || control.is_private);
    EXPECT_TRUE(control.no_cache_fields.names("A") && control.no_cache_fields.names("b"));
    EXPECT_TRUE(control.private_fields.names("C"));
    EXPECT_FALSE(control.private_fields.names("a"));
    // What is no list of names speaks of everything, and so does the plain form beside the other.
    for (std::string_view all : {"private", "private=\"\"", "private=", "private=\"a b\"", "private=\"a\", private"}) {
        EXPECT_TRUE(response({all}).is_private) << all;
    }
    EXPECT_TRUE(response({"private=a"}).private_fields.names("a"));
    EXPECT_TRUE(response({"private=a,private=b,private=c,private=d,private=e"}).is_private);
}

TEST(CacheControl, Rfc5861_3_and_4_StaleDirectives) {
    ResponseControl control = response({"max-age=1, stale-while-revalidate=30, stale-if-error=60"});
    EXPECT_EQ(control.stale_while_revalidate, 30);
    EXPECT_EQ(control.stale_if_error, 60);
    EXPECT_EQ(response({"stale-while-revalidate=x"}).stale_while_revalidate, 0);
    EXPECT_EQ(request("stale-if-error=5").stale_if_error, 5);
}

TEST(CacheControl, Rfc9111_5_2_1_RequestDirectives) {
    RequestControl control = request("max-age=1, min-fresh=2, max-stale=3, only-if-cached");
    EXPECT_EQ(control.max_age, 1);
    EXPECT_EQ(control.min_fresh, 2);
    EXPECT_EQ(control.max_stale, 3);
    EXPECT_TRUE(control.only_if_cached);
    EXPECT_EQ(request("max-stale").max_stale, any_staleness);
    EXPECT_EQ(request("max-stale, max-stale=5").max_stale, 5);
    EXPECT_EQ(request("max-stale=x").max_stale, 0);
    EXPECT_EQ(request("max-age=x").max_age, 0);
    EXPECT_EQ(request("min-fresh=x").min_fresh, most_delta);
    EXPECT_TRUE(request("no-cache").no_cache && request("no-store").no_store);
    EXPECT_FALSE(request("must-revalidate").max_age.has_value());
}

TEST(CacheControl, Rfc9111_5_4_PragmaCountsOnlyAlone) {
    EXPECT_TRUE(parse_request_control(headers_of({{"Pragma", "no-cache"}})).no_cache);
    EXPECT_TRUE(parse_request_control(headers_of({{"Pragma", "x, No-Cache"}})).no_cache);
    EXPECT_FALSE(parse_request_control(headers_of({{"Pragma", "no-cache"}, {"Cache-Control", "max-age=1"}})).no_cache);
    EXPECT_FALSE(parse_request_control(headers_of({{"Pragma", "other"}})).no_cache);
    EXPECT_FALSE(parse_response_control(headers_of({{"Pragma", "no-cache"}})).no_cache);
}

TEST(CacheControl, Rfc9111_5_1_Age) {
    EXPECT_EQ(parse_age(headers_of({})), 0);
    EXPECT_EQ(parse_age(headers_of({{"Age", "30"}})), 30);
    for (std::string_view bad : {"", "x", "-1", "1.5", "0, 0", "0;a=b"}) {
        EXPECT_EQ(parse_age(headers_of({{"Age", bad}})), most_delta) << bad;
    }
    EXPECT_EQ(parse_age(headers_of({{"Age", "0"}, {"Age", "0"}})), most_delta);
}

TEST(CacheControl, HoldsForTheSeedsOfTheFuzzTarget) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/cache_control_fuzz")) {
        std::ifstream in(file.path(), std::ios::binary);
        check_control(std::string(std::istreambuf_iterator<char>(in), {}));
        ++seeds;
    }
    EXPECT_GT(seeds, 5U);
}

}  // namespace
}  // namespace cache
