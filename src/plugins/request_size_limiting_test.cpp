#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class RequestSizeLimitingTest : public PluginTest {
  protected:
    std::string post(std::string_view headers) {
        std::string got =
            answer("POST / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n" + std::string(headers) + "\r\n");
        return got.substr(0, got.find('\n'));
    }
};

TEST_F(RequestSizeLimitingTest, CountsWhatIsDeclared) {
    use("request-size-limiting", "{allowed_payload_size: 10, size_unit: bytes}");
    EXPECT_EQ(post("Content-Length: 10\r\n"), "go on");
    EXPECT_EQ(post("Content-Length: 11\r\n"), "413 Request size limit exceeded");
    EXPECT_EQ(post("Content-Length: 20\r\nExpect: 100-continue\r\n"), "417 Request size limit exceeded");
    EXPECT_EQ(post("Content-Length: 99999999999999\r\n"), "413 Request size limit exceeded");
    EXPECT_EQ(post(""), "go on");
}

TEST_F(RequestSizeLimitingTest, HasWhatIsNotDeclaredCounted) {
    use("request-size-limiting", "{allowed_payload_size: 3, size_unit: kilobytes, require_content_length: true}");
    auto made = exchange("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->most_request_body, 3072U);
    EXPECT_EQ(made->too_large_message, "Request size limit exceeded");
    // The narrower of two limits holds.
    made->most_request_body = 100;
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->most_request_body, 100U);
}

TEST_F(RequestSizeLimitingTest, AsksForALength) {
    use("request-size-limiting", "{require_content_length: true}");
    EXPECT_EQ(post(""), "411 A valid Content-Length header is required");
    EXPECT_EQ(post("Content-Length: 0\r\n"), "go on");
    EXPECT_EQ(post("Content-Length: 134217728\r\n"), "go on");
    EXPECT_EQ(post("Content-Length: 134217729\r\n"), "413 Request size limit exceeded");
}

TEST_F(RequestSizeLimitingTest, HasLimitsAtBothEnds) {
    use("request-size-limiting", "{allowed_payload_size: 0}");
    EXPECT_EQ(post("Content-Length: 1\r\n"), "413 Request size limit exceeded");
    EXPECT_EQ(post("Content-Length: 0\r\n"), "go on");
    EXPECT_EQ(post("Transfer-Encoding: chunked\r\n"), "413 Request size limit exceeded");
    use("request-size-limiting", "{allowed_payload_size: 9007199254740992}");
    EXPECT_EQ(post("Content-Length: 99999999999999\r\n"), "go on");
    EXPECT_NE(try_use("request-size-limiting", "{allowed_payload_size: -1}"), "");
    EXPECT_NE(try_use("request-size-limiting", "{size_unit: kb}").find("expected one of: megabytes"),
              std::string::npos);
}

}  // namespace
}  // namespace plugin
