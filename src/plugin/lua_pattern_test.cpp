#include "plugin/lua_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace plugin {
namespace {

using Outcome = LuaPattern::Outcome;

// Where the pattern is found first, as "begin-end:captures", or why not.
std::string found(std::string_view pattern, std::string_view text) {
    std::size_t steps = 100'000;
    LuaPattern search(pattern, text, steps);
    switch (search.find(0)) {
        case Outcome::matches:
            break;
        case Outcome::differs:
            return "differs";
        case Outcome::malformed:
            return "malformed";
        case Outcome::limited:
            return "limited";
    }
    std::string out = std::to_string(search.begin()) + "-" + std::to_string(search.end());
    for (std::size_t i = 0; i < search.capture_count(); ++i) {
        LuaCapture capture = search.capture(i);
        out += ":" + (capture.is_position ? std::to_string(capture.position) : std::string(capture.text));
    }
    return out;
}

TEST(LuaPattern, FindsItems) {
    EXPECT_EQ(found("", ""), "0-0");
    EXPECT_EQ(found("b", "abc"), "1-2");
    EXPECT_EQ(found("a.c", "xabc"), "1-4");
    EXPECT_EQ(found("x", "abc"), "differs");
    EXPECT_EQ(found("^b", "abc"), "differs");
    EXPECT_EQ(found("c$", "abc"), "2-3");
    EXPECT_EQ(found("b$", "abc"), "differs");
    EXPECT_EQ(found("a$b", "a$b"), "0-3");
    EXPECT_EQ(found("a^b", "a^b"), "0-3");
    EXPECT_EQ(found("%.", "a.b"), "1-2");
    EXPECT_EQ(found("%d+", "ab123c"), "2-5");
    EXPECT_EQ(found("%D+", "123ab"), "3-5");
    EXPECT_EQ(found("%s%S", "a b"), "1-3");
    EXPECT_EQ(found("%p", "ab,c"), "2-3");
    EXPECT_EQ(found("%u%l", "aBc"), "1-3");
    EXPECT_EQ(found("%x+", "xyzFf0g"), "3-6");
    EXPECT_EQ(found("%c", "a\tb"), "1-2");
    EXPECT_EQ(found("%z", std::string_view("a\0b", 3)), "1-2");
    EXPECT_EQ(found("%a+", "\xc3\xa9z"), "2-3");
}

TEST(LuaPattern, FindsSets) {
    EXPECT_EQ(found("[bc]+", "abcd"), "1-3");
    EXPECT_EQ(found("[^a]", "aab"), "2-3");
    EXPECT_EQ(found("[b-d]+", "abcde"), "1-4");
    EXPECT_EQ(found("[]]", "a]"), "1-2");
    EXPECT_EQ(found("[^]]", "]a"), "1-2");
    EXPECT_EQ(found("[%]x]+", "a]x"), "1-3");
    EXPECT_EQ(found("[%d-]+", "a1-2"), "1-4");
    EXPECT_EQ(found("[a-]+", "b-a"), "1-3");
    EXPECT_EQ(found("[a%-z]+", "b-az"), "1-4");
}

TEST(LuaPattern, Repeats) {
    EXPECT_EQ(found("a*", "aaab"), "0-3");
    EXPECT_EQ(found("a-b", "aaab"), "0-4");
    EXPECT_EQ(found("a+b", "b"), "differs");
    EXPECT_EQ(found("ab?c", "ac"), "0-2");
    EXPECT_EQ(found("ab?c", "abc"), "0-3");
    EXPECT_EQ(found("<.->", "<a><b>"), "0-3");
    EXPECT_EQ(found("<.*>", "<a><b>"), "0-6");
}

TEST(LuaPattern, Captures) {
    EXPECT_EQ(found("(%w+)=(%w+)", "k=v"), "0-3:k:v");
    EXPECT_EQ(found("((a)(b))", "ab"), "0-2:ab:a:b");
    EXPECT_EQ(found("a()b()", "ab"), "0-2:2:3");
    EXPECT_EQ(found("(a*(.)%w(%s*))", "aab x"), "0-4:aab :a: ");
    EXPECT_EQ(found("([\"']).-%1", "say 'it \"is\"'"), "4-13:'");
    EXPECT_EQ(found("%b()", "f(a(b)c)d"), "1-8");
    EXPECT_EQ(found("%b()", "f(a(b)"), "3-6");
    EXPECT_EQ(found("%f[%w]%w+", "  one two"), "2-5");
    EXPECT_EQ(found("%f[%z]", "ab"), "2-2");
}

TEST(LuaPattern, SaysWhatIsMalformed) {
    for (std::string_view pattern : {"%", "[a", "[", "[^", "[%", "(a", "a)", "%1", "(%1)", "%b", "%bx", "%f", "%fa"}) {
        EXPECT_NE(LuaPattern::fault(pattern), "") << pattern;
        EXPECT_EQ(found(pattern, "aaaa(x)").substr(0, 9), "malformed") << pattern;
    }
    for (std::string_view pattern :
         {"", "^", "$", "%a", "[]]", "[^]]", "(a)(b)%2", "()", "%bxy", "%f[%w]x", "*", "a**"}) {
        EXPECT_EQ(LuaPattern::fault(pattern), "") << pattern;
    }
    std::string groups;
    for (int i = 0; i < 33; ++i) groups += "()";
    EXPECT_EQ(LuaPattern::fault(groups), "too many captures");
    EXPECT_EQ(found(groups, "a"), "malformed");
}

TEST(LuaPattern, EveryStepIsPaid) {
    std::string text(5000, 'a');
    EXPECT_EQ(found("a*a*a*a*a*b", text), "limited");
    EXPECT_EQ(found("a-a-a-a-a-b", text), "limited");
    EXPECT_EQ(found("%bab", text), "limited");
    EXPECT_EQ(found("(a*)%1b", text), "limited");
    std::string optional;
    for (int i = 0; i < 300; ++i) optional += "a?";
    EXPECT_EQ(found(optional, text), "limited");  // by nesting
    std::size_t steps = 10;
    EXPECT_EQ(LuaPattern("b", text, steps).find(0), Outcome::limited);
    EXPECT_EQ(steps, 0U);
}

}  // namespace
}  // namespace plugin
