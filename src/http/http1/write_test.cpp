#include "http/http1/write.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "http/http1/requests_for_tests.h"

namespace http1 {
namespace {

using namespace std::string_view_literals;
using http::Headers;
using http::Known;

std::string request(std::string_view method, std::string_view target, const Headers& headers, const Framing& framing) {
    std::string out(request_head_size(method, target, headers), '\0');
    out.resize(write_request_head(method, target, headers, framing, out));
    return out;
}
std::string response(int status, std::optional<std::string_view> reason, const Headers& headers,
                     const Framing& framing) {
    std::string out(response_head_size(status, reason, headers), '\0');
    out.resize(write_response_head(status, reason, headers, framing, out));
    return out;
}

TEST(Write, RequestHeadIsCanonicalWithOneFramingField) {
    Headers headers;
    headers.add("hOst", "a");
    headers.add("content-length", "99");
    headers.add("Transfer-encoding", "gzip");
    headers.add("X", "");
    EXPECT_EQ(request("GET", "/x?y", headers, Framing::none()), "GET /x?y HTTP/1.1\r\nhOst: a\r\nX: \r\n\r\n");
    EXPECT_EQ(request("PUT", "/", headers, Framing::of_length(0)),
              "PUT / HTTP/1.1\r\nhOst: a\r\nX: \r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(request("PUT", "/", headers, Framing::of_length(UINT64_MAX)),
              "PUT / HTTP/1.1\r\nhOst: a\r\nX: \r\nContent-Length: 18446744073709551615\r\n\r\n");
    EXPECT_EQ(request("PUT", "/", headers, Framing::chunked()),
              "PUT / HTTP/1.1\r\nhOst: a\r\nX: \r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(Write, ResponseHead) {
    Headers headers;
    EXPECT_EQ(response(200, {}, headers, Framing::of_length(5)), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(response(426, "", headers, Framing::until_close()), "HTTP/1.1 426 \r\n\r\n");
    EXPECT_EQ(response(200, "Fine", headers, Framing::chunked()),
              "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n");
    Framing of_head{http::BodyFraming::none, 7};
    EXPECT_EQ(response(304, {}, headers, of_head), "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
}

TEST(Write, Rfc9110_8_6_NoFramingIn1xxAnd204) {
    Headers headers;
    headers.add(Known::content_length, "3");
    for (int status : {100, 101, 103, 204}) {
        for (const Framing& framing : {Framing::of_length(3), Framing::chunked(), Framing::of_length(0)}) {
            std::string head = response(status, "x", headers, framing);
            EXPECT_EQ(head, "HTTP/1.1 " + std::to_string(status) + " x\r\n\r\n");
        }
    }
}

TEST(Write, NothingUnsafeIsEverWritten) {
    Headers fine;
    for (std::string_view bad : {"a\r\nb"sv, "a\nb"sv, "a\rb"sv, "a\0b"sv, "a\x7f"sv, "\x01"sv}) {
        Headers headers;
        headers.add("X", bad);
        EXPECT_EQ(request("GET", "/", headers, Framing::none()), "") << bad;
        Headers known;
        known.add(Known::location, bad);
        EXPECT_EQ(response(302, {}, known, Framing::of_length(0)), "") << bad;
        Headers names;
        names.add(bad, "1");
        EXPECT_EQ(request("GET", "/", names, Framing::none()), "") << bad;
        EXPECT_EQ(response(200, bad, fine, Framing::of_length(0)), "") << bad;
        EXPECT_EQ(request("GET", bad, fine, Framing::none()), "") << bad;
        EXPECT_EQ(request(bad, "/", fine, Framing::none()), "") << bad;
        char room[64];
        EXPECT_EQ(write_last_chunk(headers, room), 0U) << bad;
    }
    for (std::string_view bad : {"", "a b", "a:", "a:b", " a", "(a)"}) {
        Headers names;
        names.add(bad, "1");
        EXPECT_EQ(request("GET", "/", names, Framing::none()), "") << bad;
    }
    EXPECT_EQ(request("GET", "", fine, Framing::none()), "");
    EXPECT_EQ(request("GET", "/a b", fine, Framing::none()), "");
    EXPECT_EQ(request("GET", "/a#b", fine, Framing::none()), "");
    EXPECT_EQ(request("", "/", fine, Framing::none()), "");
    EXPECT_EQ(response(99, "x", fine, Framing::none()), "");
    EXPECT_EQ(response(1000, "x", fine, Framing::none()), "");
}

TEST(Write, EverySizeOfRoomIsRespected) {
    Headers headers;
    headers.add(Known::host, "example.com");
    headers.add("X-Long", std::string_view("0123456789012345678901234567890123456789"));
    std::string whole = request("POST", "/path", headers, Framing::of_length(12345));
    ASSERT_FALSE(whole.empty());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        std::vector<char> room(size);  // exactly so much, so that the sanitizer sees one byte more
        EXPECT_EQ(write_request_head("POST", "/path", headers, Framing::of_length(12345), room), 0U);
    }
    std::string response_whole = response(200, {}, headers, Framing::chunked());
    for (std::size_t size = 0; size < response_whole.size(); ++size) {
        std::vector<char> room(size);
        EXPECT_EQ(write_response_head(200, {}, headers, Framing::chunked(), room), 0U);
    }
}

TEST(Write, FieldByField) {
    char room[256];
    HeadWriter writer(room);
    writer.status_line(200);
    writer.header("Via", "1.1 x");
    writer.header("content-LENGTH", "5");
    writer.framing(Framing::of_length(6));
    std::size_t size = writer.finish();
    EXPECT_EQ(std::string_view(room, size), "HTTP/1.1 200 OK\r\nVia: 1.1 x\r\nContent-Length: 6\r\n\r\n");
}

TEST(Write, Rfc9112_7_1_Chunks) {
    char prefix[chunk_prefix_capacity];
    EXPECT_EQ(write_chunk_prefix(1, prefix), "1\r\n");
    EXPECT_EQ(write_chunk_prefix(0xabc, prefix), "abc\r\n");
    EXPECT_EQ(write_chunk_prefix(UINT64_MAX, prefix), "ffffffffffffffff\r\n");
    Headers trailers;
    trailers.add("X", "1");
    trailers.add("Content-Length", "1");
    std::string end(last_chunk_size(trailers), '\0');
    end.resize(write_last_chunk(trailers, end));
    EXPECT_EQ(end, "0\r\nX: 1\r\n\r\n");
    char small[2];
    EXPECT_EQ(write_last_chunk(trailers, small), 0U);
}

TEST(RoundTrip, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    std::size_t messages = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http1_request_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        for (std::size_t step : {1, 2, 5}) check_requests(bytes.str().substr(1), step);
        messages += read_requests(bytes.str().substr(1), Limits{}).messages.size();
        ++seeds;
    }
    EXPECT_GT(seeds, 10U);
    EXPECT_GT(messages, 10U);
}

}  // namespace
}  // namespace http1
