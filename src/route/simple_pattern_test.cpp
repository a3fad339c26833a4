#include "route/simple_pattern.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <random>

namespace route {
namespace {

TEST(SimplePattern, TakesTheUsualShapes) {
    for (const char* pattern :
         {R"((?<id>\d+)$)", "[a-z]+/items/(?P<item>[^/]+)", "", "/a", "a{2,3}b", R"([\w.-]+@[A-Za-z0-9]{1,20}\.json$)",
          "(?:a(b(c)))", ".*", R"([^/.]*\.js$)", "v[12]/", R"([\d-]+x?/$)"}) {
        std::vector<CaptureName> names;
        EXPECT_TRUE(SimplePattern::compile(pattern, names)) << pattern;
    }
}

TEST(SimplePattern, DeclinesEverythingElse) {
    for (const char* pattern : {"a|b",
                                "(a)?",
                                "(a)+",
                                "a*a",
                                "[a-z]*[0-9a]",
                                ".*x",
                                "a*?",
                                "a++",
                                "a**",
                                "(?i)a",
                                "^a",
                                "a$b",
                                "(a$)",
                                "(",
                                ")",
                                "[",
                                "[a",
                                "[]a]",
                                "[z-a]",
                                "[[:alpha:]]",
                                "[a-\\d]",
                                "[\\d-a]",
                                "[a-c-e]",
                                "\\b",
                                "\\1",
                                "\\pL",
                                "\\x41",
                                "\\",
                                "a{",
                                "a{2",
                                "a{,2}",
                                "a{2,1}",
                                "a{0}",
                                "a{1000}",
                                "{2}",
                                "*",
                                "a{2}{3}",
                                "(?=a)",
                                "(?<n>a)(?<n>b)",
                                "(?<>a)",
                                "(?<1a>b)",
                                "(?<a-b>c)",
                                "(?<n",
                                "é",
                                "[é]",
                                "a b",
                                "(?#x)",
                                "\\Qa\\E",
                                "a]",
                                "a}"}) {
        std::vector<CaptureName> names{{"kept", 1}};
        names.clear();
        EXPECT_FALSE(SimplePattern::compile(pattern, names)) << pattern;
        EXPECT_TRUE(names.empty()) << pattern;
    }
    std::string groups;
    for (std::size_t i = 0; i <= max_capture_groups; ++i) groups += "(a)";
    std::vector<CaptureName> names;
    EXPECT_FALSE(SimplePattern::compile(groups, names));
}

TEST(SimplePattern, Captures) {
    std::vector<CaptureName> names;
    auto pattern = SimplePattern::compile(R"((?<kind>[a-z]+)/((?<id>\d+)-(x?)))", names);
    ASSERT_TRUE(pattern);
    ASSERT_EQ(names.size(), 2u);
    EXPECT_EQ(names[1].name, "id");
    EXPECT_EQ(names[1].group, 3);
    Captures captures;
    ASSERT_TRUE(pattern->match("/pets/42-/tail", 1, &captures));
    ASSERT_EQ(captures.count, 5u);
    EXPECT_EQ(captures.groups[0], "pets/42-");
    EXPECT_EQ(captures.groups[1], "pets");
    EXPECT_EQ(captures.groups[2], "42-");
    EXPECT_EQ(captures.groups[3], "42");
    EXPECT_EQ(captures.groups[4], "");
    EXPECT_FALSE(pattern->match("/pets/x", 1, &captures));
}

TEST(SimplePattern, LiteralsLongerThanALengthByte) {
    std::string text(1000, 'a');
    std::vector<CaptureName> names;
    auto pattern = SimplePattern::compile(text + "$", names);
    ASSERT_TRUE(pattern);
    EXPECT_TRUE(pattern->match(text, 0, nullptr));
    EXPECT_FALSE(pattern->match(text + "a", 0, nullptr));
    EXPECT_FALSE(pattern->match(text.substr(1), 0, nullptr));
}

// Whatever is accepted means what RE2 means by it, to the byte and to the group.
TEST(SimplePattern, AgreesWithRe2OnRandomPatterns) {
    static const std::vector<std::string> atoms = {
        "a",     "b",      "/",      "-",    "\\.",   "\\-",  "\\_",  "\\d",  "\\D",    "\\w",     "\\W",   "\\s",
        "\\S",   ".",      "[ab]",   "[^a]", "[a-c]", "[^/]", "[-a]", "[a-]", "[\\d.]", "[^\\w-]", "[.-a]", "[\\.-9]",
        "[+--]", "[a\\]]", "[\\D]",  "[a^]", "[--a]", "*",    "+",    "?",    "{2}",    "{1,2}",   "{2,}",  "{0,2}",
        "(",     "(?:",    "(?P<n>", ")",    "$",     "_",    "1",    ",",    "@"};
    static const std::vector<std::string> letters = {"a",
                                                     "b",
                                                     "c",
                                                     "1",
                                                     "/",
                                                     "-",
                                                     ".",
                                                     "_",
                                                     " ",
                                                     "\n",
                                                     "é",
                                                     "\xc3",
                                                     "\xa9",
                                                     "\xff",
                                                     "]",
                                                     "^",
                                                     "€",
                                                     "\xf0\x9f\x98\x80",
                                                     "\xe0\x80\x80",
                                                     std::string(1, '\0')};
    RE2::Options quiet;
    quiet.set_log_errors(false);
    std::size_t accepted = 0;
    std::size_t matched = 0;
    for (unsigned seed = 1; seed <= 60000; ++seed) {
        std::mt19937 random(seed);
        std::string pattern;
        for (std::size_t n = random() % 8; n > 0; --n) pattern += atoms[random() % atoms.size()];
        std::vector<CaptureName> names;
        auto simple = SimplePattern::compile(pattern, names);
        if (!simple) continue;
        ++accepted;
        RE2 reference(pattern, quiet);
        ASSERT_TRUE(reference.ok()) << "seed " << seed << " accepted '" << pattern << "'";
        ASSERT_EQ(simple->groups(), static_cast<std::size_t>(reference.NumberOfCapturingGroups())) << pattern;
        ASSERT_EQ(names.size(), reference.NamedCapturingGroups().size()) << pattern;
        for (int attempt = 0; attempt < 12; ++attempt) {
            std::string text;
            for (std::size_t n = random() % 8; n > 0; --n) text += letters[random() % letters.size()];
            std::size_t from = std::min<std::size_t>(random() % 2, text.size());
            re2::StringPiece found[max_capture_groups + 1];
            Captures captures;
            bool expected = reference.Match(text, from, text.size(), RE2::ANCHOR_START, found,
                                            static_cast<int>(simple->groups() + 1));
            ASSERT_EQ(simple->match(text, from, &captures), expected)
                << "seed " << seed << " '" << pattern << "' on '" << text << "'";
            if (!expected) continue;
            ++matched;
            for (std::size_t i = 0; i <= simple->groups(); ++i) {
                ASSERT_EQ(captures.groups[i], std::string_view(found[i].data(), found[i].size()))
                    << "seed " << seed << " '" << pattern << "' on '" << text << "' group " << i;
            }
        }
    }
    EXPECT_GT(accepted, 3000u);
    EXPECT_GT(matched, 5000u);
}

}  // namespace
}  // namespace route
