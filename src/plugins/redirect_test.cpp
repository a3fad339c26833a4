#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class RedirectTest : public PluginTest {
  protected:
    std::string redirected(std::string_view target) {
        auto made = exchange("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(run(*made), Verdict::answered);
        EXPECT_EQ(made->response_text, "redirecting");
        return std::to_string(made->response.status) + " " + std::string(made->response.headers.first("Location"));
    }
};

TEST_F(RedirectTest, SendsElsewhere) {
    use("redirect", "{location: 'https://new.example/a?b=c'}");
    EXPECT_EQ(redirected("/x?y=1"), "301 https://new.example/a?b=c");
}

TEST_F(RedirectTest, KeepsThePath) {
    use("redirect", "{location: 'https://new.example:8443/a?b=c', keep_incoming_path: true, status_code: 308}");
    EXPECT_EQ(redirected("/x%20y/?y=1"), "308 https://new.example:8443/x%20y/?y=1");
    EXPECT_EQ(redirected("/"), "308 https://new.example:8443/");
    EXPECT_EQ(redirected("//evil.example/x"), "308 https://new.example:8443//evil.example/x");
    use("redirect", "{location: 'https://new.example', keep_incoming_path: true}");
    EXPECT_EQ(redirected("/x"), "301 https://new.example/x");
}

TEST_F(RedirectTest, SettingsThatAreRefused) {
    EXPECT_NE(try_use("redirect", "{}").find("required field missing"), std::string::npos);
    for (std::string_view location : {"/x", "new.example", "https://", "https:///x", "://x"})
        EXPECT_NE(try_use("redirect", "{location: '" + std::string(location) + "'}").find("missing host in url"),
                  std::string::npos)
            << location;
    EXPECT_NE(try_use("redirect", R"({location: "https://a/\r\nX: y"})").find("invalid value"), std::string::npos);
    EXPECT_NE(try_use("redirect", "{location: 'https://a', status_code: 600}").find("between 100 and 599"),
              std::string::npos);
}

}  // namespace
}  // namespace plugin
