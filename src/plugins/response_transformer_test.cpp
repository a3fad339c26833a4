#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class ResponseTransformerTest : public PluginTest {
  protected:
    std::unique_ptr<FakeExchange> made;

    // What the client gets of an upstream's answer: fields (but Content-Length), an empty line, the body.
    std::string answered(std::string_view headers, std::string_view body = {}) {
        made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        made->answer_from_upstream(200, headers, body);
        respond(*made);
        return shown();
    }
    std::string json(std::string_view body) {
        std::string got = answered("Content-Type: application/json\r\n", body);
        return got.substr(got.find("\n\n") + 2);
    }
    std::string shown() const {
        std::string out;
        for (const http::Header& header : made->response.headers)
            if (header.known != http::Known::content_length)
                out += std::string(header.name) + ": " + std::string(header.value) + "\n";
        return out + "\n" + std::string(made->response_text);
    }
};

// kong-observed.md 9.
TEST_F(ResponseTransformerTest, RemovesAndAdds) {
    use("response-transformer",
        "{remove: {headers: [X-Rm, Set-Cookie], json: [headers, version]}, add: {headers: ['X-Add:1'], "
        "json: ['extra:yes']}}");
    EXPECT_EQ(answered("Content-Type: application/json\r\nX-Rm: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n",
                       R"({"method":"GET","target":"/base/x?cookie=1","version":"1.1","headers":{},"body":""})"),
              "Content-Type: application/json\nX-Add: 1\n\n"
              R"({"method":"GET","target":"/base/x?cookie=1","body":"","extra":"yes"})");
}

TEST_F(ResponseTransformerTest, Headers) {
    use("response-transformer",
        "{rename: {headers: ['X-Old:X-New']}, replace: {headers: ['X-Rep:new', 'X-None:1']}, "
        "add: {headers: ['X-Rep:no', 'X-Add:http://a:80', 'X-Empty:']}, append: {headers: ['X-App:2', 'X-Two:1']}}");
    EXPECT_EQ(answered("X-Old: 1\r\nx-old: 2\r\nX-New: 3\r\nX-Rep: a\r\nX-Rep: b\r\nX-App: 1\r\n"),
              "X-Rep: new\nX-App: 1\nX-New: 1\nX-New: 2\nX-Add: http://a:80\nX-App: 2\nX-Two: 1\n\n");
}

TEST_F(ResponseTransformerTest, JsonHasTypes) {
    use("response-transformer",
        "{replace: {json: ['a:7', 'n:8'], json_types: [number]}, "
        "add: {json: ['b:true', 'c:1.5', 'd:x\"y', 'e:x'], json_types: [boolean, number, string]}, "
        "append: {json: ['l:1', 'l:2'], json_types: [number]}, rename: {json: ['o:p']}}");
    EXPECT_EQ(json(R"({"a":1,"o":2})"), R"({"a":7,"p":2,"b":true,"c":1.5,"d":"x\"y","e":"x","l":[1,"2"]})");
    EXPECT_EQ(json("[1]"), "[1]");
    EXPECT_EQ(json("{bad"), "{bad");
    EXPECT_EQ(json(""), "");
}

TEST_F(ResponseTransformerTest, OtherBodiesAreNotHeld) {
    use("response-transformer", "{remove: {json: [a]}}");
    answered("Content-Type: text/html\r\n", R"({"a":1})");
    EXPECT_EQ(made->buffered_most, 0U);
    EXPECT_EQ(made->response_text, R"({"a":1})");
    // Held for another plugin.
    made->buffer_response(100);
    type->on_response_body(under_test.get(), *made);
    EXPECT_EQ(made->response_text, R"({"a":1})");
    use("response-transformer", "{remove: {headers: [a]}}");
    answered("Content-Type: application/json\r\n", R"({"a":1})");
    EXPECT_EQ(made->buffered_most, 0U);
}

TEST_F(ResponseTransformerTest, ChangesAnswersOfOurOwn) {
    use("response-transformer", "{add: {headers: ['X-Add:1'], json: ['hint:ask']}}");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    reply_message(*made, 401, "Unauthorized");
    respond(*made);
    EXPECT_EQ(shown(),
              "Content-Type: application/json; charset=utf-8\nX-Add: 1\n\n"
              R"({"message":"Unauthorized","hint":"ask"})");
}

TEST_F(ResponseTransformerTest, ABodyThatCannotBeLookedThroughDoesNotPass) {
    use("response-transformer", "{remove: {json: [a]}}");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->answer_from_upstream(200, "Content-Type: application/json\r\n", "{\"a\":1}");
    made->response.framing = http::BodyFraming::length;
    made->response.content_length = (32 << 20) + 1;
    respond(*made);
    EXPECT_EQ(made->response.status, 502);
    EXPECT_FALSE(made->is_from_upstream);
    std::string members = "{";
    for (int i = 0; i < 65'536; ++i) members += "\"b\":1,";
    json(members + "\"a\":1}");
    EXPECT_EQ(made->response.status, 502);
}

// It came in chunks, and is longer than anybody holds: what is to be removed may not pass.
TEST_F(ResponseTransformerTest, ABodyThatIsLongerThanItSaidIsRefused) {
    use("response-transformer", "{remove: {json: [secret]}}");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->answer_from_upstream(200, "Content-Type: application/json\r\n", "");
    type->on_response(under_test.get(), *made);
    EXPECT_GT(made->buffered_most, 0U);
    made->buffered_most = 0;  // as the gateway says it
    type->on_response_body(under_test.get(), *made);
    EXPECT_EQ(made->response.status, 502);
}

// The length of the unchanged body is nobody's.
TEST_F(ResponseTransformerTest, TellsNoLengthWhereThereIsNoBody) {
    use("response-transformer", "{remove: {json: [a]}}");
    made = exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->answer_from_upstream(200, "Content-Type: application/json\r\n", "");
    made->response.declared_length = 7;
    respond(*made);
    EXPECT_FALSE(made->response.declared_length);
}

TEST_F(ResponseTransformerTest, SettingsThatAreRefused) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"{add: {headers: [nocolon]}}", "invalid value: nocolon"},
        {"{add: {headers: ['a b:1']}}", "'a b' is not a valid header"},
        {"{add: {headers: [\"a:1\\r\\nb:2\"]}}", "invalid value: a:1"},
        {"{rename: {headers: ['a:b c']}}", "'b c' is not a valid header"},
        {"{rename: {json: ['a:']}}", "invalid value: a:"},
        {"{add: {json: ['a:x'], json_types: [number]}}", "the value is not of its type"},
        {"{add: {json: ['a:inf'], json_types: [number]}}", "the value is not of its type"},
        {"{add: {json_types: [text]}}", "expected one of: boolean, number, string"},
        {"{remove: {body: []}}", "unknown field"},
    };
    for (const auto& [settings, message] : cases) {
        std::string got = try_use("response-transformer", settings);
        EXPECT_NE(got.find(message), std::string::npos) << settings << " gave: " << got;
    }
}

}  // namespace
}  // namespace plugin
