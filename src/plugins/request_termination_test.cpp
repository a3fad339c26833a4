#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

using RequestTerminationTest = PluginTest;

TEST_F(RequestTerminationTest, AnswersWithItsMessage) {
    use("request-termination", "{status_code: 403, message: 'no \"more\"'}");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "403 {\"message\":\"no \\\"more\\\"\"}");
}

TEST_F(RequestTerminationTest, HasAMessageForSomeStatuses) {
    use("request-termination", "");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "503 {\"message\":\"Service unavailable\"}");
    use("request-termination", "{status_code: 204}");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "204 ");
}

TEST_F(RequestTerminationTest, WaitsForItsTrigger) {
    use("request-termination", "{trigger: x-stop}");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "go on");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\nX-Stop: 1\r\n\r\n"), "503 {\"message\":\"Service unavailable\"}");
    EXPECT_EQ(answer("GET /?x%2dstop HTTP/1.1\r\nHost: a\r\n\r\n"), "503 {\"message\":\"Service unavailable\"}");
}

TEST_F(RequestTerminationTest, RefusesSettingsThatExcludeEachOther) {
    EXPECT_NE(try_use("request-termination", "{message: a, body: b}").find("message cannot be used"),
              std::string::npos);
    EXPECT_NE(try_use("request-termination", "{status_code: 99}").find("between 100 and 599"), std::string::npos);
}

}  // namespace
}  // namespace plugin
