#include "route/literal.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "route/pattern_checks_for_tests.h"

namespace route {
namespace {

TEST(LiteralPrefix, StopsBeforeTheFirstThatVaries) {
    struct Row {
        const char* pattern;
        const char* text;
        const char* rest;
    };
    for (const Row& row : {
             Row{R"(/api/v1/pets/(?<id>\d+)$)", "/api/v1/pets/", R"((?<id>\d+)$)"},
             Row{"/foo", "/foo", ""},
             Row{"/foo$", "/foo", "$"},
             Row{R"(/a\.b\-c/\w)", "/a.b-c/", R"(\w)"},
             Row{"/foo*", "/fo", "o*"},
             Row{"/foo+?x", "/fo", "o+?x"},
             Row{"/foo{2,3}x", "/fo", "o{2,3}x"},
             Row{"/foo{name}", "/fo", "o{name}"},
             Row{"/a(b|c)d", "/a", "(b|c)d"},
             Row{"/a[b|c]d", "/a", "[b|c]d"},
             Row{"/a[]|(]d", "/a", "[]|(]d"},
             Row{"/a[^]|(]d", "/a", "[^]|(]d"},
             Row{"/a[[:alpha:]|(]d", "/a", "[[:alpha:]|(]d"},
             Row{R"(/a[\]|(]d)", "/a", R"([\]|(]d)"},
             Row{"/a(?i)b", "/a", "(?i)b"},
             Row{"/a(?i:b|c)", "/a", "(?i:b|c)"},
             Row{"/a.b", "/a", ".b"},
             Row{"/é*", "/", "é*"},
             Row{R"(/a\|b.)", "/a|b", "."},
             Row{R"(/a\p{L}+)", "/a", R"(\p{L}+)"},
             Row{"", "", ""},
         }) {
        LiteralPrefix prefix = literal_prefix(row.pattern);
        EXPECT_EQ(prefix.text, row.text) << row.pattern;
        EXPECT_EQ(prefix.rest, row.rest) << row.pattern;
    }
}

TEST(LiteralPrefix, GivesUpWhereTheStructureIsInDoubt) {
    for (const char* pattern :
         {"/a|/b", "/a(b)|/c", R"(/a\Q|(\E)", "/a(?x: # ( \n)b", "/a(?x)b", "/a(?#()b", "/a)b", "*a", "/a(", "/a[",
          "/a\\", R"(/a[\Q]\E]|b)", R"(/a\c(|b)", "/a(*FAIL)|b", "(?C'(')|b"}) {
        LiteralPrefix prefix = literal_prefix(pattern);
        EXPECT_EQ(prefix.text, "") << pattern;
        EXPECT_EQ(prefix.rest, pattern) << pattern;
    }
}

TEST(RequiredLiterals, AreTheRunsAtTheTop) {
    using Runs = std::vector<std::string>;
    EXPECT_EQ(required_literals(R"(([a-z]+)/svc12/\d+/tail$)"), (Runs{"/svc12/", "/tail"}));
    EXPECT_EQ(required_literals("(a)bc*d"), (Runs{"b", "d"}));
    EXPECT_EQ(required_literals("(a)b?cd"), (Runs{"cd"}));
    EXPECT_EQ(required_literals("ab|cd"), Runs{});
    EXPECT_EQ(required_literals("(ab|cd)ef"), (Runs{"ef"}));
    EXPECT_EQ(required_literals("ab(?i)cd"), (Runs{"ab"}));     // caseless from there on
    EXPECT_EQ(required_literals(R"(ab\x41cd)"), (Runs{"ab"}));  // "41cd" is not literal
    EXPECT_EQ(required_literals(R"(ab(?(1)c|d)ef)"), (Runs{"ab", "ef"}));
}

// Splitting a pattern must not change what it matches, nor may a "required" run be missing from any match.
TEST(LiteralPrefix, AgreesWithTheWholePatternOnRandomOnes) {
    static const std::vector<std::string> atoms = {
        "/",    "a",      "b",           "a",   "ab",       ".",     "[ab]", "[^a/]", "(a|b)", "(?:ab)",   "\\.", "\\d",
        "(?i)", "(?i:A)", "|",           "*",   "+",        "?",     "{2}",  "{1,2}", "$",     "^",        "\\b", "(a",
        ")",    "[]a]",   "[[:alpha:]]", "\\|", "(?P<n>a)", "\\x61", "\\pL", "{",     "}",     "\\Qa|\\E", "é"};
    static const std::string letters = "ab/.|A1{}";
    RE2::Options quiet;
    quiet.set_log_errors(false);
    std::size_t compared = 0;
    for (unsigned seed = 1; seed <= 20000; ++seed) {
        std::mt19937 random(seed);
        std::string pattern = "/";
        for (std::size_t n = random() % 7; n > 0; --n) pattern += atoms[random() % atoms.size()];
        RE2 whole("(?:" + pattern + ")", quiet);
        // ")(" is a fault that the brackets around it would hide.
        if (!whole.ok() || !RE2(pattern, quiet).ok()) continue;
        LiteralPrefix split = literal_prefix(pattern);
        RE2 rest(std::string(split.rest), quiet);
        ASSERT_TRUE(rest.ok()) << "seed " << seed << " " << pattern;
        for (int attempt = 0; attempt < 10; ++attempt) {
            std::string text = "/";
            for (std::size_t n = random() % 7; n > 0; --n) text += letters[random() % letters.size()];
            re2::StringPiece expected;
            bool matches = whole.Match(text, 0, text.size(), RE2::ANCHOR_START, &expected, 1);
            bool begins = text.starts_with(split.text);
            re2::StringPiece behind;
            bool split_matches =
                begins && rest.Match(text, split.text.size(), text.size(), RE2::ANCHOR_START, &behind, 1);
            ASSERT_EQ(split_matches, matches) << "seed " << seed << " '" << pattern << "' on '" << text << "'";
            if (!matches) continue;
            ++compared;
            ASSERT_EQ(split.text.size() + behind.size(), expected.size())
                << "seed " << seed << " " << pattern << " " << text;
            for (const std::string& run : required_literals(split.rest)) {
                ASSERT_NE(text.substr(split.text.size()).find(run), text.npos)
                    << "seed " << seed << " '" << pattern << "' on '" << text << "' without '" << run << "'";
            }
        }
    }
    EXPECT_GT(compared, 10000u);
}

TEST(CheckPattern, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/pattern_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        check_pattern(bytes.str());
        ++seeds;
    }
    EXPECT_GT(seeds, 10u);
}

}  // namespace
}  // namespace route
