#include "route/regex.h"

#include <gtest/gtest.h>

#include <thread>

namespace route {
namespace {

Regex compiled(std::string_view pattern, Regex::Mode mode = Regex::Mode::at_start) {
    auto regex = Regex::compile(pattern, mode);
    EXPECT_TRUE(regex) << pattern << ": " << (regex ? "" : regex.error().detail);
    return std::move(*regex);
}

TEST(Regex, CapturesByNumberAndNameOnEveryEngine) {
    for (const char* look : {"", "(?:|)", "(?=/)"}) {
        Regex regex = compiled(std::string(look) + R"(/(?<kind>[a-z]+)/(?P<id>\d+)(x?))");
        EXPECT_EQ(regex.is_simple(), *look == '\0');
        EXPECT_EQ(regex.is_linear(), *look == '\0' || look[2] == ':');
        Captures captures;
        ASSERT_EQ(regex.match("/base/pets/42/tail", 5, &captures), Regex::Outcome::matches);
        ASSERT_EQ(captures.count, 4u);
        EXPECT_EQ(captures.groups[0], "/pets/42");
        EXPECT_EQ(captures.groups[1], "pets");
        EXPECT_EQ(captures.groups[2], "42");
        EXPECT_EQ(captures.groups[3], "");
        ASSERT_EQ(regex.names().size(), 2u);
        for (const CaptureName& name : regex.names()) EXPECT_EQ(name.group, name.name == "kind" ? 1 : 2);
    }
}

TEST(Regex, BeginsExactlyWhereItIsTold) {
    for (const char* look : {"", "(?=b)"}) {
        Regex regex = compiled(std::string(look) + "b+");
        Captures captures;
        EXPECT_EQ(regex.match("abb", 0, &captures), Regex::Outcome::differs);
        EXPECT_EQ(regex.match("abb", 1, &captures), Regex::Outcome::matches);
        EXPECT_EQ(captures.groups[0], "bb");
        EXPECT_EQ(compiled(std::string(look) + "b$").match("abb", 1, nullptr), Regex::Outcome::differs);
    }
    EXPECT_EQ(compiled("^b").match("ab", 1, nullptr), Regex::Outcome::differs);
    EXPECT_EQ(compiled(R"(\bb)").match("ab", 1, nullptr), Regex::Outcome::differs);
    EXPECT_EQ(compiled(R"((?<=a)b)").match("ab", 1, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled(R"((?<!a)b)").match("ab", 1, nullptr), Regex::Outcome::differs);
}

// PCRE2 10.42's start optimisations get this wrong.
TEST(Regex, LookAheadBeforeTheSameByte) {
    EXPECT_EQ(compiled("(?=b)a*b").match("b", 0, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled("(?=b)a*b").match("/bbb", 3, nullptr), Regex::Outcome::matches);
}

TEST(Regex, LeavesQuotedBracketsAlone) {
    EXPECT_EQ(compiled(R"(\(?<n>)").match("<n>", 0, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled("[(?<n>]x").match("<x", 0, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled("[](?<n>]x").match("]x", 0, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled("[[:alpha:](?<n>]x").match("?x", 0, nullptr), Regex::Outcome::matches);
}

TEST(Regex, SearchesWithoutCase) {
    for (const char* look : {"", "(?=v)"}) {
        Regex regex = compiled(std::string(look) + R"(v\d$)", Regex::Mode::search_caseless);
        EXPECT_EQ(regex.match("api-V2", 0, nullptr), Regex::Outcome::matches);
        EXPECT_EQ(regex.match("api-V2x", 0, nullptr), Regex::Outcome::differs);
    }
}

TEST(Regex, ReportsWhatDoesNotCompile) {
    for (const char* pattern : {"a(b", "a[b", "*", "a{2,1}", "\\"}) {
        auto regex = Regex::compile(pattern, Regex::Mode::at_start);
        ASSERT_FALSE(regex) << pattern;
        EXPECT_NE(regex.error().detail.find("at offset"), std::string::npos) << regex.error().detail;
    }
    EXPECT_FALSE(Regex::compile(std::string(max_path_pattern + 1, 'a'), Regex::Mode::at_start));
}

TEST(Regex, RefusesMoreGroupsThanItCaptures) {
    std::string most;
    for (std::size_t i = 0; i < max_capture_groups; ++i) most += "(a)";
    for (const char* look : {"", "(?=a)"}) {
        Regex regex = compiled(look + most);
        Captures captures;
        ASSERT_EQ(regex.match(std::string(max_capture_groups, 'a'), 0, &captures), Regex::Outcome::matches);
        EXPECT_EQ(captures.count, max_capture_groups + 1);
        EXPECT_FALSE(Regex::compile(look + most + "(a)", Regex::Mode::at_start));
    }
}

// Nested repetition: linear on RE2; on PCRE2 (because of the back-reference) given up at the step limit.
TEST(Regex, CatastrophicPatternsAreBounded) {
    std::string text(5000, 'a');
    EXPECT_EQ(compiled("(a+)+$").match(text + "b", 0, nullptr), Regex::Outcome::differs);
    Regex backtracking = compiled(R"((a+)+\1b$)");
    EXPECT_FALSE(backtracking.is_linear());
    EXPECT_EQ(backtracking.match(text + "bc", 0, nullptr), Regex::Outcome::limited);
    EXPECT_EQ(backtracking.match("aaab", 0, nullptr), Regex::Outcome::matches);  // the limit is per match
    EXPECT_FALSE(Regex::compile("(((a{1000}){1000}){1000}){1000}", Regex::Mode::at_start));
}

TEST(Regex, HostileTextIsJustText) {
    std::string text("/\0\xff\xc3\x28/x", 7);
    EXPECT_EQ(compiled("/.*x$").match(text, 0, nullptr), Regex::Outcome::differs);  // not UTF-8
    EXPECT_EQ(compiled(R"((?=/)/[^y]*x$)").match(text, 0, nullptr), Regex::Outcome::matches);
    EXPECT_EQ(compiled("").match("", 0, nullptr), Regex::Outcome::matches);
}

TEST(Regex, SharedByThreads) {
    Regex regex = compiled(R"((a+)+\1b$)");
    std::vector<std::thread> threads;
    std::array<Regex::Outcome, 4> outcomes{};
    for (auto& outcome : outcomes) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) outcome = regex.match("aaaab", 0, nullptr);
        });
    }
    for (auto& thread : threads) thread.join();
    for (auto outcome : outcomes) EXPECT_EQ(outcome, Regex::Outcome::matches);
}

}  // namespace
}  // namespace route
