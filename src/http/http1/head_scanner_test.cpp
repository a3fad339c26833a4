#include "http/http1/head_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace http1 {
namespace {

using State = HeadScanner::State;

// Shows `bytes` one by one; at most `*shown` of them were needed for the verdict.
Fault fault_of(MessageKind kind, const std::string& bytes, const Limits& limits, std::size_t* shown = nullptr) {
    HeadScanner scanner(kind);
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
        State state = scanner.scan(std::string_view(bytes).substr(0, size), limits);
        if (shown != nullptr) *shown = size;
        if (state != State::more) return scanner.fault();
    }
    return scanner.fault();
}

TEST(HeadScanner, FindsTheEndHoweverTheBytesCome) {
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    std::string bytes = "\r\n\r\n" + head + "\r\nbody";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        HeadScanner scanner(MessageKind::request);
        State state = State::more;
        std::size_t shown = 0;
        while (state == State::more) {
            ASSERT_LE(shown, bytes.size());
            shown += step;
            // A fresh copy each time: the buffer may move between calls.
            std::string moved = bytes.substr(0, shown);
            state = scanner.scan(moved, Limits{});
            if (state == State::complete) EXPECT_EQ(scanner.head(moved), head);
        }
        EXPECT_EQ(state, State::complete);
        EXPECT_EQ(scanner.consumed(), head.size() + 4);
    }
}

TEST(HeadScanner, SaysWhetherAnythingBegan) {
    HeadScanner scanner(MessageKind::request);
    EXPECT_EQ(scanner.scan("\r\n", Limits{}), State::more);
    EXPECT_FALSE(scanner.has_begun("\r\n"));
    EXPECT_EQ(scanner.scan("\r\nG", Limits{}), State::more);
    EXPECT_TRUE(scanner.has_begun("\r\nG"));
    scanner.reset();
    EXPECT_EQ(scanner.scan("GET / HTTP/1.1\r\n\r\n", Limits{}), State::complete);
    EXPECT_EQ(scanner.consumed(), 18U);
}

TEST(HeadScanner, RefusesWhatCannotBecomeAHeadAtTheFirstByte) {
    struct Case {
        MessageKind kind;
        std::string bytes;
        Fault fault;
    };
    const Case cases[] = {
        {MessageKind::request, "\x16", Fault::tls_hello},  {MessageKind::request, "\x80", Fault::garbage},
        {MessageKind::request, " ", Fault::garbage},       {MessageKind::request, "{", Fault::garbage},
        {MessageKind::request, "\n", Fault::bare_lf},      {MessageKind::response, "h", Fault::garbage},
        {MessageKind::response, "\r", Fault::garbage},     {MessageKind::response, "\x15", Fault::garbage},
        {MessageKind::response, "\x16", Fault::tls_hello}, {MessageKind::response, "<", Fault::garbage},
    };
    for (const Case& each : cases) EXPECT_EQ(name(fault_of(each.kind, each.bytes, {})), name(each.fault)) << each.bytes;
    EXPECT_EQ(fault_of(MessageKind::response, "HTTX", {}), Fault::garbage);
    EXPECT_EQ(fault_of(MessageKind::response, "HTTP", {}), Fault::none);
}

TEST(HeadScanner, RefusesEarlyWhatExceedsALimit) {
    Limits limits;
    limits.request_line = 32;
    limits.header_line = 16;
    limits.header_bytes = 40;
    limits.response_head = 64;
    std::size_t shown = 0;
    EXPECT_EQ(fault_of(MessageKind::request, "GET /" + std::string(100, 'a'), limits, &shown),
              Fault::request_line_too_long);
    EXPECT_EQ(shown, 33U);
    EXPECT_EQ(fault_of(MessageKind::request, "GET / HTTP/1.1\r\nX: " + std::string(100, 'a'), limits, &shown),
              Fault::header_line_too_long);
    EXPECT_EQ(shown, 16U + 17U);
    std::string fields = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 10; ++i) fields += "X: aaaaaaaa\r\n";
    EXPECT_EQ(fault_of(MessageKind::request, fields, limits, &shown), Fault::headers_too_large);
    EXPECT_EQ(shown, 16U + 41U);
    EXPECT_EQ(fault_of(MessageKind::response, "HTTP/1.1 200 OK\r\n" + std::string(100, 'a'), limits, &shown),
              Fault::response_head_too_large);
    EXPECT_EQ(shown, 65U);
    // Exactly at the limit is within it.
    EXPECT_EQ(fault_of(MessageKind::request, "GET /" + std::string(18, 'a') + " HTTP/1.1\r\nX: 3456789abcdef\r\n\r\n",
                       limits),
              Fault::none);
}

TEST(HeadScanner, StaysRefused) {
    HeadScanner scanner(MessageKind::request);
    EXPECT_EQ(scanner.scan("\n", Limits{}), State::fault);
    EXPECT_EQ(scanner.scan("\nGET / HTTP/1.1\r\n\r\n", Limits{}), State::fault);
}

}  // namespace
}  // namespace http1
