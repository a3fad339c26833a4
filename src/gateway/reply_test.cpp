// Our own answers byte by byte: Kong's error bodies by Accept (kong-observed.md 3, 4 and 11), 404, 426, redirects,
// refused requests.
#include "base/version.h"
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

class ReplyTest : public GatewayTest {
  protected:
    void start_without_routes(Settings settings = {}) {
        start(std::move(settings));
        document.routes.clear();
    }
    WireMessage ask(const std::string& request) {
        Client client(world());
        return client.request(request).answer();
    }
    WireMessage ask_for(std::string_view accept) {
        return ask("GET / HTTP/1.1\r\nHost: gw.example\r\nAccept: " + std::string(accept) + "\r\n\r\n");
    }
    static std::string body_of(const WireMessage& answer) {
        std::string out = answer.body;
        std::string id = answer.field("X-Kong-Request-Id");
        if (std::size_t at = out.find(id); !id.empty() && at != std::string::npos) out.replace(at, id.size(), "<id>");
        return out;
    }
    static constexpr std::string_view json =
        "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"<id>\"\n}";
    static constexpr std::string_view html =
        "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  "
        "<body>\n"
        "    <h1>Error</h1>\n    <p>no Route matched with those values.</p>\n    <p>request_id: <id></p>\n  </body>\n"
        "</html>\n";
    static constexpr std::string_view xml =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>no Route matched with those values</message>\n"
        "  <requestid><id></requestid>\n</error>\n";
    static constexpr std::string_view plain = "no Route matched with those values\nrequest_id: <id>\n";
};

TEST_F(ReplyTest, NoRouteIsKongs404) {
    start_without_routes();
    WireMessage answer = ask("GET /none HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    EXPECT_EQ(answer.first, "HTTP/1.1 404 Not Found");
    EXPECT_EQ(answer.field("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.field("Content-Length"), "103");
    EXPECT_EQ(body_of(answer), json);
    EXPECT_EQ(answer.count("X-Kong-Response-Latency"), 1u);
    EXPECT_EQ(answer.field("Server"), base::product_token);
}

TEST_F(ReplyTest, HeadGetsTheLengthAndNoBody) {
    start_without_routes();
    WireMessage answer = ask("HEAD /none HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    EXPECT_EQ(answer.status(), 404);
    EXPECT_EQ(answer.field("Content-Length"), "103");
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.field("Connection"), "");
}

TEST_F(ReplyTest, TheBodyIsOfTheTypeTheClientLikesBest) {
    start_without_routes();
    struct Case {
        const char* accept;
        const char* type;
        std::string_view body;
        const char* length;
    };
    const char* as_json = "application/json; charset=utf-8";
    for (const Case& each : {
             Case{"text/html", "text/html; charset=utf-8", html, "243"},
             Case{"application/xml", "application/xml; charset=utf-8", xml, "170"},
             Case{"application/json", as_json, json, "103"},
             Case{"text/plain", "text/plain; charset=utf-8", plain, "80"},
             Case{"text/*", "text/plain; charset=utf-8", plain, "80"},
             Case{"*/*", as_json, json, "103"},
             Case{"image/png", as_json, json, "103"},
             Case{"application/problem+json", as_json, json, "103"},
             Case{"application/vnd.api+json", as_json, json, "103"},
             Case{"text/html;q=0.1, application/xml;q=0.9", "application/xml; charset=utf-8", xml, "170"},
             Case{"application/json;q=0, text/html", "text/html; charset=utf-8", html, "243"},
         }) {
        WireMessage answer = ask_for(each.accept);
        EXPECT_EQ(answer.field("Content-Type"), each.type) << each.accept;
        EXPECT_EQ(body_of(answer), each.body) << each.accept;
        EXPECT_EQ(answer.field("Content-Length"), each.length) << each.accept;
    }
}

TEST_F(ReplyTest, TemplatesOfTheOperatorReplaceOurs) {
    Settings settings;
    settings.answers.templates.json = "{\"m\":\"%s\",\"id\":\"%s\"}";
    settings.answers.templates.html = "<b>%s</b> 100%%";
    start_without_routes(settings);
    EXPECT_EQ(body_of(ask_for("application/json")), "{\"m\":\"no Route matched with those values\",\"id\":\"<id>\"}");
    EXPECT_EQ(ask_for("text/html").body, "<b>no Route matched with those values</b> 100%");
}

TEST_F(ReplyTest, FailuresOfTheServerAreTextUnlessTheClientSaysElse) {
    start();
    main_service().host = "10.0.0.99";
    main_service().retries = 0;
    WireMessage answer = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.first, "HTTP/1.1 502 Bad Gateway");
    EXPECT_EQ(body_of(answer), "An invalid response was received from the upstream server\nrequest_id: <id>\n");
    answer = ask_for("text/html");
    EXPECT_EQ(answer.field("Content-Length"), "266");
    answer = ask_for("application/xml");
    EXPECT_EQ(answer.field("Content-Length"), "193");
    EXPECT_EQ(ask_for("*/*").field("Content-Length"), "126");
    answer = ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.field("Content-Length"), "103");
    EXPECT_EQ(answer.body, "");
}

TEST_F(ReplyTest, ARouteWithoutAServiceIs503) {
    start_without_routes();
    add_route(document, "/", none);
    WireMessage answer = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.status(), 503);
    EXPECT_NE(answer.body.find("\"message\":\"no Service found with those values\""), std::string::npos);
}

TEST_F(ReplyTest, AnHttpsRouteAsksForHttps) {
    start();
    Route& route = document.routes[0];
    route.protocols.reset();
    route.protocols.set(static_cast<std::size_t>(Protocol::https));
    Client client(world());
    client.request("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    WireMessage answer = client.answer();
    EXPECT_EQ(answer.status(), 426);
    EXPECT_EQ(answer.field("Upgrade"), "TLS/1.2, HTTP/1.1");
    EXPECT_EQ(answer.field("Connection"), "Upgrade");
    EXPECT_EQ(answer.field("Content-Length"), "94");
    EXPECT_EQ(body_of(answer), "{\n  \"message\":\"Please use HTTPS protocol\",\n  \"request_id\":\"<id>\"\n}");
    client.request("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(client.answer().field("Connection"), "Upgrade, close");
}

TEST_F(ReplyTest, AnHttpsRouteMayRedirect) {
    for (std::uint16_t status : {301, 302, 307, 308}) {
        start();
        Route& redirecting = document.routes[0];
        redirecting.protocols.reset();
        redirecting.protocols.set(static_cast<std::size_t>(Protocol::https));
        redirecting.https_redirect_status_code = status;
        WireMessage answer = ask("GET /x?a=1 HTTP/1.1\r\nHost: gw.example:8000\r\n\r\n");
        EXPECT_EQ(answer.status(), status);
        EXPECT_EQ(answer.field("Location"), "https://gw.example/x?a=1");
    }
}

// kong-observed.md 1 and 4: what Kong answers and closes.
TEST_F(ReplyTest, RequestsThatNobodyServesAreRefusedAndTheConnectionClosed) {
    start();
    struct Case {
        const char* request;
        int status;
    };
    for (const Case& each : {
             Case{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
             Case{"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
             Case{"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 400},
             Case{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
             Case{"hello\r\n\r\n", 400},
             Case{"GET / HTTP/1.1\r\n\r\n", 400},
             Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
             Case{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
             Case{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
             Case{"GET / HTTP/1.1\r\nHost: a\r\nX-A : 1\r\n\r\n", 400},
             Case{"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n", 400},
             Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
             Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", 400},
             Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  400},
             Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
             Case{"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
         }) {
        Client client(world());
        WireMessage answer = client.request(each.request).answer();
        EXPECT_EQ(answer.status(), each.status) << each.request;
        EXPECT_EQ(answer.field("Connection"), "close") << each.request;
        EXPECT_TRUE(client.is_closed(seconds(1))) << each.request;
    }
    EXPECT_TRUE(requests.empty());
}

TEST_F(ReplyTest, WhatIsTooLargeIsNamed) {
    Settings settings;
    start(settings);
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    EXPECT_EQ(ask("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").status(), 414);
    WireMessage answer = ask(head + "X-Big: " + std::string(9'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(answer.status(), 431);
    EXPECT_EQ(body_of(answer), "Request header or cookie too large\nrequest_id: <id>\n");
    std::string many = head;
    for (int i = 0; i < 10; ++i) many += "X-B: " + std::string(4'000, 'x') + "\r\n";
    EXPECT_EQ(ask(many + "\r\n").status(), 431);
    many = head;
    for (int i = 0; i < 1'001; ++i) many += "X: 1\r\n";
    EXPECT_EQ(ask(many + "\r\n").status(), 431);
    many = head;
    for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
    EXPECT_EQ(ask(many + "\r\n").status(), 200);
}

TEST_F(ReplyTest, TheStatusOfALargeHeadCanBeKongs) {
    Settings settings;
    settings.limits.header_too_large_status = 400;
    start(settings);
    WireMessage answer = ask("GET / HTTP/1.1\r\nHost: a\r\nX-Big: " + std::string(9'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(answer.status(), 400);
    EXPECT_EQ(answer.field("Content-Length"), "80");
}

}  // namespace
}  // namespace gateway
