#include "plugin/pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace plugin {
namespace {

bool is_whole(std::string_view pattern, std::string_view text) {
    return Pattern::compile(pattern, Pattern::Extent::whole)->matches(text);
}
bool is_found(std::string_view pattern, std::string_view text) {
    return Pattern::compile(pattern, Pattern::Extent::anywhere)->matches(text);
}

TEST(Pattern, MatchesTheWholeText) {
    EXPECT_TRUE(is_whole("a|ab", "ab"));
    EXPECT_TRUE(is_whole("^https://.*\\.ok\\.example$", "https://a.ok.example"));
    EXPECT_FALSE(is_whole("https://.*\\.ok\\.example", "https://a.ok.example.evil"));
    EXPECT_FALSE(is_whole("ok\\.example", "not-ok.example"));
    EXPECT_FALSE(is_whole("a", "a\n"));
    EXPECT_FALSE(is_whole("a$", "a\n"));
    EXPECT_FALSE(is_whole("a", "A"));
    EXPECT_TRUE(is_whole("(?i)a", "A"));
    EXPECT_TRUE(is_whole("(?=ab)a.", "ab"));  // PCRE2
    EXPECT_FALSE(is_whole("(?=ab)a.", "abc"));
}

TEST(Pattern, IsFoundAnywhere) {
    EXPECT_TRUE(is_found("b", "a\nbc"));
    EXPECT_FALSE(is_found("^b", "abc"));
    EXPECT_FALSE(is_found("B", "abc"));
    EXPECT_TRUE(is_found("c$", "abc"));
    EXPECT_TRUE(is_found("(?<!a)b", "ab bb"));  // PCRE2
    EXPECT_FALSE(is_found("(?<!a)b", "ab"));
    EXPECT_TRUE(is_found("(a)\\1", "xaa"));
}

TEST(Pattern, SaysWhatIsNone) {
    for (std::string_view text : {"(", "a)(b", "[a", "*", "a\\"}) {
        EXPECT_EQ(Pattern::fault(text), "not a valid regex: " + std::string(text));
    }
    EXPECT_EQ(Pattern::fault("a|b"), "");
}

TEST(Pattern, GivesUp) {
    auto pattern = Pattern::compile("(?=b)|(a+)+\\1c", Pattern::Extent::whole);
    EXPECT_EQ(pattern->match(std::string(60, 'a')), Pattern::Outcome::limited);
}

}  // namespace
}  // namespace plugin
