#include "command/admin_client.h"

#include <gtest/gtest.h>

namespace command {
namespace {

std::string lines_of(const char* json) {
    schema::ParseResult parsed = schema::parse_json(json, 0, {});
    const auto* tree = std::get_if<schema::Tree>(&parsed);
    return tree == nullptr ? "not JSON" : status_lines(tree->root());
}

TEST(StatusLines, ShowsEachMember) {
    EXPECT_EQ(lines_of(R"({"version":"0.1.0","pid":7,"requests":{"active":1,"total":20}})"),
              "version           0.1.0\n"
              "pid               7\n"
              "requests          active 1  total 20\n");
}

TEST(StatusLines, ShowsTimesAsTimes) {
    EXPECT_EQ(lines_of(R"({"snapshot":{"version":2,"loaded_at_ms":1790000000123}})"),
              "snapshot          version 2  loaded_at 2026-09-21T14:13:20Z\n");
}

TEST(StatusLines, ShowsWhatPluginsKeep) {
    EXPECT_EQ(lines_of(R"({"plugins":[{"name":"circuit_state","plugin":"a","target":"","value":1},)"
                       R"({"name":"jwks_keys","value":2.5}],"log_lines_dropped":0})"),
              "plugins\n"
              "  circuit_state 1  plugin=a\n"
              "  jwks_keys 2.5\n"
              "log_lines_dropped 0\n");
}

}  // namespace
}  // namespace command
