#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "http/http1/responses_for_tests.h"

namespace http1 {
namespace {

using http::BodyFraming;
using http::Method;

ReadResponse read(std::string_view bytes, Method method = Method::get) {
    ReadResponse out;
    read_response(bytes, method, bytes.size() + 1, out);
    check_response(bytes, method, 1);
    return out;
}

TEST(ParseResponse, Rfc9112_4_StatusLine) {
    ReadResponse got = read("HTTP/1.1 404 Not  Found \xe9\r\nServer: x\r\nContent-Length: 2\r\n\r\nab");
    EXPECT_EQ(got.head.status, 404);
    EXPECT_EQ(got.head.reason, "Not  Found \xe9");
    EXPECT_EQ(got.head.headers.first("server"), "x");
    EXPECT_EQ(got.body, "ab");
    EXPECT_TRUE(got.is_complete && got.head.keep_alive);
    EXPECT_EQ(read("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").head.status, 200);
    EXPECT_EQ(read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").head.status, 200);
    EXPECT_EQ(read("HTTP/1.9 999 x\r\nContent-Length: 0\r\n\r\n").head.minor_version, 1);
}

TEST(ParseResponse, RefusesWhatIsNone) {
    const std::pair<std::string_view, Fault> cases[] = {
        {"this is not http\r\n\r\n", Fault::garbage},
        {"<html>", Fault::garbage},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", Fault::garbage},
        {"http/1.1 200 OK\r\n\r\n", Fault::garbage},
        {"HTTP/2.0 200 OK\r\n\r\n", Fault::unsupported_version},
        {"HTTP/1.10 200 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1  200 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 20 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 2000 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 099 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 2x0 OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 200OK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 200 O\rK\r\n\r\n", Fault::bad_status_line},
        {"HTTP/1.1 200 OK\nServer: x\n\n", Fault::bare_lf},
        {"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", Fault::space_before_colon},
        {"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", Fault::folded_header},
        {"HTTP/1.1 200 OK\r\nX\r\n\r\n", Fault::missing_colon},
        {"HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n", Fault::bad_header_value},
        {"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", Fault::bare_cr},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         Fault::length_and_transfer_encoding},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Fault::unsupported_transfer_encoding},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", Fault::bad_transfer_encoding},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::transfer_encoding_in_http10},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", Fault::duplicate_content_length},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na", Fault::bad_content_length},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Fault::bad_content_length},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", Fault::bad_content_length},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Fault::incomplete_body},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Fault::incomplete_body},
    };
    for (const auto& [bytes, fault] : cases) EXPECT_EQ(name(read(bytes).fault), name(fault)) << bytes;
}

TEST(ParseResponse, Rfc9112_6_3_Framing) {
    struct Case {
        std::string_view bytes;
        Method method;
        BodyFraming framing;
        bool keep_alive;
    };
    const Case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Method::get, BodyFraming::length, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", Method::get, BodyFraming::chunked, true},
        {"HTTP/1.1 200 OK\r\n\r\nhello", Method::get, BodyFraming::until_close, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head, BodyFraming::none, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::head, BodyFraming::none, true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Method::get, BodyFraming::none, true},
        {"HTTP/1.1 204 No Content\r\n\r\n", Method::get, BodyFraming::none, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Method::get, BodyFraming::none, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Method::get, BodyFraming::none, false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Method::get, BodyFraming::none, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", Method::post, BodyFraming::none, true},
        {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", Method::get, BodyFraming::none, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::connect, BodyFraming::none, true},
        {"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello", Method::connect, BodyFraming::length, true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Method::get, BodyFraming::length, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", Method::get,
         BodyFraming::length, true},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", Method::get, BodyFraming::length,
         false},
    };
    for (const Case& each : cases) {
        ReadResponse got = read(each.bytes, each.method);
        EXPECT_EQ(name(got.fault), "none") << each.bytes;
        EXPECT_EQ(got.head.framing, each.framing) << each.bytes;
        EXPECT_EQ(got.head.keep_alive, each.keep_alive) << each.bytes;
        EXPECT_TRUE(got.is_complete) << each.bytes;
    }
    EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head).head.declared_length, 5U);
}

TEST(ParseResponse, Rfc9110_7_8_UpgradeOnlyWith101) {
    ReadResponse got = read("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_TRUE(got.head.upgrade);
    EXPECT_EQ(got.head.upgrade_protocol, "websocket");
    EXPECT_FALSE(read("HTTP/1.1 101 Switching Protocols\r\n\r\n").head.upgrade);
    EXPECT_FALSE(
        read("HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n").head.upgrade);
}

TEST(ParseResponse, Limits) {
    http1::Limits limits;
    limits.header_count = 1;
    limits.response_head = 60;
    http::ResponseHead head;
    EXPECT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nA:\r\n\r\n", limits, Method::get, head), Fault::none);
    EXPECT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nA:\r\nB:\r\n\r\n", limits, Method::get, head),
              Fault::too_many_headers);
    std::string large = "HTTP/1.1 200 OK\r\nA: " + std::string(60, 'a') + "\r\n\r\n";
    EXPECT_EQ(parse_response_head(large, limits, Method::get, head), Fault::response_head_too_large);
}

TEST(ParseResponse, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http1_response_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        for (Method method : {Method::get, Method::head, Method::connect})
            check_response(bytes.str().substr(2), method, 3);
        ++seeds;
    }
    EXPECT_GT(seeds, 10U);
}

}  // namespace
}  // namespace http1
