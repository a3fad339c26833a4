#include "schema/error.h"

#include <gtest/gtest.h>

namespace schema {
namespace {

Problems sample() {
    Problems problems;
    problems.add({.mark = {.line = 3, .column = 7},
                  .path = {{"services", 0}, {"", 1}, {"port", 0}},
                  .message = "expected an integer",
                  .hint = "write a number"});
    problems.add({.severity = Severity::warning,
                  .mark = {.line = 4, .column = 1, .file = 1},
                  .path = {{"a.b", 0}},
                  .message = "odd \"thing\""});
    problems.add({.mark = {.line = 5, .column = 2},
                  .path = {{"services", 0}, {"", 1}},
                  .message = "both or none",
                  .about_entity = true});
    return problems;
}

// A slip of the pen in a field's name makes a rule over the fields fail: it comes first.
TEST(Problems, CausesComeBeforeWhatFollowsFromThem) {
    Problems problems;
    problems.add({.mark = {.line = 2}, .path = {{"config", 0}}, .message = "none given", .about_entity = true});
    problems.add({.mark = {.line = 2}, .path = {{"config", 0}, {"host", 0}}, .message = "required field missing"});
    problems.add({.mark = {.line = 4}, .path = {{"config", 0}, {"hots", 0}}, .message = "unknown field"});
    problems.add({.mark = {.line = 3}, .path = {{"other", 0}, {"x", 0}}, .message = "unknown field"});
    problems.sort();
    std::string order;
    for (const Problem& problem : problems.list()) order += problem.message + "; ";
    EXPECT_EQ(order, "unknown field; unknown field; none given; required field missing; ");
    EXPECT_EQ(problems.list()[0].mark.line, 3U);
}

TEST(Print, ForPeople) {
    EXPECT_EQ(print_human(sample(), {"one.yml", "two.yml"}),
              "one.yml:3:7: error: services[1].port: expected an integer\n"
              "    write a number\n"
              "two.yml:4:1: warning: [\"a.b\"]: odd \"thing\"\n"
              "one.yml:5:2: error: services[1]: both or none\n"
              "2 errors, 1 warning\n");
    EXPECT_EQ(print_human({}, {}), "");
}

TEST(Print, ForPrograms) {
    std::string text = print_json(sample(), {"one.yml", "two.yml"});
    EXPECT_NE(
        text.find(
            R"({"severity": "warning", "file": "two.yml", "line": 4, "column": 1, "path": "[\"a.b\"]", "message": "odd \"thing\"", "hint": ""})"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("\"errors\": 2"), std::string::npos);
}

TEST(Print, AsKong) {
    EXPECT_EQ(print_kong(sample()),
              "in 'services':\n"
              "  - in entry 2 of 'services':\n"
              "    in 'port': expected an integer\n"
              "    in '@entity':\n"
              "      - in entry 1 of '@entity': both or none\n");
}

TEST(Problems, AreBoundedButCounted) {
    Problems problems;
    for (int i = 0; i < 5000; ++i) problems.add({.severity = Severity::warning, .message = "w"});
    for (int i = 0; i < 5000; ++i) problems.add({.message = "e"});
    EXPECT_EQ(problems.errors(), 5000u);
    EXPECT_EQ(problems.warnings(), 5000u);
    EXPECT_EQ(problems.list().size(), 2 * Problems::limit);  // warnings never push errors out
    EXPECT_NE(print_human(problems, {}).find("... and 8000 more\n5000 errors, 5000 warnings\n"), std::string::npos);
}

TEST(Nearest, FindsASlipOfThePen) {
    std::vector<std::string_view> words{"services", "routes", "plugins", "read_timeout", "retries"};
    EXPECT_EQ(nearest("servicez", words), "services");
    EXPECT_EQ(nearest("ruotes", words), "routes");
    EXPECT_EQ(nearest("timeout", words), "");
    EXPECT_EQ(nearest("readtimeout", words), "read_timeout");
    EXPECT_EQ(nearest("", words), "");
    EXPECT_EQ(nearest("x", words), "");
    EXPECT_EQ(nearest(std::string(100000, 'a'), words), "");
}

}  // namespace
}  // namespace schema
