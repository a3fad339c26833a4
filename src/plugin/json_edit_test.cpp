#include "plugin/json_edit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/json_edit_checks_for_tests.h"

namespace plugin {
namespace {

using Kind = JsonEdit::Kind;
using Outcome = JsonEdited::Outcome;

std::string edited(std::string_view text, std::vector<JsonEdit> edits) {
    base::Arena arena;
    JsonEdited result = edit_json(text, edits, arena);
    switch (result.outcome) {
        case Outcome::edited:
            return std::string(result.text);
        case Outcome::unchanged:
            EXPECT_EQ(result.text.data(), text.data());
            return "unchanged";
        case Outcome::refused:
            EXPECT_EQ(result.text.data(), text.data());
            return "refused";
        case Outcome::too_large:
            return "too large";
    }
    return {};
}

// kong-observed.md 9, "every operation" (there in hash order).
TEST(EditJson, DoesWhatKongDoes) {
    EXPECT_EQ(edited(R"({"rmb":1,"oldb":2,"repb":3,"appb":0})", {{Kind::remove, "rmb", ""},
                                                                 {Kind::rename, "oldb", "newb"},
                                                                 {Kind::replace, "repb", "\"new\""},
                                                                 {Kind::add, "addb", "\"1\""},
                                                                 {Kind::append, "appb", "\"1\""}}),
              R"({"newb":2,"repb":"new","appb":["1"],"addb":"1"})");
    EXPECT_EQ(edited(R"({"body":"","headers":{"a":[1,{}]},"method":"GET","version":1.1})",
                     {{Kind::remove, "headers", ""}, {Kind::remove, "version", ""}, {Kind::add, "extra", "\"yes\""}}),
              R"({"body":"","method":"GET","extra":"yes"})");
}

TEST(EditJson, AppendMakesLists) {
    EXPECT_EQ(edited(R"({"a":"x"})", {{Kind::append, "a", "1"}}), R"({"a":["x",1]})");
    EXPECT_EQ(edited(R"({"a":["x"]})", {{Kind::append, "a", "1"}}), R"({"a":["x",1]})");
    EXPECT_EQ(edited(R"({"a":[ ]})", {{Kind::append, "a", "1"}}), R"({"a":[ 1]})");
    EXPECT_EQ(edited(R"({"a":null})", {{Kind::append, "a", "1"}}), R"({"a":[1]})");
    EXPECT_EQ(edited(R"({})", {{Kind::append, "a", "1"}, {Kind::append, "a", "2"}}), R"({"a":[1,2]})");
    EXPECT_EQ(edited(R"({"a":{"b":1}})", {{Kind::append, "a", "1"}}), "unchanged");
}

TEST(EditJson, KeepsEveryOtherByte) {
    EXPECT_EQ(
        edited(" { \"a\" : 1.00 ,\n  \"b\":[ 1 ,2 ], \"\\u0063\" : 9007199254740993 } \n", {{Kind::remove, "b", ""}}),
        " { \"a\" : 1.00 , \"\\u0063\" : 9007199254740993 } \n");
    EXPECT_EQ(edited("{ \"a\" : 1 }", {{Kind::replace, "a", "2"}}), "{ \"a\" : 2 }");
    EXPECT_EQ(edited("{ \"a\" : 1 }", {{Kind::rename, "a", "b\""}}), "{ \"b\\\"\" : 1 }");
    EXPECT_EQ(edited("{ }", {{Kind::add, "a", "1"}}), "{ \"a\":1}");
    EXPECT_EQ(edited("", {{Kind::add, "a", "1"}}), "{\"a\":1}");
    EXPECT_EQ(edited("{\"a\":1}", {{Kind::remove, "a", ""}}), "{}");
}

TEST(EditJson, ChangesOnlyWhatIsThere) {
    std::string_view text = R"({"a":1,"n":null,"f":false})";
    EXPECT_EQ(edited(text, {{Kind::remove, "x", ""}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::rename, "x", "y"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::rename, "a", "a"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::replace, "x", "1"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::replace, "a", "1"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::add, "a", "2"}, {Kind::add, "n", "2"}, {Kind::add, "f", "2"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::replace, "f", "2"}}), R"({"a":1,"n":null,"f":2})");
    EXPECT_EQ(edited(text, {}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::rename, "a", "n"}}), R"({"n":1,"f":false})");
}

// A member that is hidden behind another spelling or behind its double does not get past a removal.
TEST(EditJson, SeesEveryMemberOfAName) {
    EXPECT_EQ(edited(R"({"role":1,"ro\u006ce":2,"x":3,"\u0072ole":4})", {{Kind::remove, "role", ""}}), R"({"x":3})");
    EXPECT_EQ(edited(R"({"a":1,"x":3,"a":2})", {{Kind::replace, "a", "5"}}), R"({"x":3,"a":5})");
    EXPECT_EQ(edited(R"({"a":1,"b":0,"a":2})", {{Kind::rename, "a", "b"}}), R"({"b":2})");
    EXPECT_EQ(edited("{\"\\ud83d\\ude00\":1}", {{Kind::remove, "\xf0\x9f\x98\x80", ""}}), "{}");
    EXPECT_EQ(edited("{\"a\\/b\\n\":1}", {{Kind::remove, "a/b\n", ""}}), "{}");
    EXPECT_EQ(edited("{\"x\":\"a\tb\",\"role\":NaN,\"y\":-Infinity}", {{Kind::remove, "role", ""}}),
              "{\"x\":\"a\tb\",\"y\":-Infinity}");
}

TEST(EditJson, LeavesWhatIsNoObject) {
    for (std::string_view text : {"{bad",
                                  "[1]",
                                  "\"x\"",
                                  "1",
                                  "null",
                                  " ",
                                  "{\"a\":1",
                                  "{\"a\":}",
                                  "{\"a\":1,}",
                                  "{,}",
                                  "{\"a\" 1}",
                                  "{\"a\":bad}",
                                  "{\"a\":1}x",
                                  "{\"a\":\"\\x\"}",
                                  "{\"a\":\"\\u12\"}",
                                  "{\"a\":[1,]}",
                                  "{\"a\":[1}",
                                  "{\"a\":{\"b\"}}",
                                  "{'a':1}",
                                  "{\"a\":1 2}",
                                  "{\"a",
                                  "{\"a\\",
                                  "\xef\xbb\xbf{}",
                                  "{\"a\":+}",
                                  "{\"a\":-}",
                                  "//\n{}"}) {
        EXPECT_EQ(edited(text, {{Kind::add, "x", "1"}, {Kind::remove, "a", ""}}), "refused") << text;
    }
}

TEST(EditJson, BoundsDepthAndMembers) {
    auto nested = [](std::size_t depth) { return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
    EXPECT_EQ(edited(nested(max_json_depth), {{Kind::remove, "a", ""}}), "{}");
    EXPECT_EQ(edited(nested(max_json_depth + 1), {{Kind::remove, "a", ""}}), "refused");
    std::string many = "{";
    for (std::size_t i = 0; i < max_json_members; ++i) many += "\"b\":1,";
    EXPECT_EQ(edited(many.substr(0, many.size() - 1) + "}", {{Kind::remove, "b", ""}}), "{}");
    EXPECT_EQ(edited(many + "\"a\":1}", {{Kind::remove, "a", ""}}), "too large");
}

TEST(JsonText, Escapes) {
    base::Arena arena;
    EXPECT_EQ(json_text("", arena), "\"\"");
    EXPECT_EQ(json_text("a\"b\\c/\n\x01\x1f\x7f\xc3\xa9", arena), "\"a\\\"b\\\\c/\\n\\u0001\\u001f\x7f\xc3\xa9\"");
}

TEST(EditJson, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/json_edit_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        check_json_edit(bytes.str());
        ++seeds;
    }
    EXPECT_GT(seeds, 5U);
}

}  // namespace
}  // namespace plugin
