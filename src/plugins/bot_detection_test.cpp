#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class BotDetectionTest : public PluginTest {
  protected:
    std::string as(std::string_view agent) { return fields("User-Agent: " + std::string(agent) + "\r\n"); }
    std::string fields(std::string_view headers) {
        std::string got = answer("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n" + std::string(headers) + "\r\n");
        return got.substr(0, got.find('\n'));
    }
};

TEST_F(BotDetectionTest, KnowsRobots) {
    use("bot-detection", "");
    for (std::string_view agent : {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                                   "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                                   "Mozilla/5.0 (compatible; YandexBot/3.0)",
                                   "Twitterbot/1.0",
                                   "facebookexternalhit/1.1",
                                   "Mozilla/5.0 (compatible; Baiduspider/2.0)",
                                   "Mozilla/5.0 (compatible; Yahoo! Slurp)",
                                   "Go-http-client/1.1",
                                   "okhttp/4.9.0",
                                   "Python-urllib/3.11",
                                   "python-requests/2.31.0",
                                   "axios/1.6.0",
                                   "Scrapy/2.11 (+https://scrapy.org)",
                                   "my-crawler/1.0",
                                   "SomeBot/0.1",
                                   "Java/17.0.1",
                                   "googlebot",
                                   "my_spider",
                                   "Mozilla/5.0 (compatible; MJ12bot/v1.4.8)",
                                   "web crawler",
                                   "bot",
                                   "360Spider",
                                   "Apache-HttpClient/4.5 (Java/1.8)"})
        EXPECT_EQ(as(agent), "403 Forbidden") << agent;
}

TEST_F(BotDetectionTest, LetsBrowsersAndToolsThrough) {
    use("bot-detection", "");
    for (std::string_view agent :
         {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
          "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0", "curl/7.88.1",
          "MyApp/2.0 (robotics)", "bottle/1.0", "MyJava/1.0",
          "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36", "Mozilla/5.0 (Linux; Android 9; Cubot X19)",
          ""})
        EXPECT_EQ(as(agent), "go on") << agent;
    EXPECT_EQ(fields(""), "go on");
}

TEST_F(BotDetectionTest, HasListsOfItsOwn) {
    use("bot-detection", "{allow: ['Twitter', '^curl/9'], deny: ['^curl', 'evil$']}");
    EXPECT_EQ(as("Twitterbot/1.0"), "go on");
    EXPECT_EQ(as("curl/7.88.1"), "403 Forbidden");
    EXPECT_EQ(as("curl/9.1"), "go on");
    EXPECT_EQ(as("libcurl"), "go on");
    EXPECT_EQ(as("very evil"), "403 Forbidden");
    EXPECT_EQ(as("very Evil"), "go on");
    EXPECT_EQ(as("Googlebot/2.1"), "403 Forbidden");
}

TEST_F(BotDetectionTest, TakesOneUserAgent) {
    use("bot-detection", "{allow: [a]}");
    EXPECT_EQ(fields("User-Agent: a\r\nUser-Agent: Googlebot/2.1\r\n"), "400 Only one User-Agent header allowed");
}

TEST_F(BotDetectionTest, WhoseNameCannotBeMatchedIsDenied) {
    use("bot-detection", R"({deny: ['(?=a)(a+)+\1c']})");
    EXPECT_EQ(as(std::string(60, 'a')), "403 Forbidden");
    EXPECT_EQ(as("b"), "go on");
}

TEST_F(BotDetectionTest, SettingsThatAreRefused) {
    EXPECT_NE(try_use("bot-detection", "{deny: ['[']}").find("not a valid regex: ["), std::string::npos);
    EXPECT_NE(try_use("bot-detection", "{allow: x}").find("expected an array"), std::string::npos);
}

}  // namespace
}  // namespace plugin
