// What an upstream gets of a request and a client of a response, field by field: Kong's forwarding headers, trusted
// peers, hop-by-hop fields, Host, interim responses, HEAD and the statuses without a body.
#include "base/version.h"
#include "gateway/client_for_tests.h"

namespace gateway {
namespace {

class HeadsTest : public GatewayTest {
  protected:
    // The request as the upstream got it.
    WireMessage forwarded(const std::string& text, std::string_view from = "192.0.2.7") {
        Client client(world(), from);
        EXPECT_EQ(client.request(text).answer().status(), 200);
        EXPECT_FALSE(requests.empty());
        return requests.empty() ? WireMessage() : requests.back();
    }
    WireMessage answered(const std::string& response,
                         const std::string& request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n") {
        respond = [response](Peer& peer, const WireMessage&) { peer.send(response); };
        Client client(world());
        return client.request(request).answer();
    }
    static std::string text_of(const WireMessage& message) {
        std::string out = message.first + "\n";
        for (const auto& [name, value] : message.fields)
            out += name + ": " + (name == "X-Kong-Request-Id" ? "<id>" : value) + "\n";
        return out;
    }
    const std::string token{base::product_token};
};

Settings trusting(std::string_view block) {
    Settings settings;
    settings.trusted_ips.push_back(net::Cidr::parse(block).value());
    return settings;
}

// kong-observed.md 1, "plain GET, strip_path true, service path /base".
TEST_F(HeadsTest, TheUpstreamGetsKongsFieldsInKongsOrder) {
    start();
    document.services[service].path = "/base";
    document.routes.clear();
    add_route(document, "/plain", service);
    std::string got =
        text_of(forwarded("GET /plain/x?y=1&y=2&z HTTP/1.1\r\nHost: Gw.example:8000\r\nX-Custom: 1\r\n\r\n"));
    EXPECT_EQ(got,
              "GET /base/x?y=1&y=2&z HTTP/1.1\n"
              "Via: 1.1 " +
                  token +
                  "\n"
                  "Host: 10.0.0.1\n"
                  "Connection: keep-alive\n"
                  "X-Forwarded-For: 192.0.2.7\n"
                  "X-Forwarded-Proto: http\n"
                  "X-Forwarded-Host: Gw.example\n"
                  "X-Forwarded-Port: 8000\n"
                  "X-Forwarded-Path: /plain/x\n"
                  "X-Forwarded-Prefix: /plain\n"
                  "X-Real-IP: 192.0.2.7\n"
                  "X-Kong-Request-Id: <id>\n"
                  "X-Custom: 1\n");
}

TEST_F(HeadsTest, AnUntrustedPeersClaimsAreReplacedAndItsChainContinued) {
    start();
    WireMessage got = forwarded(
        "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
        "h\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Path: /p\r\nX-Forwarded-Prefix: /q\r\nX-Real-IP: 9.9.9.9\r\nVia: 1.0 "
        "fred\r\nX-Kong-Request-Id: mine\r\nForwarded: for=1.1.1.1\r\n\r\n");
    EXPECT_EQ(got.field("Via"), "1.0 fred, 1.1 " + token);
    EXPECT_EQ(got.field("X-Forwarded-For"), "1.2.3.4, 192.0.2.7");
    EXPECT_EQ(got.field("X-Forwarded-Proto"), "http");
    EXPECT_EQ(got.field("X-Forwarded-Host"), "a");
    EXPECT_EQ(got.field("X-Forwarded-Port"), "8000");
    EXPECT_EQ(got.field("X-Forwarded-Path"), "/x");
    EXPECT_EQ(got.count("X-Forwarded-Prefix"), 0u);
    EXPECT_EQ(got.field("X-Real-IP"), "192.0.2.7");
    EXPECT_EQ(got.field("X-Kong-Request-Id").size(), 32u);
    EXPECT_EQ(got.field("Forwarded"), "for=1.1.1.1");
}

TEST_F(HeadsTest, ATrustedPeersClaimsCount) {
    start(trusting("192.0.2.0/24"));
    WireMessage got = forwarded(
        "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
        "h\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Path: /p\r\nX-Forwarded-Prefix: /q\r\nX-Real-IP: 9.9.9.9\r\n\r\n");
    EXPECT_EQ(got.field("X-Forwarded-For"), "1.2.3.4, 192.0.2.7");
    EXPECT_EQ(got.field("X-Forwarded-Proto"), "https");
    EXPECT_EQ(got.field("X-Forwarded-Host"), "h");
    EXPECT_EQ(got.field("X-Forwarded-Port"), "1");
    EXPECT_EQ(got.field("X-Forwarded-Path"), "/p");
    EXPECT_EQ(got.field("X-Forwarded-Prefix"), "/q");
    EXPECT_EQ(got.field("X-Real-IP"), "9.9.9.9");
    for (std::string_view field : {"X-Forwarded-For", "X-Forwarded-Path", "X-Real-IP"}) EXPECT_EQ(got.count(field), 1u);
}

TEST_F(HeadsTest, TheRealAddressIsTheLastOfItsFieldOrTheLastUntrustedOne) {
    Settings settings = trusting("192.0.2.0/24");
    settings.real_ip_header = "X-Forwarded-For";
    std::string request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 8.8.8.8, 9.9.9.9, 192.0.2.50\r\n\r\n";
    start(settings);
    EXPECT_EQ(forwarded(request).field("X-Real-IP"), "192.0.2.50");
}

TEST_F(HeadsTest, TheRealAddressIsTheLastUntrustedOneIfRecursive) {
    Settings settings = trusting("192.0.2.0/24");
    settings.real_ip_header = "X-Forwarded-For";
    settings.real_ip_recursive = true;
    start(settings);
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 8.8.8.8, 9.9.9.9, 192.0.2.50\r\n\r\n")
                  .field("X-Real-IP"),
              "9.9.9.9");
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: junk\r\n\r\n").field("X-Real-IP"), "192.0.2.7");
    EXPECT_EQ(
        forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 7.7.7.7\r\n\r\n", "203.0.113.1").field("X-Real-IP"),
        "203.0.113.1");
}

TEST_F(HeadsTest, HopByHopFieldsOfARequestEndHere) {
    start();
    WireMessage got = forwarded(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Foo, keep-alive, TE\r\nX-Foo: 1\r\nKeep-Alive: timeout=3\r\nTE: "
        "trailers, gzip\r\nProxy-Connection: keep-alive\r\nProxy: x\r\nUpgrade: h2c\r\nProxy-Authorization: "
        "b\r\nX_Under: "
        "1\r\nX-Dup: 1\r\nX-Dup: 2\r\nX-Empty:\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n");
    for (std::string_view gone : {"X-Foo", "Keep-Alive", "Proxy-Connection", "Proxy", "Upgrade"})
        EXPECT_EQ(got.count(gone), 0u) << gone;
    EXPECT_EQ(got.field("Connection"), "keep-alive");
    EXPECT_EQ(got.field("TE"), "trailers");
    EXPECT_EQ(got.field("Proxy-Authorization"), "b");
    EXPECT_EQ(got.field("X_Under"), "1");
    EXPECT_EQ(got.field("X-Dup"), "1, 2");
    EXPECT_EQ(got.count("X-Empty"), 1u);
    EXPECT_EQ(got.field("Cookie"), "a=1, b=2");
}

// RFC 9110 7.6.1: what a client may not take away from us by naming it.
TEST_F(HeadsTest, AFieldOfOursCannotBeNominatedAway) {
    start();
    WireMessage got = forwarded("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Real-IP, X-Forwarded-For, Via\r\n\r\n");
    EXPECT_EQ(got.field("X-Real-IP"), "192.0.2.7");
    EXPECT_EQ(got.field("X-Forwarded-For"), "192.0.2.7");
    EXPECT_EQ(got.count("Via"), 1u);
}

TEST_F(HeadsTest, BodiesAreFramedAnew) {
    start();
    EXPECT_EQ(forwarded("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").field("Content-Length"), "3");
    WireMessage got = forwarded(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n02\r\nde\r\n0\r\nX-T: "
        "1\r\n\r\n");
    EXPECT_EQ(got.field("Transfer-Encoding"), "chunked");
    EXPECT_EQ(got.body, "abcde");
    EXPECT_EQ(got.trailers.size(), 1u);
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").body, "hi");
}

// ---- Host and target (kong.md 3.3)

TEST_F(HeadsTest, HostIsTheClientsIfPreserved) {
    start();
    document.routes[0].preserve_host = true;
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: Gw.Example:8080\r\n\r\n").field("Host"), "Gw.Example:8080");
}

TEST_F(HeadsTest, HostIsTheServicesNameWithAnUnusualPort) {
    start();
    PeerListener& other = world_of().upstream("10.0.0.5:8080");
    other.on_peer = upstream_->on_peer;
    world_of().resolver.set("svc.example", {net::dns::Records::State::resolved, {ip("10.0.0.5")}, {}});
    main_service().host = "svc.example";
    main_service().port = 8080;
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\n\r\n").field("Host"), "svc.example:8080");
}

TEST_F(HeadsTest, HostIsTheUpstreamsHostHeader) {
    start();
    main_service().host = "up";
    add_upstream(document, "up", {"10.0.0.1:80"}).host_header = "inner.example";
    EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\n\r\n").field("Host"), "inner.example");
}

TEST_F(HeadsTest, AnAbsoluteTargetWinsOverHost) {
    start();
    WireMessage got = forwarded("GET http://other.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n");
    EXPECT_EQ(got.target(), "/x");
    EXPECT_EQ(got.field("X-Forwarded-Host"), "other.example");
}

TEST_F(HeadsTest, AnOldClientIsNamedInVia) {
    start();
    WireMessage got = forwarded("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(got.field("Via"), "1.0 " + token);
    EXPECT_TRUE(got.first.ends_with("HTTP/1.1"));
}

// ---- responses (kong.md 3.2)

TEST_F(HeadsTest, AProxiedResponseHasKongsFields) {
    start();
    WireMessage got = answered(
        "HTTP/1.1 200 OK\r\nServer: upstream\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: "
        "1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok");
    for (std::string_view gone : {"X-Hop", "Keep-Alive", "Upgrade", "Connection"})
        EXPECT_EQ(got.count(gone), 0u) << gone;
    EXPECT_EQ(got.field("Server"), "upstream");
    EXPECT_EQ(got.field("Set-Cookie"), "a=1, b=2");
    EXPECT_EQ(got.field("Proxy-Authenticate"), "Basic");
    EXPECT_EQ(got.field("Via"), "1.1 " + token);
    for (std::string_view there : {"X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "X-Kong-Request-Id", "Date"})
        EXPECT_EQ(got.count(there), 1u) << there;
    EXPECT_EQ(got.count("X-Kong-Response-Latency"), 0u);
    EXPECT_EQ(got.field("X-Kong-Request-Id"), requests.back().field("X-Kong-Request-Id"));
    EXPECT_EQ(got.body, "ok");
}

TEST_F(HeadsTest, AnAnswerOfOurOwnHasKongsFields) {
    start();
    document.routes.clear();
    Client client(world());
    WireMessage got = client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    EXPECT_EQ(got.count("X-Kong-Response-Latency"), 1u);
    EXPECT_EQ(got.field("Server"), token);
    EXPECT_EQ(got.count("Via"), 0u);
}

TEST_F(HeadsTest, FieldsCanBeSwitchedOff) {
    Settings settings;
    settings.headers = {false, false, false, false, false, false, true, false};
    settings.request_id_upstream = false;
    start(settings);
    WireMessage got = answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (std::string_view gone :
         {"Server", "Via", "X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "X-Kong-Request-Id"})
        EXPECT_EQ(got.count(gone), 0u) << gone;
    EXPECT_EQ(got.field("X-Kong-Upstream-Status"), "200");
    EXPECT_EQ(requests.back().count("X-Kong-Request-Id"), 0u);
    EXPECT_EQ(requests.back().count("Via"), 0u);
}

TEST_F(HeadsTest, ResponsesWithoutABodyHaveNone) {
    start();
    WireMessage head = answered("HTTP/1.1 200 OK\r\nContent-Length: 458\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.field("Content-Length"), "458");
    EXPECT_TRUE(head.is_complete);
    EXPECT_EQ(answered("HTTP/1.1 204 No Content\r\n\r\n").status(), 204);
    WireMessage same = answered("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n");
    EXPECT_EQ(same.status(), 304);
    EXPECT_EQ(same.field("ETag"), "\"x\"");
    EXPECT_EQ(upstream_->peers.size(), 1u) << "the connection was not kept";
}

TEST_F(HeadsTest, ABodyUntilCloseBecomesChunks) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
        peer.close();
    };
    Client client(world());
    WireMessage got = client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    EXPECT_EQ(got.framing, WireMessage::Framing::chunked);
    EXPECT_EQ(got.body, "all of it");
    EXPECT_EQ(client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status(), 200);
}

TEST_F(HeadsTest, TrailersReachAClientThatTakesThem) {
    start();
    std::string response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("body", 2, "X-Sum: 1\r\n");
    WireMessage got = answered(response, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    ASSERT_EQ(got.trailers.size(), 1u);
    EXPECT_EQ(got.trailers[0].second, "1");
    EXPECT_TRUE(answered(response).trailers.empty());
}

TEST_F(HeadsTest, InterimResponsesPassInOrder) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        peer.send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\nConnection: X-H\r\nX-H: 1\r\n\r\n");
        peer.pause(seconds(1));
        peer.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    };
    Client client(world());
    client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    WireMessage hints = client.answer();
    EXPECT_EQ(hints.status(), 103) << "100 answers our own expectation, and there was none";
    EXPECT_EQ(hints.field("Link"), "<a>");
    EXPECT_EQ(hints.count("X-H"), 0u);
    EXPECT_EQ(client.answer().status(), 102);
    EXPECT_EQ(client.answer().status(), 200);
    Client old(world());
    EXPECT_EQ(old.request("GET / HTTP/1.0\r\n\r\n").answer().status(), 200);
}

TEST_F(HeadsTest, AnEndlessRowOfInterimResponsesIsRefused) {
    start();
    respond = [](Peer& peer, const WireMessage&) {
        for (int i = 0; i < 100; ++i) peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    };
    Client client(world());
    client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    WireMessage got;
    do got = client.answer();
    while (got.status() == 103);
    EXPECT_EQ(got.status(), 502);
}

}  // namespace
}  // namespace gateway
