#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class CorsTest : public PluginTest {
  protected:
    // The fields of the plugin's making on an answer, one a line in their order.
    static std::string fields(const FakeExchange& exchange) {
        std::string out;
        for (const http::Header& header : exchange.response.headers)
            if (header.name.starts_with("Access-") || header.known == http::Known::vary)
                out += std::string(header.name) + ": " + std::string(header.value) + "\n";
        return out;
    }
    std::string simple(std::string_view headers, std::string_view upstream_headers = {}) {
        auto made = exchange("GET /cors HTTP/1.1\r\nHost: gw.example\r\n" + std::string(headers) + "\r\n");
        EXPECT_EQ(run(*made), Verdict::go_on);
        made->answer_from_upstream(200, upstream_headers);
        respond(*made);
        return fields(*made);
    }
    std::string preflight(std::string_view headers) {
        auto made = exchange("OPTIONS /cors HTTP/1.1\r\nHost: gw.example\r\n" + std::string(headers) + "\r\n");
        if (run(*made) == Verdict::go_on) {
            made->answer_from_upstream(200, "Access-Control-Allow-Origin: upstream\r\n");
            respond(*made);
            return "upstream's: " + fields(*made);
        }
        respond(*made);
        EXPECT_EQ(made->response.status, 200);
        EXPECT_EQ(made->response_text, "");
        return fields(*made);
    }
    static std::string lines(std::initializer_list<std::string_view> all) {
        std::string out;
        for (std::string_view line : all) out += std::string(line) + "\n";
        return out;
    }
};

constexpr std::string_view app = "Origin: https://app.example\r\n";
constexpr std::string_view asks =
    "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n"
    "Access-Control-Request-Headers: X-Foo, Content-Type\r\n";
constexpr std::string_view all_methods =
    "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";
constexpr std::string_view list =
    R"({origins: ["https://petstore.com", '^https://.*\.ok\.example$'], methods: [GET, POST, PUT, DELETE],
        headers: [Authorization, X-A], exposed_headers: [X-B], max_age: 600, credentials: true})";

// kong-observed.md 7, in its order.
TEST_F(CorsTest, EverybodyWithCredentials) {
    use("cors", "{origins: ['*'], credentials: true}");
    EXPECT_EQ(simple(app), lines({"Access-Control-Allow-Origin: https://app.example", "vary: Origin",
                                  "Access-Control-Allow-Credentials: true"}));
    EXPECT_EQ(simple(""), lines({"Access-Control-Allow-Origin: *"}));
    EXPECT_EQ(preflight(asks), lines({"Access-Control-Allow-Origin: https://app.example", "vary: Origin",
                                      "Access-Control-Allow-Credentials: true",
                                      "Access-Control-Allow-Headers: X-Foo, Content-Type", all_methods}));
    EXPECT_EQ(preflight("Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n"),
              lines({"Access-Control-Allow-Origin: https://app.example", "vary: Origin",
                     "Access-Control-Allow-Credentials: true", all_methods}));
    EXPECT_EQ(preflight("Access-Control-Request-Method: PUT\r\n"), "upstream's: Access-Control-Allow-Origin: *\n");
    EXPECT_EQ(preflight(app), "upstream's: " + simple(app));
}

TEST_F(CorsTest, EverybodyWithoutCredentials) {
    for (std::string_view settings : {"{origins: ['*']}", "{}", "{origins: []}"}) {
        use("cors", settings);
        EXPECT_EQ(simple(app), lines({"Access-Control-Allow-Origin: *"}));
        EXPECT_EQ(simple(""), lines({"Access-Control-Allow-Origin: *"}));
        EXPECT_EQ(preflight(asks), lines({"Access-Control-Allow-Origin: *",
                                          "Access-Control-Allow-Headers: X-Foo, Content-Type", all_methods}));
    }
}

TEST_F(CorsTest, AList) {
    use("cors", list);
    std::string others =
        lines({"vary: Origin", "Access-Control-Allow-Credentials: true", "Access-Control-Expose-Headers: X-B"});
    auto allowed = [](std::string_view origin) {
        return lines({"vary: Origin", "Access-Control-Allow-Origin: " + std::string(origin),
                      "Access-Control-Allow-Credentials: true", "Access-Control-Expose-Headers: X-B"});
    };
    EXPECT_EQ(simple(app), others);
    EXPECT_EQ(simple(""), others);
    EXPECT_EQ(simple("Origin: https://petstore.com\r\n"), allowed("https://petstore.com"));
    EXPECT_EQ(simple("Origin: https://petstore.com:443\r\n"), allowed("https://petstore.com"));
    EXPECT_EQ(simple("Origin: https://a.ok.example\r\n"), allowed("https://a.ok.example"));
    for (std::string_view origin : {"http://petstore.com", "https://PetStore.com", "null", "https://petstore.com:444",
                                    "https://petstore.com.evil.example", "https://a.ok.example.evil.example",
                                    "https://petstore.com@evil.example", "https://evil.example#.ok.example", "x"})
        EXPECT_EQ(simple("Origin: " + std::string(origin) + "\r\n"), others) << origin;
    EXPECT_EQ(preflight(asks),
              lines({"vary: Origin", "Access-Control-Allow-Credentials: true",
                     "Access-Control-Allow-Headers: Authorization,X-A",
                     "Access-Control-Allow-Methods: GET,POST,PUT,DELETE", "Access-Control-Max-Age: 600"}));
    EXPECT_EQ(preflight("Origin: https://petstore.com\r\nAccess-Control-Request-Method: PUT\r\n"),
              lines({"vary: Origin", "Access-Control-Allow-Origin: https://petstore.com",
                     "Access-Control-Allow-Credentials: true", "Access-Control-Allow-Headers: Authorization,X-A",
                     "Access-Control-Allow-Methods: GET,POST,PUT,DELETE", "Access-Control-Max-Age: 600"}));
    // An upstream's permission does not pass for somebody who may not.
    EXPECT_EQ(simple(app, "Access-Control-Allow-Origin: *\r\n"), others);
}

TEST_F(CorsTest, OneOriginIsSentToWhoeverAsks) {
    use("cors", "{origins: ['https://petstore.com'], credentials: true, preflight_continue: true}");
    std::string fields = lines({"vary: Origin", "Access-Control-Allow-Origin: https://petstore.com",
                                "Access-Control-Allow-Credentials: true"});
    EXPECT_EQ(simple("Origin: https://evil.example\r\n"), fields);
    EXPECT_EQ(simple(""), fields);
    EXPECT_EQ(preflight(asks), "upstream's: Access-Control-Allow-Origin: upstream\n");
}

TEST_F(CorsTest, OneRegexIsMatched) {
    use("cors", R"({origins: ['(.+\.)?ok\.example']})");
    EXPECT_EQ(simple("Origin: http://a.ok.example:8080\r\n"),
              lines({"vary: Origin", "Access-Control-Allow-Origin: http://a.ok.example:8080"}));
    EXPECT_EQ(simple("Origin: http://notok.example\r\n"), lines({"vary: Origin"}));
}

TEST_F(CorsTest, AStarInAList) {
    use("cors", "{origins: ['https://a.example', '*']}");
    EXPECT_EQ(simple("Origin: https://a.example\r\n"),
              lines({"vary: Origin", "Access-Control-Allow-Origin: https://a.example"}));
    EXPECT_EQ(simple(app), lines({"vary: Origin", "Access-Control-Allow-Origin: *"}));
    use("cors", "{origins: ['https://a.example', '*'], credentials: true}");
    EXPECT_EQ(simple(app), lines({"vary: Origin", "Access-Control-Allow-Origin: https://app.example",
                                  "Access-Control-Allow-Credentials: true"}));
}

TEST_F(CorsTest, PrivateNetworks) {
    std::string asking = std::string(asks) + "Access-Control-Request-Private-Network: true\r\n";
    use("cors", "{private_network: true}");
    EXPECT_NE(preflight(asking).find("Access-Control-Allow-Private-Network: true\n"), std::string::npos);
    EXPECT_EQ(preflight(asks).find("Private-Network"), std::string::npos);
    use("cors", "{}");
    EXPECT_EQ(preflight(asking).find("Private-Network"), std::string::npos);
}

TEST_F(CorsTest, RequestsWithoutOriginCanBeLeftAlone) {
    use("cors", "{origins: ['https://petstore.com'], allow_origin_absent: false}");
    EXPECT_EQ(simple(""), "");
    EXPECT_NE(simple(app), "");
}

// An upstream, or a stored answer, may have the fields already.
TEST_F(CorsTest, FieldsDoNotDouble) {
    use("cors", "{origins: ['*'], credentials: true}");
    EXPECT_EQ(simple(app, "Access-Control-Allow-Origin: x\r\nVary: Accept-Encoding\r\n"),
              lines({"Access-Control-Allow-Origin: https://app.example", "Vary: Accept-Encoding", "vary: Origin",
                     "Access-Control-Allow-Credentials: true"}));
    for (std::string_view vary : {"vary: Origin", "Vary: Accept, origin", "Vary: *"})
        EXPECT_EQ(simple(app, std::string(vary) + "\r\n"),
                  lines({vary, "Access-Control-Allow-Origin: https://app.example",
                         "Access-Control-Allow-Credentials: true"}));
}

TEST_F(CorsTest, SettingsThatAreRefused) {
    EXPECT_NE(try_use("cors", "{origins: '*'}").find("expected an array"), std::string::npos);
    EXPECT_NE(try_use("cors", "{max_age: x}").find("expected a number"), std::string::npos);
    EXPECT_NE(try_use("cors", "{origins: ['(']}").find("not a valid regex: ("), std::string::npos);
    EXPECT_NE(try_use("cors", "{methods: [get]}").find("expected one of: GET, HEAD"), std::string::npos);
    EXPECT_NE(try_use("cors", "{origin: ['*']}").find("unknown field"), std::string::npos);
}

}  // namespace
}  // namespace plugin
