// proxy-cache against texts: Kong's keys and statuses, who may get what was stored for whom.
// What only a real upstream shows (refreshing in the background, standing in for failures) is in tests/blackbox.
#include "crypto/hash.h"
#include "plugins/proxy_cache_answer.h"
#include "plugins/proxy_cache_for_tests.h"

namespace plugin {
namespace {

TEST_F(ProxyCacheTest, Kong_MissThenHit) {
    use("proxy-cache", "strategy: memory");
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
    wait(2500);
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last["Age"], "2");
    EXPECT_EQ(last["Content-Type"], "text/plain");
    EXPECT_EQ(fetches, 1);
    wait(300'000);
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
}

// kong.md 4.13: sha256 of `prefix|METHOD|request line without query|params|headers`.
TEST_F(ProxyCacheTest, Kong_KeysAreKongs) {
    use("proxy-cache", "strategy: memory\nvary_headers: [X-V, X-W]");
    std::string route = base::Uuid().text();
    auto key = [this](std::string head) {
        ask(std::move(head));
        return last["X-Cache-Key"];
    };
    auto digest = [](const std::string& text) {
        return crypto::hex(crypto::digest(crypto::Hash::sha256, text).view());
    };
    EXPECT_EQ(key(std::string(get)), digest(route + "|GET|GET /a HTTP/1.1||"));
    EXPECT_EQ(key("GET /a?b=2&a=1&b=1&c HTTP/1.1\r\nHost: a\r\nx-v: 7"),
              digest(route + "|GET|GET /a|a=1:b=1,2:c|X-V=7"));
    EXPECT_EQ(key("HEAD /a HTTP/1.1\r\nHost: a"), digest(route + "|HEAD|HEAD /a HTTP/1.1||"));
}

TEST_F(ProxyCacheTest, Kong_WhatIsNotStored) {
    use("proxy-cache", "{strategy: memory, content_type: [application/json, 'text/*']}");
    EXPECT_EQ(ask("POST /a HTTP/1.1\r\nHost: a"), "200 Bypass hello");
    EXPECT_EQ(last.count("X-Cache-Key"), 0U);
    EXPECT_EQ(ask(std::string(get), {500}), "500 Bypass hello");
    EXPECT_EQ(last.count("X-Cache-Key"), 1U);
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: image/png\r\n"}), "200 Bypass hello");
    EXPECT_EQ(ask(std::string(get), {200, ""}), "200 Bypass hello");
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: application/json; charset=utf-8\r\n"}), "200 Bypass hello");
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: Application/JSON\r\n"}), "200 Miss hello");
}

TEST_F(ProxyCacheTest, Kong_TypesCompareWithTheirParameters) {
    ProxyCacheConfig config;
    config.content_type = {"application/json; charset=utf-8", "text/*", "*/*; q=1"};
    EXPECT_TRUE(is_stored_type("application/json;charset=UTF-8", config));
    EXPECT_TRUE(is_stored_type("text/html", config));
    EXPECT_FALSE(is_stored_type("application/json", config));
    EXPECT_FALSE(is_stored_type("text/html; a=b", config));
    config.content_type = {"*/*"};
    EXPECT_TRUE(is_stored_type("a/b; c=d", config));
}

TEST_F(ProxyCacheTest, Kong_CacheControl) {
    use("proxy-cache", "{strategy: memory, cache_control: true}");
    std::string type = "Content-Type: text/plain\r\n";
    auto with = [&](std::string_view control) {
        return Upstream{200, type + "Cache-Control: " + std::string(control) + "\r\n"};
    };
    EXPECT_EQ(ask(std::string(get), {}), "200 Bypass hello");
    for (std::string_view no : {"no-store", "private", "max-age=0", "no-cache, max-age=60"}) {
        wait(31'000);
        EXPECT_EQ(ask(std::string(get), with(no)), "200 Bypass hello") << no;
    }
    EXPECT_EQ(ask(std::string(get), with("s-maxage=60, max-age=0")), "200 Miss hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nCache-Control: max-stale=5"), "200 Hit hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nCache-Control: no-cache"), "200 Bypass hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nCache-Control: max-age=0", with("max-age=60")), "200 Refresh hello");
    EXPECT_EQ(ask("GET /b HTTP/1.1\r\nHost: a\r\nCache-Control: only-if-cached").substr(0, 3), "504");
    EXPECT_EQ(ask(std::string(get) + "\r\nAuthorization: Basic eA=="), "200 Bypass hello");
}

TEST_F(ProxyCacheTest, NobodyGetsWhatWasForAnother) {
    use("proxy-cache", "strategy: memory");
    Consumer alice{base::Uuid::parse("11111111-1111-1111-1111-111111111111").value(), 0, "alice", {}, {}};
    Consumer bob{base::Uuid::parse("22222222-2222-2222-2222-222222222222").value(), 1, "bob", {}, {}};
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: text/plain\r\n", "alice's"}, &alice), "200 Miss alice's");
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: text/plain\r\n", "bob's"}, &bob), "200 Miss bob's");
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: text/plain\r\n", "nobody's"}), "200 Miss nobody's");
    EXPECT_EQ(ask(std::string(get), {}, &alice), "200 Hit alice's");
    EXPECT_EQ(ask(std::string(get), {}, &bob), "200 Hit bob's");
    EXPECT_EQ(ask(std::string(get), {}), "200 Hit nobody's");
    // One consumer, two tokens: an upstream may go by what is in them.
    std::string first = std::string(get) + "\r\nAuthorization: Bearer first";
    std::string second = std::string(get) + "\r\nAuthorization: Bearer second";
    EXPECT_EQ(ask(first, {200, "Content-Type: text/plain\r\n", "1"}, &alice), "200 Miss 1");
    EXPECT_EQ(ask(second, {200, "Content-Type: text/plain\r\n", "2"}, &alice), "200 Miss 2");
    EXPECT_EQ(ask(first, {}, &alice), "200 Hit 1");
    EXPECT_EQ(ask(std::string(get) + "\r\nAuthorization: Bearer third", {200, "Content-Type: text/plain\r\n", "3"}),
              "200 Miss 3");
}

TEST_F(ProxyCacheTest, AConsumersCredentialsCanShare) {
    use("proxy-cache", "{strategy: memory, identity: consumer}");
    Consumer alice{base::Uuid::parse("11111111-1111-1111-1111-111111111111").value(), 0, "alice", {}, {}};
    EXPECT_EQ(ask(std::string(get) + "\r\nAuthorization: Bearer 1", {}, &alice), "200 Miss hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nAuthorization: Bearer 2", {}, &alice), "200 Hit hello");
}

TEST_F(ProxyCacheTest, PrivateAnswersAndCookiesAreNotPassedOn) {
    use("proxy-cache", "strategy: memory");
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: text/plain\r\nCache-Control: private\r\n"}),
              "200 Bypass hello");
    std::string other = "GET /cookie HTTP/1.1\r\nHost: a.example";
    EXPECT_EQ(ask(other, {200, "Content-Type: text/plain\r\nSet-Cookie: a=1\r\n"}), "200 Miss hello");
    EXPECT_EQ(last["Set-Cookie"], "a=1");
    last.clear();
    EXPECT_EQ(ask(other), "200 Hit hello");
    EXPECT_EQ(last.count("Set-Cookie"), 0U);
}

// Whatever decides what the upstream is asked is in the key, and nothing can be spelled like something else.
TEST_F(ProxyCacheTest, KeysDoNotMeet) {
    use("proxy-cache", "{strategy: memory, vary_headers: [X-V]}");
    std::vector<std::string> heads = {
        std::string(get),
        "GET /a HTTP/1.1\r\nHost: b.example",
        "GET /A HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1&b=2 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1:b=2 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1,2 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1&a=2 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=2&a=1 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1+2 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1%202 HTTP/1.1\r\nHost: a.example",
        "GET /a?%61=1 HTTP/1.1\r\nHost: a.example",
        "GET /a?a=1 HTTP/1.1\r\nHost: a.example",
        "GET /%61 HTTP/1.1\r\nHost: a.example",
        "GET /a%2Fb HTTP/1.1\r\nHost: a.example",
        "GET /a/b HTTP/1.1\r\nHost: a.example",
        "GET /a?a HTTP/1.1\r\nHost: a.example",
        "GET /a?a= HTTP/1.1\r\nHost: a.example",
        "GET /a HTTP/1.1\r\nHost: a.example\r\nX-V: 1",
        "GET /a HTTP/1.1\r\nHost: a.example\r\nX-V: 1\r\nX-V: 2",
        "GET /a HTTP/1.1\r\nHost: a.example\r\nX-V: 1,2",
        "GET /a HTTP/1.1\r\nHost: a.example\r\nX-V:",
        "HEAD /a HTTP/1.1\r\nHost: a.example",
    };
    for (const std::string& head : heads) EXPECT_EQ(ask(head).substr(0, 8), "200 Miss") << head;
    for (const std::string& head : heads) {
        EXPECT_EQ(ask(head).substr(0, 7), "200 Hit") << head;
    }
    EXPECT_EQ(ask("GET /a?b=2&a=1 HTTP/1.1\r\nHost: A.example").substr(0, 7), "200 Hit");
}

// Behind a proxy that passes on what clients say of the host, the upstream may go by Host (preserve_host).
TEST_F(ProxyCacheTest, AHostThatAProxyTellsTakesNothingAway) {
    use("proxy-cache", "strategy: memory");
    auto planted = exchange("GET /a HTTP/1.1\r\nHost: evil.example");
    planted->client.forwarded_host = "a.example";
    ASSERT_EQ(run(*planted), Verdict::go_on);
    fetch(*planted, {200, "Content-Type: text/plain\r\n", "evil"});
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
}

TEST_F(ProxyCacheTest, IdentitiesDoNotLookAlike) {
    use("proxy-cache", "{strategy: memory, identity: consumer}");
    Consumer alice{base::Uuid::parse("11111111-1111-1111-1111-111111111111").value(), 0, "alice", {}, {}};
    EXPECT_EQ(ask(std::string(get), {200, "Content-Type: text/plain\r\n", "alice's"}, &alice), "200 Miss alice's");
    auto made = exchange(std::string(get));
    made->identity.is_authenticated = true;
    made->identity.credential = "11111111-1111-1111-1111-111111111111";
    EXPECT_EQ(run(*made), Verdict::go_on);
}

// The upstream may be told which certificate it is, of clients that are one consumer or none.
TEST_F(ProxyCacheTest, CertificatesShareNothing) {
    use("proxy-cache", "{strategy: memory}");
    auto status = [&](std::string_view certificate, const Consumer* consumer, bool goes_on) {
        auto made = exchange(std::string(get));
        identify(*made, consumer, "alice");
        made->identity.certificate = certificate;
        identify(*made, consumer, "alice");  // by another plugin, behind it
        bool has_gone_on = run(*made) == Verdict::go_on;
        EXPECT_EQ(has_gone_on, goes_on) << certificate;
        if (has_gone_on) fetch(*made, {});
    };
    Consumer alice{base::Uuid::parse("11111111-1111-1111-1111-111111111111").value(), 0, "alice", {}, {}};
    for (const Consumer* consumer : {static_cast<const Consumer*>(nullptr), static_cast<const Consumer*>(&alice)}) {
        status("one", consumer, true);
        status("two", consumer, true);
        status("one", consumer, false);
        status("", consumer, true);
    }
}

TEST_F(ProxyCacheTest, CookiesAreCredentials) {
    use("proxy-cache", "strategy: memory");
    Upstream upstream{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\n", "alice's"};
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=alice", upstream), "200 Miss alice's");
    upstream.body = "bob's";
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=bob", upstream), "200 Miss bob's");
    upstream.body = "nobody's";
    EXPECT_EQ(ask(std::string(get), upstream), "200 Miss nobody's");
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=alice"), "200 Hit alice's");
    // Also where one password is everybody's.
    std::string team = std::string(get) + "\r\nAuthorization: Basic eA==\r\nCookie: session=";
    EXPECT_EQ(ask(team + "alice"), "200 Miss hello");
    EXPECT_EQ(ask(team + "bob"), "200 Miss hello");
    use("proxy-cache", "{strategy: memory, identify_by_cookie: false}");
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=carol"), "200 Miss hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=dave"), "200 Hit hello");
}

TEST_F(ProxyCacheTest, Rfc9111_CookiesAreCredentialsUnlessFreshnessIsStated) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream stated{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\n"};
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=alice", stated), "200 Miss hello");
    EXPECT_EQ(ask(std::string(get) + "\r\nCookie: session=bob"), "200 Hit hello");
    Upstream guessed{200, "Content-Type: text/plain\r\nLast-Modified: Mon, 01 Jan 2001 00:00:00 GMT\r\n"};
    std::string other = "GET /guessed HTTP/1.1\r\nHost: a";
    EXPECT_EQ(ask(other + "\r\nCookie: session=alice", guessed), "200 Miss hello");
    EXPECT_EQ(ask(other + "\r\nCookie: session=alice"), "200 Hit hello");
    EXPECT_EQ(ask(other + "\r\nCookie: session=bob", guessed), "200 Miss hello");
}

// A 304 is for who asked; what it says of sharing holds for what is stored.
TEST_F(ProxyCacheTest, A304PassesNothingPrivateOn) {
    use("proxy-cache", "{strategy: memory, cache_ttl: 1, storage_ttl: 600}");
    ask(std::string(get), {200, "Content-Type: text/plain\r\nETag: \"a\"\r\n"});
    wait(2000);
    EXPECT_EQ(ask(std::string(get), {304, "ETag: \"a\"\r\nSet-Cookie: session=alice\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(last["Set-Cookie"], "session=alice");
    last.clear();
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last.count("Set-Cookie"), 0U);
    wait(2000);
    EXPECT_EQ(ask(std::string(get), {304, "ETag: \"a\"\r\nCache-Control: private\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
}

// What the stored head allows is no word on a cookie that only the 304 brings.
TEST_F(ProxyCacheTest, A304sCookieStaysWithWhoAskedThoughTheStoredAnswerIsPublic) {
    use("proxy-cache", "{strategy: memory, cache_ttl: 1, storage_ttl: 600}");
    ask(std::string(get), {200, "Content-Type: text/plain\r\nETag: \"a\"\r\nCache-Control: public\r\n"});
    wait(2000);
    EXPECT_EQ(ask(std::string(get), {304, "ETag: \"a\"\r\nSet-Cookie: session=alice\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(last["Set-Cookie"], "session=alice");
    last.clear();
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last.count("Set-Cookie"), 0U);
}

// RFC 9111 3.5 holds for a 304, too: without a word about sharing, what it says to an authorised client is hers alone.
TEST_F(ProxyCacheTest, Rfc9111_A304ForAnAuthorisedRequestChangesNothingForOthers) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    std::string alice = std::string(get) + "\r\nCache-Control: no-cache\r\nAuthorization: Bearer alice";
    std::string same = "ETag: \"a\"\r\nCache-Control: max-age=60";
    std::string head = "Content-Type: text/plain\r\nX-For: all\r\n" + same + "\r\n";
    EXPECT_EQ(ask(std::string(get), {200, head}), "200 Miss hello");
    EXPECT_EQ(ask(alice, {304, same + "\r\nX-For: alice\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(last["X-For"], "alice");
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last["X-For"], "all");
    // It says that it is for all.
    EXPECT_EQ(ask(alice, {304, same + ", public\r\nX-For: everybody\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last["X-For"], "everybody");
}

TEST_F(ProxyCacheTest, Rfc9111_A304RefreshesWhatIsTheClientsOwn) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    std::string alice = std::string(get) + "\r\nAuthorization: Bearer alice";
    std::string same = "ETag: \"a\"\r\nCache-Control: max-age=60\r\n";
    EXPECT_EQ(ask(alice, {200, "Content-Type: text/plain\r\n" + same}), "200 Miss hello");
    wait(61'000);
    EXPECT_EQ(ask(alice, {304, same + "X-For: alice\r\n", ""}), "200 Refresh hello");
    EXPECT_EQ(ask(alice), "200 Hit hello");
    EXPECT_EQ(last["X-For"], "alice");
}

// Bodies that are being read for the store take memory: of many at once some are not stored.
TEST_F(ProxyCacheTest, BodiesOnTheirWayAreBounded) {
    use("proxy-cache", "{strategy: memory, max_body_size: 67108864}");
    auto answered = [this](std::string head) {
        auto made = exchange(std::move(head));
        EXPECT_EQ(run(*made), Verdict::go_on);
        made->answer_from_upstream(200, "Content-Type: text/plain\r\n");
        made->response.framing = http::BodyFraming::length;
        made->response.content_length = 64 << 20;
        type->on_upstream_response(under_test.get(), *made);
        return made;
    };
    auto first = answered("GET /1 HTTP/1.1\r\nHost: a");
    auto second = answered("GET /2 HTTP/1.1\r\nHost: a");
    EXPECT_NE(first->capture, nullptr);
    EXPECT_NE(second->capture, nullptr);
    EXPECT_EQ(answered("GET /3 HTTP/1.1\r\nHost: a")->capture, nullptr);
    first.reset();
    EXPECT_NE(answered("GET /3 HTTP/1.1\r\nHost: a")->capture, nullptr);
}

TEST_F(ProxyCacheTest, AnswersCutShortAreNotStored) {
    use("proxy-cache", "strategy: memory");
    auto cut = exchange(std::string(get));
    ASSERT_EQ(run(*cut), Verdict::go_on);
    cut->answer_from_upstream(200, "Content-Type: text/plain\r\n", "hello");
    type->on_upstream_response(under_test.get(), *cut);
    ASSERT_NE(cut->capture, nullptr);
    cut->capture->bytes = "hello";
    respond(*cut);
    type->on_log(under_test.get(), *cut);
    cut.reset();
    EXPECT_EQ(ask(std::string(get)), "200 Miss hello");
}

TEST_F(ProxyCacheTest, ARequestBodyIsPartOfTheKey) {
    use("proxy-cache", "{strategy: memory, request_method: [POST]}");
    auto post = [this](std::string_view body) {
        return ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                   std::string(body));
    };
    EXPECT_EQ(post("one"), "200 Miss hello");
    EXPECT_EQ(post("two"), "200 Miss hello");
    EXPECT_EQ(post("one"), "200 Hit hello");
    EXPECT_EQ(post(std::string(70'000, 'x')), "200 Bypass hello");
}

TEST_F(ProxyCacheTest, VaryIsHonouredWhateverTheRules) {
    for (std::string_view more : {"", ", rfc9111: true"}) {
        use("proxy-cache", "{strategy: memory, memory: {dictionary_name: d" + std::to_string(more.size()) + "}" +
                               std::string(more) + "}");
        Upstream english{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n",
                         "hi"};
        Upstream german = english;
        german.body = "moin";
        std::string path = "GET /vary" + std::to_string(more.size()) + " HTTP/1.1\r\nHost: a";
        EXPECT_EQ(ask(path + "\r\nAccept-Language: en", english), "200 Miss hi");
        EXPECT_EQ(ask(path + "\r\nAccept-Language: de", german), "200 Miss moin");
        EXPECT_EQ(ask(path + "\r\nAccept-Language: EN"), "200 Hit hi");
        EXPECT_EQ(ask(path + "\r\nAccept-Language: de"), "200 Hit moin");
        EXPECT_EQ(ask(path, english), "200 Miss hi");
        Upstream star{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\nVary: *\r\n"};
        EXPECT_EQ(ask("GET /star HTTP/1.1\r\nHost: a", star), "200 Bypass hello");
    }
}

TEST_F(ProxyCacheTest, Rfc9111_ValidatesWithWhatIsStored) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream tagged{200, "Content-Type: text/plain\r\nCache-Control: max-age=1\r\nETag: \"a\"\r\nX-A: 1\r\n"};
    EXPECT_EQ(ask(std::string(get), tagged), "200 Miss hello");
    wait(2000);
    Upstream same{304, "ETag: \"a\"\r\nX-A: 2\r\nCache-Control: max-age=60\r\n", ""};
    EXPECT_EQ(ask(std::string(get), same), "200 Refresh hello");
    EXPECT_EQ(asked, "\"a\"");
    EXPECT_EQ(last["X-A"], "2");
    wait(30'000);
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last["X-A"], "2");
    EXPECT_EQ(ask(std::string(get) + "\r\nIf-None-Match: \"a\""), "304 Hit ");
    // Asked for anew: the client's own condition is judged by what came of it.
    EXPECT_EQ(ask(std::string(get) + "\r\nCache-Control: no-cache\r\nIf-None-Match: W/\"a\"", same), "304 Refresh ");
    EXPECT_EQ(ask(std::string(get) + "\r\nCache-Control: no-cache\r\nIf-None-Match: \"b\"", same), "200 Refresh hello");
}

TEST_F(ProxyCacheTest, Rfc9111_AConfirmedAnswerIsAsYoungAsItsConfirmation) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream tagged{200, "Content-Type: text/plain\r\nCache-Control: max-age=10\r\nETag: \"a\"\r\n"};
    EXPECT_EQ(ask(std::string(get), tagged), "200 Miss hello");
    wait(11'000);
    EXPECT_EQ(ask(std::string(get), {304, "ETag: \"a\"\r\n", ""}), "200 Refresh hello");  // without a Date
    wait(5'000);
    EXPECT_EQ(ask(std::string(get)), "200 Hit hello");
    EXPECT_EQ(last["Age"], "5");
}

TEST_F(ProxyCacheTest, Rfc9111_HeadAndRangeFromWhatIsStored) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream fresh{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\n", "0123456789"};
    EXPECT_EQ(ask(std::string(get), fresh), "200 Miss 0123456789");
    EXPECT_EQ(ask("HEAD /a HTTP/1.1\r\nHost: a.example").substr(0, 7), "200 Hit");
    EXPECT_EQ(ask(std::string(get) + "\r\nRange: bytes=2-4"), "206 Hit 234");
    EXPECT_EQ(last["Content-Range"], "bytes 2-4/10");
    EXPECT_EQ(ask(std::string(get) + "\r\nRange: bytes=20-"), "416 Hit ");
    EXPECT_EQ(last["Content-Range"], "bytes */10");
}

TEST_F(ProxyCacheTest, Rfc9111_UnsafeMethodsInvalidate) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream fresh{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\n"};
    for (std::string_view method : {"POST", "PUT", "DELETE", "PATCH", "M-SEARCH"}) {
        EXPECT_EQ(ask("GET /a?x=1 HTTP/1.1\r\nHost: a", fresh), "200 Miss hello") << method;
        EXPECT_EQ(ask(std::string(method) + " /a?x=1 HTTP/1.1\r\nHost: a", {500}), "500 Bypass hello");
        EXPECT_EQ(ask("GET /a?x=1 HTTP/1.1\r\nHost: a"), "200 Hit hello");
        EXPECT_EQ(ask(std::string(method) + " /b HTTP/1.1\r\nHost: a", {201, "Location: http://a/a?x=1\r\n"}),
                  "201 Bypass hello");
        EXPECT_EQ(ask("GET /a?x=1 HTTP/1.1\r\nHost: a", fresh), "200 Miss hello") << method;
        EXPECT_EQ(ask(std::string(method) + " /a?x=1 HTTP/1.1\r\nHost: a"), "200 Bypass hello");
    }
}

TEST_F(ProxyCacheTest, AnswersFetchedBeforeAnInvalidationAreNotStored) {
    use("proxy-cache", "{strategy: memory, rfc9111: true}");
    Upstream fresh{200, "Content-Type: text/plain\r\nCache-Control: max-age=60\r\n", "old"};
    auto slow = exchange(std::string(get));
    ASSERT_EQ(run(*slow), Verdict::go_on);
    EXPECT_EQ(ask("POST /a HTTP/1.1\r\nHost: a.example"), "200 Bypass hello");
    fetch(*slow, fresh);
    fresh.body = "new";
    EXPECT_EQ(ask(std::string(get), fresh), "200 Miss new");
}

TEST_F(ProxyCacheTest, Rfc5861_StandsInForAFailure) {
    use("proxy-cache", "{strategy: memory, cache_control: true, storage_ttl: 600}");
    Upstream kind{200, "Content-Type: text/plain\r\nCache-Control: max-age=1, stale-if-error=60\r\n"};
    EXPECT_EQ(ask(std::string(get), kind), "200 Miss hello");
    wait(2000);
    EXPECT_EQ(ask(std::string(get), {503, "", "broken"}), "200 Stale hello");
    auto failed = exchange(std::string(get));
    ASSERT_EQ(run(*failed), Verdict::go_on);
    EXPECT_TRUE(
        type->on_no_answer(under_test.get(), *failed, base::Error::upstream(base::Code::refused, base::Retry::always)));
    EXPECT_EQ(told(*failed), "200 Stale hello");
    wait(61'000);
    EXPECT_EQ(ask(std::string(get), {503, "", "broken"}), "503 Bypass broken");
}

TEST_F(ProxyCacheTest, Rfc5861_AsksInTheBackgroundOnce) {
    use("proxy-cache", "{strategy: memory, cache_control: true}");
    Upstream kind{200, "Content-Type: text/plain\r\nCache-Control: max-age=1, stale-while-revalidate=60\r\n", "old"};
    EXPECT_EQ(ask(std::string(get), kind), "200 Miss old");
    wait(2000);
    auto first = exchange(std::string(get));
    ASSERT_EQ(run(*first), Verdict::answered);
    EXPECT_EQ(told(*first), "200 Stale old");
    ASSERT_NE(first->background, nullptr);
    auto second = exchange(std::string(get));
    ASSERT_EQ(run(*second), Verdict::answered);
    EXPECT_EQ(second->background, nullptr);
    // As the gateway does it.
    first->is_from_cache = false;
    first->background->begin(*first);
    kind.body = "new";
    first->answer_from_upstream(kind.status, kind.headers, kind.body);
    type->on_upstream_response(under_test.get(), *first);
    ASSERT_NE(first->capture, nullptr);
    first->capture->bytes = "new";
    first->capture->is_complete = true;
    first->background->ended(*first, nullptr);
    EXPECT_EQ(ask(std::string(get)), "200 Hit new");
}

TEST_F(ProxyCacheTest, SettingsSayWhatIsWrong) {
    EXPECT_NE(try_use("proxy-cache", "{}"), "");
    EXPECT_NE(try_use("proxy-cache", "{strategy: disk}"), "");
    EXPECT_NE(try_use("proxy-cache", "{strategy: memory, request_method: [DELETE]}"), "");
    EXPECT_NE(try_use("proxy-cache", "{strategy: memory, cache_ttl: 0}"), "");
    EXPECT_EQ(try_use("proxy-cache", "{strategy: memory, memory: {dictionary_name: x, size: 2097152}}"), "");
}

}  // namespace
}  // namespace plugin
