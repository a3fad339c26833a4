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

// The members of kong.md 4.19; a hostile client does not break the JSON.
TEST_F(RequestTerminationTest, EchoesTheRequest) {
    use("request-termination", "{echo: true, status_code: 404}");
    std::string got = answer(
        "POST /a%20b?x=1&x=2&y&z=%22 HTTP/1.1\r\nHost: Gw.example\r\nX-A: 1\r\nx-a: \"2\xff\"\r\nContent-Length: "
        "4\r\n\r\n"
        "\"b\ny");
    EXPECT_TRUE(got.starts_with("404 {\"message\":\"Not found\",\"kong\":{\"worker_pid\":")) << got;
    for (std::string_view part :
         {R"("scheme":"http","host":"Gw.example","port":8000)", R"("x-a":"1, \"2?\"")",
          R"("query":{"x":["1","2"],"y":true,"z":"\""})", R"("raw_body":"\"b\u000ay")", R"("method":"POST","path":"/a%20b")",
          R"("uri_captures":{"named":{},"unnamed":{}})", R"("matched_route":{"id":"00000000-)"})
        EXPECT_NE(got.find(part), std::string::npos) << part << " in " << got;
    EXPECT_NE(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n").find(R"("raw_body":"")"), std::string::npos);
}

TEST_F(RequestTerminationTest, EchoesOnlyWhereItIsTriggered) {
    use("request-termination", "{echo: true, trigger: x-stop}");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "go on");
    EXPECT_TRUE(answer("GET /?x-stop HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("503 {\"message\":"));
}

}  // namespace
}  // namespace plugin
