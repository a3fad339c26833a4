#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

using namespace std::literals;

class GrpcWebTest : public PluginTest {
  protected:
    static std::string call(std::string_view type, std::string_view body = {}) {
        return "POST /pkg.Service/Method HTTP/1.1\r\nHost: a\r\nContent-Type: " + std::string(type) +
               "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    }
    // What the client gets of a body in these pieces.
    static std::string filtered(Exchange& exchange, std::initializer_list<std::string_view> pieces) {
        std::string out;
        for (std::string_view piece : pieces) exchange.answer_filter->take(piece, out);
        http::Headers trailers;
        trailers.add({"Grpc-Status", "5"});
        trailers.add({"grpc-message", "none"});
        exchange.answer_filter->end(trailers, out);
        return out;
    }
};

TEST_F(GrpcWebTest, TakesTheFramingOffAndPutsItOn) {
    use("grpc-web", "{}");
    auto made = exchange(call("application/grpc-web+proto", "\0\0\0\0\1x"s));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("Content-Type"), "application/grpc");
    EXPECT_TRUE(made->request.accepts_trailers);
    EXPECT_FALSE(made->new_body);
    EXPECT_EQ(made->upstream_path, "/pkg.Service/Method");
    made->answer_from_upstream(200, "Content-Type: application/grpc\r\n", "\0\0\0\0\1x"s);
    respond(*made);
    EXPECT_EQ(made->response.headers.first("Content-Type"), "application/grpc-web+proto");
    ASSERT_NE(made->answer_filter, nullptr);
    EXPECT_EQ(filtered(*made, {"\0\0\0\0\1x"sv}),
              "\0\0\0\0\1x"s + "\x80\0\0\0\x22grpc-status:5\r\ngrpc-message:none\r\n"s);
    EXPECT_FALSE(made->request.accepts_trailers) << "the client did not ask for them";
}

TEST_F(GrpcWebTest, TextIsBase64InBothDirections) {
    use("grpc-web", "{}");
    // Two messages, each with padding of its own.
    auto made = exchange(call("application/grpc-web-text", "AAAAAAF4AAAAAAE=eA=="));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->new_body, "\0\0\0\0\1x\0\0\0\0\1x"s);
    made->answer_from_upstream(200, "Content-Type: application/grpc+proto\r\n", "x");
    respond(*made);
    EXPECT_EQ(made->response.headers.first("Content-Type"), "application/grpc-web-text");
    EXPECT_EQ(filtered(*made, {"ab", "abc"}), "YWI=YWJjgAAAACJncnBjLXN0YXR1czo1DQpncnBjLW1lc3NhZ2U6bm9uZQ0K");
}

TEST_F(GrpcWebTest, RefusesWhatIsNoCall) {
    use("grpc-web", "{}");
    EXPECT_EQ(answer(call("application/json", "{}")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc", "x")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc-web+json", "x")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc-webs", "x")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc-web-text", "AAAA*A==")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc-web-text", "AAA")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("application/grpc-web-text", "=")).substr(0, 3), "400");
    EXPECT_EQ(answer(call("Application/gRPC-Web ; charset=x", "x")), "go on");
}

TEST_F(GrpcWebTest, AnswersPreflights) {
    use("grpc-web", "{allow_origin_header: 'https://a.test'}");
    auto made = exchange("OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->response.status, 200);
    EXPECT_EQ(made->response_text, "OK");
    EXPECT_EQ(made->client_headers.first("Access-Control-Allow-Origin"), "https://a.test");
    EXPECT_EQ(made->client_headers.first("Access-Control-Allow-Methods"), "POST");
    EXPECT_EQ(made->client_headers.first("Access-Control-Allow-Headers"), "content-type,x-grpc-web,x-user-agent");
}

TEST_F(GrpcWebTest, LeavesOtherAnswersAlone) {
    use("grpc-web", "{pass_stripped_path: true}");
    auto made = exchange(call("application/grpc-web", "x"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->upstream_path, "");
    made->answer_from_upstream(502, "Content-Type: text/html\r\n", "x");
    respond(*made);
    EXPECT_EQ(made->answer_filter, nullptr);
    EXPECT_EQ(made->response.headers.first("Content-Type"), "text/html");
    // Without a message there is nothing to put trailers behind.
    made->answer_from_upstream(200, "Content-Type: application/grpc\r\ngrpc-status: 5\r\n");
    respond(*made);
    EXPECT_EQ(made->answer_filter, nullptr);
    EXPECT_EQ(made->response.headers.first("Content-Type"), "application/grpc-web");
}

TEST_F(GrpcWebTest, CallsInJsonAreNotServed) {
    EXPECT_NE(try_use("grpc-web", "{proto: /x.proto}").find("calls in JSON"), std::string::npos);
}

}  // namespace
}  // namespace plugin
