#include "http/http2/client_session.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "http/http2/client_session_for_tests.h"

namespace http2 {
namespace {

std::string server_hello(std::uint32_t most_streams = 100) {
    return frame(FrameType::settings, 0, 0, number(3, 2) + number(most_streams, 4));
}
std::string answer(std::uint32_t stream, const Fields& fields, bool is_last) {
    return frame(FrameType::headers, end_headers | (is_last ? end_stream : 0), stream, block(fields));
}
const Fields ok{{":status", "200"}};

TEST(ClientSession, ARequestAndItsAnswer) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& stream = world.request(
        "POST /a?b HTTP/1.1\r\nVia: 2.0 x\r\nHost: a.test\r\nConnection: keep-alive\r\n"
        "Transfer-Encoding: chunked\r\nTE: trailers\r\nX-A: B\r\n\r\n",
        true);
    stream.output = "body";
    world.session.end_output(stream, "x-sum: 1\r\n");
    EXPECT_EQ(world.described_output(),
              ":method=POST\n:scheme=http\n:authority=a.test\n:path=/a?b\nvia=2.0 x\nte=trailers\nx-a=B\n--\nbody\n"
              "x-sum=1\n--\nend\n");
    world.receive(answer(1, {{":status", "103"}, {"link", "x"}}, false) +
                  answer(1, {{":status", "200"}, {"a", "b"}}, false) + frame(FrameType::data, 0, 1, "hello") +
                  answer(1, {{"grpc-status", "0"}}, true));
    EXPECT_EQ(stream.head, "HTTP/1.1 103 \r\nlink: x\r\n\r\nHTTP/1.1 200 \r\na: b\r\n\r\n");
    EXPECT_EQ(stream.body, "hello");
    EXPECT_EQ(stream.trailers, "grpc-status:0\n");
    EXPECT_TRUE(stream.has_ended && stream.was_closed);
    EXPECT_EQ(world.fates[&stream], Fate::served);
}

TEST(ClientSession, OneStreamUntilTheServerHasSaidHowMany) {
    ClientWorld world;
    EXPECT_EQ(world.session.most_streams(), 1U);
    world.receive(server_hello(7));
    EXPECT_EQ(world.session.most_streams(), 7U);
    world.receive(server_hello(1'000'000));
    EXPECT_EQ(world.session.most_streams(), world.limits.concurrent_streams);
}

TEST(ClientSession, WhatWasNotProcessedIsTold) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& first = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    TestStream& second = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    TestStream& third = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    world.frames();
    world.receive(rst_stream(1, 7) + rst_stream(3, 2) + frame(FrameType::goaway, 0, 0, number(3, 4) + number(0, 4)));
    EXPECT_EQ(world.fates[&first], Fate::unprocessed);
    EXPECT_EQ(world.fates[&second], Fate::reset);
    EXPECT_EQ(world.fates[&third], Fate::unprocessed);
    EXPECT_FALSE(world.session.takes_requests());
}

TEST(ClientSession, WhatNeverWentOutIsUnprocessed) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& stream = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false);
    EXPECT_FALSE(stream.is_on_its_way());
    world.receive(frame(FrameType::goaway, 0, 0, number(0, 4) + number(0, 4)));
    world.frames();
    EXPECT_TRUE(stream.was_closed);
    EXPECT_EQ(world.fates[&stream], Fate::unprocessed);
}

TEST(ClientSession, AnswersThatBreakTheProtocol) {
    const std::string bad[] = {
        answer(1, {}, true),
        answer(1, {{":status", "2000"}}, true),
        answer(1, {{":status", "101"}}, true),
        answer(1, {{":status", "abc"}}, true),
        answer(1, {{":status", "200"}, {":status", "200"}}, true),
        answer(1, {{":path", "/"}}, true),
        answer(1, {{":status", "200"}, {"connection", "close"}}, true),
        answer(1, {{":status", "200"}, {"transfer-encoding", "chunked"}}, true),
        answer(1, {{":status", "200"}, {"Upper", "x"}}, true),
        answer(1, {{":status", "200"}, {"a", "b\r\nc: d"}}, true),
        answer(1, {{"a", "b"}, {":status", "200"}}, true),
        answer(1, {{":status", "100"}}, true),
        answer(1, {{":status", "200"}, {"content-length", "3"}}, false) + frame(FrameType::data, end_stream, 1, "four"),
        answer(1, {{":status", "200"}, {"content-length", "3"}}, false) + frame(FrameType::data, end_stream, 1, "2"),
        answer(1, {{":status", "200"}, {"content-length", "3"}, {"content-length", "4"}}, true),
    };
    for (const std::string& bytes : bad) {
        ClientWorld world;
        world.receive(server_hello());
        TestStream& stream = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
        world.frames();
        world.receive(bytes);
        world.frames();
        EXPECT_TRUE(stream.was_closed) << bytes;
        EXPECT_EQ(world.fates[&stream], Fate::malformed) << bytes;
        EXPECT_FALSE(stream.has_ended && stream.fault == http1::Fault::none && world.fates[&stream] == Fate::served);
    }
}

TEST(ClientSession, InterimHeadsHaveAnEnd) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& stream = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    world.frames();
    for (int i = 0; i < 100; ++i) world.receive(answer(1, {{":status", "103"}}, false));
    world.frames();
    EXPECT_EQ(world.fates[&stream], Fate::malformed);
    EXPECT_LT(stream.head.size(), 2'000U);
}

TEST(ClientSession, AHeadWithoutEndIsCutOff) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& stream = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    world.frames();
    Fields many = ok;
    for (int i = 0; i < 3000; ++i) many.emplace_back("x-" + std::to_string(i), "y");
    std::string all = block(many);
    std::string bytes = frame(FrameType::headers, 0, 1, all.substr(0, 16000));
    for (std::size_t at = 16000; at < all.size(); at += 16000)
        bytes += frame(FrameType::continuation, at + 16000 >= all.size() ? end_headers : 0, 1, all.substr(at, 16000));
    world.receive(bytes);
    world.frames();
    EXPECT_EQ(world.fates[&stream], Fate::malformed);
}

TEST(ClientSession, WhatNoServerMaySayEndsTheConnection) {
    for (const std::string& bytes :
         {frame(FrameType::push_promise, end_headers, 1, number(2, 4) + block(get_fields())),
          frame(FrameType::data, 0, 1, "before its head"), frame(FrameType::headers, end_headers, 7, block(ok)),
          frame(FrameType::headers, end_headers, 2, block(ok)), frame(FrameType::settings, 0, 1)}) {
        ClientWorld world;
        world.receive(server_hello() + frame(FrameType::settings, acknowledge, 0));
        world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
        world.frames();
        world.receive(bytes);
        EXPECT_TRUE(world.session.is_over()) << bytes;
    }
}

TEST(ClientSession, FloodsEndIt) {
    for (const std::string& each :
         {frame(FrameType::settings, 0, 0), frame(FrameType::ping, 0, 0, "12345678"),
          frame(FrameType::window_update, 0, 0, number(1, 4)), frame(static_cast<FrameType>(77), 0, 0)}) {
        ClientWorld world;
        world.receive(server_hello());
        std::string all;
        for (int i = 0; i < 6000; ++i) all += each;
        EXPECT_FALSE(world.receive(all));
        EXPECT_NE(world.session.statistics().why_calm, nullptr);
    }
}

TEST(ClientSession, WhatComesForACancelledStreamCostsNothing) {
    ClientWorld world;
    world.receive(server_hello());
    TestStream& stream = world.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    world.frames();
    world.session.reset(stream, ErrorCode::cancel);
    world.frames();
    EXPECT_TRUE(stream.was_closed);
    EXPECT_EQ(world.fates[&stream], Fate::served);
    std::string late = answer(1, ok, false);
    for (int i = 0; i < 2000; ++i) late += frame(FrameType::data, 0, 1, std::string(1000, 'x'));
    EXPECT_TRUE(world.receive(late));
    // All of it was credited to the connection, or others would starve.
    std::uint64_t credited = 0;
    for (const Frame& each : world.all_frames)
        if (each.type == FrameType::window_update && each.stream == 0) credited += each.word(0);
    EXPECT_GT(credited, 1'000'000U);
}

TEST(ClientSession, PingsAreAnsweredBothWays) {
    ClientWorld world;
    world.receive(server_hello());
    world.session.ping();
    world.frames();
    world.receive(frame(FrameType::ping, acknowledge, 0, std::string(8, '\0')));
    EXPECT_EQ(world.pings_answered, 1);
}

TEST(ClientSession, FuzzSeeds) {
    std::size_t seen = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http2_client_session_fuzz")) {
        std::ifstream file(entry.path(), std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        std::string bytes = text.str();
        ASSERT_FALSE(bytes.empty());
        check_client_session(std::string_view(bytes).substr(1), static_cast<std::uint8_t>(bytes[0]) + std::size_t{1});
        ++seen;
    }
    EXPECT_GE(seen, 4U);
}

}  // namespace
}  // namespace http2
