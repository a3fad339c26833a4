// What good request heads mean, by clause. What is refused is in smuggling_test.cpp.
#include <gtest/gtest.h>

#include <string>

#include "http/http1/parse.h"

namespace http1 {
namespace {

using http::BodyFraming;
using http::Known;
using http::Method;
using http::TargetForm;

class ParseRequest : public testing::Test {
  protected:
    Fault parse(const std::string& text, const Limits& limits = {}) {
        bytes_ = text;
        return parse_request_head(bytes_, limits, head);
    }
    void accept(const std::string& text) { ASSERT_EQ(name(parse(text)), "none") << text; }
    http::RequestHead head;

  private:
    std::string bytes_;
};

TEST_F(ParseRequest, Rfc9112_3_RequestLine) {
    accept("PROPFIND /a/b?x=1&y HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n");
    EXPECT_EQ(head.method, Method::other);
    EXPECT_EQ(head.method_token, "PROPFIND");
    EXPECT_EQ(head.target, "/a/b?x=1&y");
    EXPECT_EQ(head.form, TargetForm::origin);
    EXPECT_EQ(head.raw_path, "/a/b");
    EXPECT_EQ(head.query, "x=1&y");
    EXPECT_TRUE(head.has_query);
    EXPECT_EQ(head.authority, "Example.com:8080");
    EXPECT_EQ(head.host, "Example.com");
    EXPECT_EQ(head.port, 8080);
    EXPECT_EQ(head.minor_version, 1);
    EXPECT_EQ(head.framing, BodyFraming::none);
    EXPECT_TRUE(head.keep_alive);
}

TEST_F(ParseRequest, Rfc9112_3_2_1_OriginForm) {
    accept("GET /x? HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(head.has_query);
    EXPECT_EQ(head.query, "");
    accept("GET /x??a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.query, "?a");
    accept("GET //evil/x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.host, "a");
    EXPECT_EQ(head.raw_path, "//evil/x");
    accept("GET /\"<>\\^`{|}\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n");
    accept("GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::origin);
}

TEST_F(ParseRequest, Rfc9112_3_2_2_AbsoluteForm) {
    accept("GET HTTP://b.example:81?q HTTP/1.1\r\nX: 1\r\nhost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::absolute);
    EXPECT_EQ(head.raw_path, "/");
    EXPECT_EQ(head.query, "q");
    EXPECT_EQ(head.authority, "b.example:81");
    EXPECT_EQ(head.host, "b.example");
    EXPECT_EQ(head.port, 81);
    EXPECT_EQ(head.headers.first(Known::host), "b.example:81");
    EXPECT_EQ(head.headers.count(Known::host), 1U);
    accept("GET https://[::1]:8443/x HTTP/1.0\r\n\r\n");
    EXPECT_EQ(head.host, "[::1]");
    EXPECT_EQ(head.headers.first(Known::host), "[::1]:8443");
}

TEST_F(ParseRequest, Rfc9112_3_2_3_AuthorityForm) {
    accept("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::authority);
    EXPECT_EQ(head.host, "b");
    EXPECT_EQ(head.port, 443);
    EXPECT_EQ(head.headers.first(Known::host), "b:443");
}

TEST_F(ParseRequest, Rfc9112_3_2_4_AsteriskForm) {
    accept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::asterisk);
    EXPECT_EQ(head.raw_path, "");
    accept("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::asterisk);
    accept("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::absolute);
}

TEST_F(ParseRequest, Rfc9110_2_5_HigherMinorVersionIsReadAs11) {
    accept("GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    EXPECT_EQ(head.minor_version, 1);
    accept("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(head.minor_version, 0);
    EXPECT_EQ(head.host, "");
}

TEST_F(ParseRequest, Rfc9112_5_FieldsKeepOrderCaseAndLoseOuterBlanks) {
    accept("GET / HTTP/1.1\r\nhOsT:a\r\nX-E:\r\nX-B: \t v w\t \r\nX.|~: \"q\" caf\xe9\r\n\r\n");
    ASSERT_EQ(head.headers.size(), 4U);
    EXPECT_EQ(head.headers[0].name, "hOsT");
    EXPECT_EQ(head.headers[1].value, "");
    EXPECT_EQ(head.headers[2].value, "v w");
    EXPECT_EQ(head.headers[3].name, "X.|~");
    EXPECT_EQ(head.headers[3].value, "\"q\" caf\xe9");
}

TEST_F(ParseRequest, Rfc3986_3_2_3_EmptyPortIsNoPort) {
    accept("GET / HTTP/1.1\r\nHost: a:\r\n\r\n");
    EXPECT_EQ(head.authority, "a");
    EXPECT_EQ(head.headers.first(Known::host), "a");
}

TEST_F(ParseRequest, Rfc9112_6_3_Framing) {
    accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(head.framing, BodyFraming::length);
    EXPECT_EQ(head.content_length, 0U);
    accept("GET / HTTP/1.0\r\nContent-Length: 00042\r\n\r\n");
    EXPECT_EQ(head.content_length, 42U);
    accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 576460752303423487\r\n\r\n");
    EXPECT_EQ(head.content_length, 576460752303423487U);
    accept("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  CHUNKED \r\n\r\n");
    EXPECT_EQ(head.framing, BodyFraming::chunked);
}

TEST_F(ParseRequest, Rfc9112_9_3_Persistence) {
    const std::pair<const char*, bool> cases[] = {
        {"HTTP/1.1\r\nHost: a\r\n", true},
        {"HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n", false},
        {"HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: a, close\r\n", false},
        {"HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n", true},
        {"HTTP/1.0\r\n", false},
        {"HTTP/1.0\r\nConnection: Keep-Alive\r\n", true},
        {"HTTP/1.0\r\nConnection: keep-alive, close\r\n", false},
        {"HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n", true},
    };
    for (const auto& [rest, keep_alive] : cases) {
        accept(std::string("GET / ") + rest + "\r\n");
        EXPECT_EQ(head.keep_alive, keep_alive) << rest;
    }
}

TEST_F(ParseRequest, Rfc9110_7_8_Upgrade) {
    accept("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_TRUE(head.upgrade);
    EXPECT_EQ(head.upgrade_protocol, "websocket");
    accept("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_FALSE(head.upgrade);
    accept("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n");
    EXPECT_FALSE(head.upgrade);
    accept("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_FALSE(head.upgrade);
}

TEST_F(ParseRequest, Rfc9110_10_1_Expectations) {
    accept("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTE: gzip;q=0.5, Trailers\r\n\r\n");
    EXPECT_TRUE(head.expect_continue);
    EXPECT_FALSE(head.expect_unknown);
    EXPECT_TRUE(head.accepts_trailers);
    accept("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_FALSE(head.expect_continue || head.expect_unknown || head.accepts_trailers);
    accept("PUT / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n");
    EXPECT_TRUE(head.expect_unknown);
}

TEST_F(ParseRequest, NothingStaysFromTheMessageBefore) {
    accept(
        "PUT http://b:1/x?q HTTP/1.1\r\nHost: b:1\r\nConnection: close, upgrade, n\r\nUpgrade: x\r\nTE: trailers\r\n"
        "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    accept("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(head.headers.size(), 0U);
    EXPECT_FALSE(head.has_query || head.upgrade || head.expect_continue || head.accepts_trailers ||
                 head.connection.close);
    EXPECT_EQ(head.framing, BodyFraming::none);
    EXPECT_EQ(head.content_length, 0U);
    EXPECT_EQ(head.connection.nominated_count, 0);
    EXPECT_TRUE(head.host.empty() && head.query.empty() && head.upgrade_protocol.empty());
    EXPECT_EQ(head.port, 0);
}

TEST_F(ParseRequest, Limits) {
    http1::Limits limits;
    limits.header_count = 3;
    limits.header_line = 10;
    limits.request_line = 20;
    limits.header_bytes = 30;
    EXPECT_EQ(name(parse("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\n\r\n", limits)), "none");
    EXPECT_EQ(name(parse("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\nd:\r\n\r\n", limits)), "too_many_headers");
    EXPECT_EQ(name(parse("GET / HTTP/1.1\r\nHost: aaaaa\r\n\r\n", limits)), "header_line_too_long");
    EXPECT_EQ(name(parse("GET /aaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n", limits)), "request_line_too_long");
    EXPECT_EQ(name(parse("GET / HTTP/1.1\r\nHost: a\r\nb: 345678\r\nc: 345678\r\n\r\n", limits)), "headers_too_large");
}

TEST_F(ParseRequest, ManyFieldsAreAllKept) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 200; ++i) text += "X-" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
    accept(text + "\r\n");
    EXPECT_EQ(head.headers.size(), 201U);
    EXPECT_EQ(head.headers.first("x-199"), "199");
}

TEST_F(ParseRequest, TooManyConnectionOptionsAreRefusedRatherThanHalfObeyed) {
    std::string options;
    for (std::size_t i = 0; i <= http::ConnectionOptions::max_nominated; ++i) options += "n" + std::to_string(i) + ",";
    EXPECT_EQ(name(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + options + "\r\n\r\n")), "bad_connection");
}

// Every cut of a good head, and every single byte replaced by a hostile one: no crash, and never more than it was.
TEST_F(ParseRequest, CutOrDamagedHeadsAreSafe) {
    const std::string good = "POST /a?b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_NE(parse(good.substr(0, size)), Fault::none) << size;
        for (char hostile : {'\0', '\r', '\n', '\t', ' ', ':', '\x7f', '\x80'}) {
            std::string damaged = good;
            damaged[size] = hostile;
            if (parse(damaged) != Fault::none) continue;
            for (const http::Header& header : head.headers) {
                EXPECT_EQ(header.value.find_first_of("\r\n"), std::string_view::npos);
            }
        }
    }
    EXPECT_NE(parse(good + "x"), Fault::none);
}

}  // namespace
}  // namespace http1
