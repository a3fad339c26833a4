#include "http/http1/body.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "http/http1/body_checks_for_tests.h"

namespace http1 {
namespace {

using http::BodyFraming;
using State = BodyDecoder::State;

ReadBody read_chunked(std::string_view bytes, const Limits& limits = {}) {
    check_body(bytes, BodyFraming::chunked, 0, 3);
    return read_body(bytes, BodyFraming::chunked, 0, 1U << 20, limits);
}

TEST(BodyDecoder, Rfc9112_6_3_NoneAndEmptyAreDoneAtOnce) {
    Limits limits;
    BodyDecoder decoder;
    for (BodyFraming framing : {BodyFraming::none, BodyFraming::length}) {
        decoder.start(framing, 0, limits);
        EXPECT_EQ(decoder.state(), State::done);
        BodyDecoder::Step step = decoder.feed("GET / HTTP/1.1\r\n");
        EXPECT_EQ(step.consumed, 0U);
        EXPECT_EQ(step.state, State::done);
    }
}

TEST(BodyDecoder, Rfc9112_6_2_LengthTakesExactlyThatMuch) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::length, 5, limits);
    std::string_view input = "helloGET";
    BodyDecoder::Step step = decoder.feed(input.substr(0, 2));
    EXPECT_EQ(step.piece, "he");
    EXPECT_EQ(step.piece.data(), input.data());
    EXPECT_EQ(step.state, State::more);
    EXPECT_EQ(decoder.remaining(), 3U);
    step = decoder.feed(input.substr(2));
    EXPECT_EQ(step.piece, "llo");
    EXPECT_EQ(step.consumed, 3U);
    EXPECT_EQ(step.state, State::done);
    EXPECT_EQ(decoder.end_of_input(), State::done);
}

TEST(BodyDecoder, Rfc9112_8_EndBeforeTheBodyIsAnError) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::length, 5, limits);
    (void)decoder.feed("he");
    EXPECT_EQ(decoder.end_of_input(), State::error);
    EXPECT_EQ(decoder.fault(), Fault::incomplete_body);
    decoder.start(BodyFraming::chunked, 0, limits);
    (void)decoder.feed("2\r\nhe\r\n0\r\n");
    EXPECT_EQ(decoder.end_of_input(), State::error);
    decoder.start(BodyFraming::until_close, 0, limits);
    EXPECT_EQ(decoder.feed("any\r\n").piece, "any\r\n");
    EXPECT_EQ(decoder.end_of_input(), State::done);
}

TEST(BodyDecoder, Rfc9112_7_1_Chunks) {
    std::string_view bytes = "5\r\nhello\r\n00006\r\n world\r\nA\r\n0123456789\r\nb\r\n01234567890\r\n000\r\n\r\nGET";
    ReadBody got = read_chunked(bytes);
    EXPECT_EQ(name(got.fault), "none");
    EXPECT_EQ(got.content, "hello world012345678901234567890");
    EXPECT_EQ(got.state, State::done);
    EXPECT_EQ(bytes.substr(got.consumed), "GET");
    EXPECT_EQ(read_chunked("0\r\n\r\n").state, State::done);
}

TEST(BodyDecoder, TheEndComesWithTheLastPiece) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::chunked, 0, limits);
    std::string_view input = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest";
    BodyDecoder::Step step = decoder.feed(input);
    EXPECT_EQ(step.piece, "abc");
    EXPECT_EQ(step.consumed, 11U);  // with the line of the next chunk
    EXPECT_EQ(step.state, State::more);
    EXPECT_EQ(decoder.remaining(), 2U);
    step = decoder.feed(input.substr(step.consumed));
    EXPECT_EQ(step.piece, "de");
    EXPECT_EQ(step.state, State::done);
    EXPECT_EQ(step.consumed, 9U);
}

TEST(BodyDecoder, Rfc9112_7_1_1_ExtensionsAreDropped) {
    for (const char* extension :
         {";a", ";a=b", "; a; b=c", " ;\ta = \"q;\\\" \t\xe9\" ; c", ";a=\"\"", ";!#$%&'*+-.^_`|~=1"}) {
        ReadBody got = read_chunked("3" + std::string(extension) + "\r\nabc\r\n0" + extension + "\r\n\r\n");
        EXPECT_EQ(name(got.fault), "none") << extension;
        EXPECT_EQ(got.content, "abc") << extension;
    }
}

TEST(BodyDecoder, Rfc9110_6_5_1_TrailersWithoutForbiddenOnes) {
    ReadBody got = read_chunked(
        "0\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\nTransfer-Encoding: chunked\r\nAuthorization: "
        "x\r\ngrpc-status:0 \r\n"
        "Set-Cookie: a\r\n\r\n");
    EXPECT_EQ(name(got.fault), "none");
    EXPECT_EQ(got.trailers, "X-Sum:1\ngrpc-status:0\n");
}

TEST(BodyDecoder, TrailersDieWithTheNextBody) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::chunked, 0, limits);
    (void)decoder.feed("0\r\nX: 1\r\n\r\n");
    EXPECT_EQ(decoder.trailers().size(), 1U);
    decoder.start(BodyFraming::chunked, 0, limits);
    EXPECT_EQ(decoder.trailers().size(), 0U);
}

TEST(BodyDecoder, Limits) {
    http1::Limits limits;
    limits.chunk_line = 8;
    limits.chunk_extensions = 12;
    limits.trailer_bytes = 20;
    limits.trailer_count = 2;
    EXPECT_EQ(name(read_chunked("00000001\r\na\r\n0\r\n\r\n", limits).fault), "chunk_line_too_long");
    EXPECT_EQ(name(read_chunked("1;aaaaaaaaa\r\na\r\n0\r\n\r\n", limits).fault), "chunk_line_too_long");
    EXPECT_EQ(name(read_chunked("1;abcd\r\na\r\n1;abcd\r\na\r\n1;abcd\r\na\r\n0\r\n\r\n", limits).fault),
              "chunk_extensions_too_large");
    EXPECT_EQ(name(read_chunked("0\r\na:1\r\nb:2\r\n\r\n", limits).fault), "none");
    EXPECT_EQ(name(read_chunked("0\r\na:\r\nb:\r\nc:\r\n\r\n", limits).fault), "too_many_trailers");
    EXPECT_EQ(name(read_chunked("0\r\na:" + std::string(30, '1') + "\r\n\r\n", limits).fault), "trailers_too_large");
}

TEST(BodyDecoder, StaysInError) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::chunked, 0, limits);
    EXPECT_EQ(decoder.feed("3\r\nabcX").state, State::error);
    BodyDecoder::Step step = decoder.feed("0\r\n\r\n");
    EXPECT_EQ(step.state, State::error);
    EXPECT_EQ(step.consumed, 0U);
}

TEST(BodyDecoder, LargestChunkIsCountedNotTrusted) {
    Limits limits;
    BodyDecoder decoder;
    decoder.start(BodyFraming::chunked, 0, limits);
    EXPECT_EQ(decoder.feed("7fffffffffffffff\r\nabc").piece, "abc");
    EXPECT_EQ(decoder.remaining(), 0x7fffffffffffffffU - 3);
}

TEST(BodyDecoder, IsSmall) { EXPECT_LE(sizeof(BodyDecoder), 64U); }

TEST(BodyDecoder, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http1_body_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        for (std::size_t step : {1, 2, 5}) check_body(bytes.str().substr(2), BodyFraming::chunked, 0, step);
        ++seeds;
    }
    EXPECT_GT(seeds, 10U);
}

}  // namespace
}  // namespace http1
