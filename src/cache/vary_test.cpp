#include "cache/vary.h"

#include <gtest/gtest.h>

#include "cache/heads_for_tests.h"

namespace cache {
namespace {

VaryNames names_of(const Fields& fields) { return VaryNames::of(headers_of(fields)); }
std::string variant(std::string_view names, const Fields& fields) {
    std::string out;
    append_variant(out, names, headers_of(fields));
    return out;
}

TEST(Vary, Rfc9110_12_5_5_NamesAreOneSet) {
    EXPECT_EQ(names_of({}).kind(), VaryNames::Kind::none);
    EXPECT_EQ(names_of({{"Vary", " ,, "}}).kind(), VaryNames::Kind::none);
    EXPECT_EQ(names_of({{"Vary", "Foo, Bar"}}).text(), "bar,foo");
    EXPECT_EQ(names_of({{"Vary", "Foo"}, {"Vary", "bar, FOO"}}).text(), "bar,foo");
}

TEST(Vary, Rfc9111_4_1_StarMatchesNothing) {
    for (std::string_view value : {"*", "*, *", ", *", "*, Foo", "Foo, *"}) {
        EXPECT_EQ(names_of({{"Vary", value}}).kind(), VaryNames::Kind::any) << value;
        EXPECT_EQ(names_of({{"Vary", value}}).text(), "") << value;
    }
    EXPECT_EQ(names_of({{"Vary", ""}, {"Vary", "*"}}).kind(), VaryNames::Kind::any);
    EXPECT_EQ(names_of({{"Vary", "a b"}}).kind(), VaryNames::Kind::any);
}

TEST(Vary, IsBounded) {
    std::string many;
    for (int i = 0; i < 17; ++i) many += "x" + std::to_string(i) + ",";
    EXPECT_EQ(names_of({{"Vary", many}}).kind(), VaryNames::Kind::any);
    EXPECT_EQ(names_of({{"Vary", std::string(600, 'x')}}).kind(), VaryNames::Kind::any);
}

TEST(Vary, TextIsReadBackOrRefused) {
    EXPECT_EQ(VaryNames::from_text("bar,foo"), names_of({{"Vary", "Foo, Bar"}}));
    for (std::string_view bad : {"foo,bar", "Foo", "a, b", "*", "a,"}) {
        EXPECT_EQ(VaryNames::from_text(bad).kind(), VaryNames::Kind::any) << bad;
    }
}

TEST(Vary, Rfc9111_4_1_AbsentMatchesAbsentOnly) {
    EXPECT_EQ(variant("foo", {}), variant("foo", {{"Bar", "1"}}));
    EXPECT_NE(variant("foo", {}), variant("foo", {{"Foo", ""}}));
    EXPECT_NE(variant("foo", {{"Foo", "1"}}), variant("foo", {{"Foo", "2"}}));
    EXPECT_EQ(variant("foo", {{"Foo", "1"}, {"Other", "2"}}), variant("foo", {{"fOO", " 1 "}, {"Other", "3"}}));
    EXPECT_NE(variant("bar,foo", {{"Foo", "1"}}), variant("bar,foo", {{"Bar", "1"}}));
}

TEST(Vary, Rfc9111_4_1_NormalisesOnlyWhatIsKnownToMeanTheSame) {
    EXPECT_EQ(variant("foo", {{"Foo", "1, 2"}}), variant("foo", {{"Foo", "1"}, {"Foo", "2"}}));
    EXPECT_EQ(variant("accept-language", {{"Accept-Language", "en, de"}}),
              variant("accept-language", {{"Accept-Language", " eN ,   De"}}));
    EXPECT_NE(variant("accept-language", {{"Accept-Language", "en, de"}}),
              variant("accept-language", {{"Accept-Language", "de, en"}}));
    EXPECT_NE(variant("foo", {{"Foo", "a"}}), variant("foo", {{"Foo", "A"}}));
    EXPECT_EQ(variant("accept", {{"Accept", "a/b;p=\"x, y\" , c/d"}}),
              variant("accept", {{"Accept", "a/b;p=\"x, y\",c/d"}}));
    EXPECT_NE(variant("accept", {{"Accept", "a/b;p=\"x,y\""}}), variant("accept", {{"Accept", "a/b;p=\"x, y\""}}));
}

TEST(Vary, NoValueCanPassForSeveral) {
    EXPECT_NE(variant("a,b", {{"A", "1;b=1:2"}}), variant("a,b", {{"A", "1"}, {"B", "2"}}));
    EXPECT_NE(variant("a,b", {{"A", "x;b-"}}), variant("a,b", {{"A", "x"}}));
}

}  // namespace
}  // namespace cache
