#include "plugin/plugin_for_tests.h"

#include <map>
#include <vector>

namespace plugin {
namespace {

class RequestTransformerTest : public PluginTest {
  protected:
    std::unique_ptr<FakeExchange> made;

    // Runs the plugin on a request; what came of it stays in `made`.
    Verdict transform(std::string head, std::string_view body = {}) {
        if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        made = exchange(head + "\r\n" + std::string(body));
        made->match = {};
        if (!captures.empty()) {
            made->match.by_regex = true;
            made->match.captures.count = captures.size() + 1;
            for (std::size_t i = 0; i < captures.size(); ++i) {
                made->match.captures.groups[i + 1] = captures[i].second;
                names.push_back({captures[i].first, static_cast<std::uint16_t>(i + 1)});
            }
            made->match.names = names;
        }
        Verdict verdict = run(*made);
        return verdict;
    }
    Verdict get(std::string_view target, std::string_view headers = {}) {
        return transform("GET " + std::string(target) + " HTTP/1.1\r\nHost: gw.example\r\n" + std::string(headers));
    }
    Verdict post(std::string_view type, std::string_view body) {
        return transform("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + std::string(type) + "\r\n", body);
    }
    std::string query() const {
        return std::string(made->request.has_query ? "?" : "") + std::string(made->request.query);
    }
    // Fields but Host, Content-Length and Content-Type.
    std::string headers() const {
        std::string out;
        for (const http::Header& header : made->request.headers)
            if (header.known != http::Known::host && header.known != http::Known::content_length &&
                header.known != http::Known::content_type)
                out += std::string(header.name) + ": " + std::string(header.value) + "\n";
        return out;
    }
    std::string body() const { return made->new_body.value_or("untouched"); }
    std::string answered() const {
        return std::to_string(made->response.status) + " " + std::string(made->response_text);
    }

    std::vector<std::pair<std::string, std::string_view>> captures;
    std::vector<route::CaptureName> names;
};

constexpr std::string_view everything = R"yaml(
http_method: PUT
remove: {headers: [X-Rm], querystring: [rmq], body: [rmb]}
rename: {headers: ["X-Old:X-New"], querystring: ["oldq:newq"], body: ["oldb:newb"]}
replace: {headers: ["X-Rep:new"], querystring: ["repq:new"], body: ["repb:new"]}
add: {headers: ["X-Add:1", "X-Tmpl:$(headers.host)-$(query_params.q)"], querystring: ["addq:1"], body: ["addb:1"]
}
append: {headers: ["X-App:1", "X-App:2"], querystring: ["appq:1"], body: ["appb:1"]}
)yaml";

// kong-observed.md 9, in its order.
TEST_F(RequestTransformerTest, EveryOperation) {
    use("request-transformer", everything);
    EXPECT_EQ(
        transform("POST /rt/x?rmq=1&oldq=2&repq=3&q=7&appq=0 HTTP/1.1\r\nHost: gw.example\r\n"
                  "Content-Type: application/json\r\nX-Rm: 1\r\nX-Old: o\r\nX-Rep: o\r\nX-App: 0\r\nX-Add: own\r\n",
                  R"yaml({"rmb":1,"oldb":2,"repb":3,"appb":0})yaml"),
        Verdict::go_on);
    EXPECT_EQ(made->request.method_token, "PUT");
    EXPECT_EQ(made->request.method, http::Method::put);
    EXPECT_EQ(query(), "?addq=1&appq=0&appq=1&newq=2&q=7&repq=new");
    EXPECT_EQ(headers(), "X-Rep: new\nX-App: 0\nX-Add: own\nx-new: o\nX-Tmpl: gw.example-7\nX-App: 1\nX-App: 2\n");
    EXPECT_EQ(body(), R"yaml({"newb":2,"repb":"new","appb":["1"],"addb":"1"})yaml");
}

TEST_F(RequestTransformerTest, WhatIsAbsentIsOnlyAdded) {
    use("request-transformer", everything);
    EXPECT_EQ(get("/rt/x"), Verdict::go_on);
    EXPECT_EQ(query(), "?addq=1&appq=1");
    EXPECT_EQ(headers(), "X-Add: 1\nX-Tmpl: gw.example-\nX-App: 1\nX-App: 2\n");
    EXPECT_EQ(body(), "untouched");
}

TEST_F(RequestTransformerTest, FormBody) {
    use("request-transformer", everything);
    EXPECT_EQ(post("application/x-www-form-urlencoded", "rmb=1&oldb=2&repb=3&appb=0"), Verdict::go_on);
    EXPECT_EQ(body(), "newb=2&repb=new&appb=0&addb=1&appb=1");
}

TEST_F(RequestTransformerTest, InvalidJsonStays) {
    use("request-transformer", everything);
    EXPECT_EQ(post("application/json", "{bad"), Verdict::go_on);
    EXPECT_EQ(body(), "untouched");
    EXPECT_EQ(query(), "?addq=1&appq=1");
}

TEST_F(RequestTransformerTest, ReplacesThePath) {
    use("request-transformer", R"yaml({replace: {uri: "/new/$(uri_captures.id)/$(uri_captures['id'])"}
})yaml");
    captures = {{"id", "42"}};
    EXPECT_EQ(get("/rtu/42?k=v"), Verdict::go_on);
    EXPECT_EQ(made->upstream_path, "/new/42/42");
    EXPECT_EQ(query(), "?k=v");
}

// ---- the rest of kong.md 4.11

TEST_F(RequestTransformerTest, WhatAClientSendsStaysInItsSegment) {
    use("request-transformer", R"yaml({replace: {uri: "/new/$(query_params.f)/x"}})yaml");
    EXPECT_EQ(get("/?f=a%3Fadmin=1"), Verdict::go_on);
    EXPECT_EQ(made->upstream_path, "/new/a%3Fadmin=1/x");
    EXPECT_EQ(query(), "?f=a%3Fadmin=1");
    for (std::string_view value : {"..", "%2e%2e", ".", "a/../..", "%252e%252e", "..;x", "a%5C.."}) {
        EXPECT_EQ(get("/?f=" + std::string(value)), Verdict::answered) << value;
        EXPECT_EQ(made->response.status, 400);
    }
    EXPECT_EQ(get("/?f=...&g=.."), Verdict::go_on);
    EXPECT_EQ(get("/?f=.well-known"), Verdict::go_on);
    EXPECT_EQ(get("/"), Verdict::go_on);
    EXPECT_EQ(made->upstream_path, "/new//x");
}

TEST_F(RequestTransformerTest, APathMayBringArguments) {
    use("request-transformer", "{replace: {uri: '/x?own=1'}}");
    get("/?k=v");
    EXPECT_EQ(made->upstream_path, "/x");
    EXPECT_EQ(query(), "?own=1&k=v");
    get("/");
    EXPECT_EQ(query(), "?own=1");
}

TEST_F(RequestTransformerTest, ATemplateThatFailsIs500) {
    use("request-transformer", "{add: {headers: ['X-A:$(headers.x .. \"a\")']}}");
    EXPECT_EQ(get("/", "X: b\r\n"), Verdict::go_on);
    EXPECT_EQ(headers(), "X: b\nX-A: ba\n");
    EXPECT_EQ(get("/"), Verdict::answered);
    EXPECT_EQ(answered(), "500 {\"message\":\"An unexpected error occurred\"}");
    use("request-transformer", "{replace: {uri: '$(query_params.f)'}}");
    EXPECT_EQ(get("/?f=/ok"), Verdict::go_on);
    EXPECT_EQ(get("/?f=notok"), Verdict::answered);
}

TEST_F(RequestTransformerTest, AValueCannotLeaveItsField) {
    use("request-transformer", "{add: {headers: ['X-A:$(query_params.a)']}}");
    EXPECT_EQ(get("/?a=1%0d%0aX-Admin:%201"), Verdict::answered);
    EXPECT_EQ(made->response.status, 500);
    EXPECT_EQ(get("/?a=%00"), Verdict::answered);
    EXPECT_EQ(get("/?a=caf%C3%A9"), Verdict::go_on);
}

TEST_F(RequestTransformerTest, WhatIsUnresolvedAddsNoArgument) {
    use("request-transformer",
        R"yaml({add: {querystring: ["a:$(headers.x)", "b:x$(headers.x)", "c:$('')"], headers: ["X-E:$(headers.x)"]},
            append: {querystring: ["d:$(headers.x)"]}, replace: {
querystring:
    ["user:$(headers.x)"]
}
})yaml");
    EXPECT_EQ(get("/?user=admin"), Verdict::go_on);
    EXPECT_EQ(query(), "?b=x&c=&user=");
    EXPECT_EQ(headers(), "X-E: \n");
    EXPECT_EQ(get("/?user=admin", "X: 1\r\n"), Verdict::go_on);
    EXPECT_EQ(query(), "?a=1&b=x1&c=&d=1&user=1");
}

TEST_F(RequestTransformerTest, TemplatesSeeTheRequestAsItCame) {
    use("request-transformer",
        R"yaml({remove: {headers: [X-A], querystring: [q]}, add: {headers: ["X-B:$(headers.x_a)"],
            querystring: ["b:$(headers.x_a)$(query_params.q)"], body: ["c:$(headers.x_a)"]
}
})yaml");
    EXPECT_EQ(transform("POST /?q=2 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Type: application/json\r\n", "{}"),
              Verdict::go_on);
    EXPECT_EQ(headers(), "X-B: 1\n");
    EXPECT_EQ(query(), "?b=12");
    EXPECT_EQ(body(), R"yaml({"c":"1"})yaml");
}

TEST_F(RequestTransformerTest, KnowsTheConsumer) {
    use("request-transformer",
        R"yaml({add: {headers: ["X-User:$(consumer.username or 'nobody')", "X-Id:$(consumer.custom_id)"]
}
})yaml");
    get("/");
    EXPECT_EQ(headers(), "X-User: nobody\nX-Id: \n");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    Consumer alice{.username = "alice", .custom_id = "a-1"};
    made->identity.consumer = &alice;
    run(*made);
    EXPECT_EQ(headers(), "X-User: alice\nX-Id: a-1\n");
}

TEST_F(RequestTransformerTest, Headers) {
    use("request-transformer",
        R"yaml({remove: {headers: [Host, x-gone]}, rename: {headers: ["x-old:X-New", "X-Case:x-case"]},
        replace: {headers: ["X-Empty:"]}, add: {headers: ["Host:evil", "X-None:"]}, append: {headers: ["Host:evil"]}})yaml");
    get("/", "X-Gone: 1\r\nX-OLD: 1\r\nX-Old: 2\r\nX-New: 3\r\nX-Case: 4\r\nX-Empty: 5\r\nx-Gone: 6\r\n");
    EXPECT_EQ(headers(), "x-new: 1\nx-new: 2\nx-case: 4\n");
    EXPECT_EQ(made->request.headers.first("Host"), "gw.example");
    EXPECT_EQ(made->request.headers.count("Host"), 1U);
}

TEST_F(RequestTransformerTest, AFormGoesIntoTheQuery) {
    use("request-transformer", "{http_method: GET, add: {querystring: ['z:1'], body: ['b:1']}}");
    EXPECT_EQ(transform("POST /?a=0 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n",
                        "b=1+2&a=1&c"),
              Verdict::go_on);
    EXPECT_EQ(query(), "?a=0&a=1&b=1%202&c&z=1");
    EXPECT_EQ(body(), "");
    EXPECT_EQ(made->request.method, http::Method::get);
    EXPECT_EQ(post("application/json", "{}"), Verdict::go_on);
    EXPECT_EQ(query(), "?z=1");
    EXPECT_EQ(body(), R"yaml({"b":"1"})yaml");
}

TEST_F(RequestTransformerTest, BodiesOfOtherTypesAreNotRead) {
    use("request-transformer", "{remove: {body: [a]}, add: {body: ['b:1']}}");
    EXPECT_EQ(post("text/plain", R"yaml({"a":1})yaml"), Verdict::go_on);
    EXPECT_EQ(body(), "untouched");
    EXPECT_EQ(post("Application/JSON;charset=utf-8", R"yaml({"a":1})yaml"), Verdict::go_on);
    EXPECT_EQ(body(), R"yaml({"b":"1"})yaml");
    EXPECT_EQ(post("multipart/form-data; boundary=X",
                   "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n"),
              Verdict::go_on);
    EXPECT_EQ(body(), "--X\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1\r\n--X--\r\n");
    // Without a body there is nothing to remove, but something to add to.
    EXPECT_EQ(get("/", "Content-Type: application/json\r\n"), Verdict::go_on);
    EXPECT_EQ(body(), R"yaml({"b":"1"})yaml");
}

TEST_F(RequestTransformerTest, ABodyThatIsTooLargeDoesNotPassUnseen) {
    use("request-transformer", "{remove: {body: [a]}}");
    EXPECT_EQ(post("application/json", "{\"x\":\"" + std::string(8 << 20, 'x') + "\",\"a\":1}"), Verdict::answered);
    EXPECT_EQ(made->response.status, 413);
    std::string members = "{";
    for (int i = 0; i < 65'536; ++i) members += "\"b\":1,";
    EXPECT_EQ(post("application/json", members + "\"a\":1}"), Verdict::answered);
    EXPECT_EQ(post("application/x-www-form-urlencoded", std::string(65'536, '&') + "a=1"), Verdict::answered);
}

TEST_F(RequestTransformerTest, ValuesKeepTheirColons) {
    use("request-transformer", "{add: {headers: ['X-Url:http://a:80/']}, replace: {querystring: ['b:a\"b']}}");
    get("/?b=1");
    EXPECT_EQ(headers(), "X-Url: http://a:80/\n");
    EXPECT_EQ(query(), "?b=a%22b");
}

TEST_F(RequestTransformerTest, SettingsThatAreRefused) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"{add: {headers: [nocolon]}}", "add.headers[0]: invalid value: nocolon"},
        {"{add: {headers: ['a b:1']}}", "'a b' is not a valid header"},
        {"{remove: {headers: ['a:b']}}", "'a:b' is not a valid header"},
        {"{rename: {headers: ['a:b c']}}", "'b c' is not a valid header"},
        {"{rename: {headers: ['a:host']}}", "nothing can be renamed to Host"},
        {"{rename: {body: ['a:']}}", "invalid value: a:"},
        {"{rename: {body: ['a:$(headers.x)']}}", "a name cannot be a template"},
        {"{add: {body: ['a:$(os.time())']}}", "bad template, byte 3: there is no 'os' in templates"},
        {"{replace: {uri: '/$(headers.x'}}", "bad template, byte 2: this $( has no matching )"},
        {"{replace: {uri: 'x'}}", "should start with: /"},
        {"{replace: {headers: ['Host:a']}}", "replacing Host is not served by this version"},
        {"{http_method: get}", "invalid value: get"},
        {"{http_method: CONNECT}", "invalid value: CONNECT"},
        {"{add: {header: []}}", "unknown field"},
        {"{remove: {uri: x}}", "unknown field"},
    };
    for (const auto& [settings, message] : cases) {
        std::string got = try_use("request-transformer", settings);
        EXPECT_NE(got.find(message), std::string::npos) << settings << " gave: " << got;
    }
}

}  // namespace
}  // namespace plugin
