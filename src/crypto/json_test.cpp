#include "crypto/json.h"

#include <gtest/gtest.h>

#include <string>

namespace crypto {
namespace {

using Kind = Value::Kind;

bool reads(std::string_view text, Object::Unique unique = Object::Unique::here) {
    base::Arena arena;
    return Object::parse(text, arena, unique).ok();
}

TEST(Json, IndexesTheMembersOfAnObject) {
    base::Arena arena;
    auto object = Object::parse(
        " { \"a\" : \"x\" ,\t\"b\":-1.5e2,\"c\":[1,\"two\",{\"d\":[]}],\r\n\"e\":true,\"f\":null,"
        "\"g\":{\"a\":1},\"\":\"\"} ",
        arena);
    ASSERT_TRUE(object);
    EXPECT_EQ(object->size(), 7U);
    EXPECT_EQ(object->string("a"), "x");
    EXPECT_EQ(object->number("b"), -150);
    EXPECT_EQ(object->string("b"), std::nullopt);
    EXPECT_EQ(object->number("a"), std::nullopt);
    EXPECT_EQ(object->find("c")->text, "[1,\"two\",{\"d\":[]}]");
    EXPECT_TRUE(object->find("e")->is(Kind::boolean));
    EXPECT_TRUE(object->find("f")->is(Kind::null));
    EXPECT_EQ(object->find("g")->text, "{\"a\":1}");
    EXPECT_EQ(object->string(""), "");
    EXPECT_EQ(object->find("d"), nullptr);
    EXPECT_TRUE(reads("{}"));
}

TEST(Json, DecodesEscapes) {
    base::Arena arena;
    auto object = Object::parse(R"({"\u0061lg":"\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00","z":"a\u0000b"})", arena);
    ASSERT_TRUE(object);
    EXPECT_EQ(object->string("alg"), "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    EXPECT_EQ(object->string("z"), std::string_view("a\0b", 3));
}

TEST(Json, RefusesANameThatComesTwice) {
    EXPECT_FALSE(reads(R"({"a":1,"b":2,"a":1})"));
    EXPECT_FALSE(reads(R"({"alg":"x","\u0061lg":"x"})"));
    EXPECT_TRUE(reads(R"({"a":{"b":1,"b":1}})"));
    EXPECT_FALSE(reads(R"({"a":{"b":1,"b":1}})", Object::Unique::everywhere));
    EXPECT_FALSE(reads(R"({"a":[{"b":1,"\u0062":1}]})", Object::Unique::everywhere));
    EXPECT_TRUE(reads(R"({"a":[{"b":1},{"b":1}],"b":{"a":1}})", Object::Unique::everywhere));
}

TEST(Json, RefusesWhatIsNoJson) {
    for (std::string_view text : {
             "",
             " ",
             "1",
             "\"a\"",
             "[]",
             "null",
             "{",
             "}",
             "{}x",
             "{}{}",
             "{a:1}",
             "{'a':1}",
             R"({"a"})",
             R"({"a":})",
             R"({"a":1,})",
             R"({,"a":1})",
             R"({"a" 1})",
             R"({"a":1 "b":2})",
             R"({"a":01})",
             R"({"a":+1})",
             R"({"a":.5})",
             R"({"a":1.})",
             R"({"a":1e})",
             R"({"a":-})",
             R"({"a":0x1})",
             R"({"a":NaN})",
             R"({"a":Infinity})",
             R"({"a":tru})",
             R"({"a":True})",
             R"({"a":nul})",
             R"({"a":"\x"})",
             R"({"a":"\u12"})",
             R"({"a":"\u12G4"})",
             R"({"a":"\ud800"})",
             R"({"a":"\udc00"})",
             R"({"a":"\ud800\u0041"})",
             R"({"a":"\ud800x"})",
             "{\"a\":\"\n\"}",
             "{\"a\":\"\x1f\"}",
             "{\"a\":\"\xff\"}",
             "{\"a\":\"\xc0\x80\"}",
             "{\"a\":\"\xe0\x80\x80\"}",
             "{\"a\":\"\xed\xa0\x80\"}",
             "{\"a\":\"\xf4\x90\x80\x80\"}",
             "{\"a\":\"\xf0\x80\x80\x80\"}",
             "{\"a\":\"\xc3\"}",
             "{\"a\":\"\xe2\x82\"}",
             "{\"a\":\"",
             "{\"a\":\"\\",
             "{\"a\":\"\\u00",
             R"({"a":[1,]})",
             R"({"a":[1 2]})",
             R"({"a":[})",
             R"({"a":[1}])",
             "\xEF\xBB\xBF{}",
             "{\"a\":1}\x0b",
             "{/**/}",
         }) {
        EXPECT_FALSE(reads(text)) << text;
    }
    EXPECT_FALSE(reads(std::string_view("{}\0", 3)));
}

TEST(Json, RefusesEachCutOfAText) {
    std::string_view text = R"({"a":"\u00e9","b":[1,{"c":-1.5E+3}],"d":null})";
    ASSERT_TRUE(reads(text));
    for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(reads(text.substr(0, size))) << size;
}

TEST(Json, TakesDepthAndMembersToTheirLimits) {
    auto nested = [](std::size_t depth) {  // the outermost object included
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    EXPECT_TRUE(reads(nested(Object::deepest)));
    EXPECT_FALSE(reads(nested(Object::deepest + 1)));
    auto wide = [](std::size_t members) {
        std::string out = "{";
        for (std::size_t i = 0; i < members; ++i)
            out += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + std::to_string(i);
        return out + "}";
    };
    base::Arena arena;
    std::string text = wide(Object::most_members);
    auto object = Object::parse(text, arena);
    ASSERT_TRUE(object);
    for (std::size_t i = 0; i < Object::most_members; ++i) EXPECT_EQ(object->number(std::to_string(i)), i);
    EXPECT_FALSE(reads(wide(Object::most_members + 1)));
    EXPECT_TRUE(reads("{\"a\":" + wide(Object::most_nested_members) + "}", Object::Unique::everywhere));
    EXPECT_FALSE(reads("{\"a\":" + wide(Object::most_nested_members + 1) + "}", Object::Unique::everywhere));
    EXPECT_FALSE(reads("{\"a\":" + std::string(100'000, '[')));
}

TEST(Json, GivesTheElementsOfAnArray) {
    base::Arena arena;
    auto object = Object::parse(R"({"a": [ "x" , 1,[2, 3] ,"\u0079",{"b" : 1} ],"e":[ ],"s":"x"})", arena);
    ASSERT_TRUE(object);
    Elements elements(*object->find("a"), arena);
    EXPECT_EQ(elements.next()->string(), "x");
    EXPECT_EQ(elements.next()->number(), 1);
    EXPECT_EQ(elements.next()->text, "[2, 3]");
    EXPECT_EQ(elements.next()->string(), "y");
    EXPECT_EQ(elements.next()->text, "{\"b\" : 1}");
    EXPECT_FALSE(elements.next());
    EXPECT_FALSE(elements.next());
    EXPECT_FALSE(Elements(*object->find("e"), arena).next());
    EXPECT_FALSE(Elements(*object->find("s"), arena).next());
}

TEST(Json, SaysNothingForANumberThatNoDoubleHolds) {
    base::Arena arena;
    auto object = Object::parse(R"({"a":1e999,"b":-1e999,"c":12345678901234567890})", arena);
    ASSERT_TRUE(object);
    EXPECT_FALSE(object->number("a"));
    EXPECT_FALSE(object->number("b"));
    EXPECT_EQ(object->number("c"), 12345678901234567890.0);
}

}  // namespace
}  // namespace crypto
