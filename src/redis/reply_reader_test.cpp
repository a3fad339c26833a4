#include "redis/reply_reader.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "redis/encoder.h"

namespace redis {
namespace {

std::vector<Reply> all_of(ReplyReader& reader) {
    std::vector<Reply> out;
    while (true) {
        auto next = reader.next();
        if (!next || !*next) return out;
        out.push_back(std::move(**next));
    }
}

TEST(ReplyReader, EveryKind) {
    ReplyReader reader({});
    reader.feed(
        "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n");
    std::vector<Reply> replies = all_of(reader);
    ASSERT_EQ(replies.size(), 9u);
    EXPECT_EQ(replies[0], Reply::of(Reply::Kind::status, "OK"));
    EXPECT_EQ(replies[1], Reply::of(Reply::Kind::error, "ERR no"));
    EXPECT_EQ(replies[2], Reply::of(-42));
    EXPECT_EQ(replies[3], Reply::of(Reply::Kind::bytes, "a\r\nbc"));
    EXPECT_EQ(replies[4], Reply::of(Reply::Kind::bytes, ""));
    EXPECT_TRUE(replies[5].is_nil());
    EXPECT_TRUE(replies[6].is_nil());
    EXPECT_EQ(replies[7], Reply::array());
    Reply nested = Reply::array();
    nested.add(Reply::of(1));
    nested.add(Reply::array()).add(Reply::of(Reply::Kind::bytes, "x"));
    EXPECT_EQ(replies[8], nested);
    EXPECT_EQ(reader.held(), 0u);
}

TEST(ReplyReader, SplitAnywhereItIsTheSame) {
    const std::string text = "*3\r\n$3\r\nabc\r\n*2\r\n:12\r\n$-1\r\n+fine\r\n-ERR what\r\n:7\r\n$4\r\n\r\n\r\n\r\n";
    ReplyReader whole({});
    whole.feed(text);
    std::vector<Reply> expected = all_of(whole);
    ASSERT_EQ(expected.size(), 4u);
    base::Random random(1);
    for (int round = 0; round < 200; ++round) {
        ReplyReader reader({});
        std::vector<Reply> got;
        for (std::size_t at = 0; at < text.size();) {
            std::size_t size = std::min<std::size_t>(1 + random.below(round == 0 ? 1 : 12), text.size() - at);
            reader.feed(std::string_view(text).substr(at, size));
            at += size;
            for (Reply& reply : all_of(reader)) got.push_back(std::move(reply));
        }
        ASSERT_EQ(got, expected);
    }
}

TEST(ReplyReader, WhatIsBrokenStaysBroken) {
    ReplyReader reader({});
    reader.feed("nonsense\r\n");
    EXPECT_FALSE(reader.next());
    reader.feed("+OK\r\n");
    EXPECT_FALSE(reader.next());
}

TEST(ReplyReader, LimitsAreExact) {
    Limits limits;
    limits.reply_elements = 3;
    ReplyReader fits(limits);
    fits.feed("*2\r\n*1\r\n:1\r\n:2\r\n");
    EXPECT_TRUE(fits.next());
    fits.feed("*3\r\n:1\r\n:2\r\n:3\r\n");
    EXPECT_TRUE(fits.next());
    fits.feed("*3\r\n*1\r\n");
    EXPECT_EQ(fits.next().error().code, base::Code::too_large);

    limits.reply_bytes = 20;
    ReplyReader small(limits);
    small.feed("$13\r\n0123456789abc\r\n");
    EXPECT_TRUE(*small.next());
    small.feed("$30\r\n0123456789abcde");
    EXPECT_TRUE(small.next());
    small.feed("f");
    EXPECT_EQ(small.next().error().code, base::Code::too_large);
}

TEST(ReplyReader, AMegabyteInPieces) {
    ReplyReader reader({});
    const std::string body(1'000'000, 'x');
    std::string text = "$1000000\r\n" + body + "\r\n:1\r\n";
    std::vector<Reply> got;
    for (std::size_t at = 0; at < text.size(); at += 1'000) {
        reader.feed(std::string_view(text).substr(at, 1'000));
        for (Reply& reply : all_of(reader)) got.push_back(std::move(reply));
    }
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].text(), body);
}

TEST(Reply, IntegersAlsoFromText) {
    EXPECT_EQ(Reply::of(7).integer(), 7);
    EXPECT_EQ(Reply::of(Reply::Kind::bytes, "-7").integer(), -7);
    EXPECT_EQ(Reply::of(Reply::Kind::bytes, "7x").integer(), std::nullopt);
    EXPECT_EQ(Reply::of(Reply::Kind::bytes, "").integer(), std::nullopt);
    EXPECT_EQ(Reply::of(Reply::Kind::bytes, "99999999999999999999").integer(), std::nullopt);
    EXPECT_EQ(Reply::of(Reply::Kind::status, "7").integer(), std::nullopt);
    EXPECT_EQ(Reply().integer(), std::nullopt);
}

TEST(Reply, ErrorTextsAreShownWithoutArguments) {
    EXPECT_EQ(error_of("ERR unknown command 'X', with args beginning with: 'secret'").detail,
              "Redis: ERR unknown command 'X'");
    EXPECT_EQ(error_of("ERR a\nb").detail, "Redis: ERR a?b");
    EXPECT_LE(error_of(std::string(10'000, 'x')).detail.size(), 200u);
    EXPECT_EQ(complaint_of("MOVED 1 a:1"), Complaint::moved);
    EXPECT_EQ(complaint_of("MOVEDX 1 a:1"), Complaint::other);
    EXPECT_EQ(complaint_of("OOM"), Complaint::full);
}

TEST(Encoder, CommandsLieBehindEachOther) {
    net::BufferPool pool;
    Encoder encoder(pool);
    net::Slice first = encoder.encode(std::array<std::string_view, 2>{"GET", "key"});
    net::Slice second = encoder.encode(std::array<std::string_view, 1>{std::string_view("a\0b", 3)});
    EXPECT_EQ(first.text(), "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
    EXPECT_EQ(second.text(), std::string_view("*1\r\n$3\r\na\0b\r\n", 13));
    EXPECT_EQ(first.data() + first.size(), second.data());
    std::string large(100'000, 'x');
    std::array<std::string_view, 12> many{large, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"};
    net::Slice third = encoder.encode(many);
    EXPECT_EQ(third.size(), encoded_size(many));
    EXPECT_TRUE(third.text().starts_with("*12\r\n$100000\r\nxxx"));
}

}  // namespace
}  // namespace redis
