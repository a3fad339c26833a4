#include "http/headers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include "http/characters.h"
#include "http/connection_options.h"

namespace http {
namespace {

std::vector<std::string> names_and_values(const Headers& headers) {
    std::vector<std::string> lines;
    for (const Header& header : headers) lines.push_back(std::string(header.name) + ": " + std::string(header.value));
    return lines;
}

TEST(Recognise, KnowsEveryNameInAnyCase) {
    for (std::size_t i = 1; i < known_count; ++i) {
        std::string name(canonical_name(static_cast<Known>(i)));
        ASSERT_FALSE(name.empty());
        for (int fold = 0; fold < 3; ++fold) {
            std::string cased = name;
            for (char& c : cased) {
                if (fold == 1) c = static_cast<char>(std::tolower(c));
                if (fold == 2) c = static_cast<char>(std::toupper(c));
            }
            EXPECT_EQ(static_cast<std::size_t>(recognise(cased)), i) << cased;
        }
    }
}

TEST(Recognise, TellsNeighboursApart) {
    EXPECT_EQ(recognise(""), Known::none);
    for (std::size_t i = 1; i < known_count; ++i) {
        std::string name(canonical_name(static_cast<Known>(i)));
        EXPECT_EQ(recognise(name + "x"), Known::none);
        for (std::size_t at = 0; at < name.size(); ++at) {
            for (int c = 0x21; c < 0x7f; ++c) {
                std::string other = name;
                other[at] = static_cast<char>(c);
                if (!is_token(other) || equals_ignore_case(other, name)) continue;
                Known found = recognise(other);
                EXPECT_TRUE(found == Known::none || equals_ignore_case(canonical_name(found), other)) << other;
            }
        }
    }
}

TEST(Headers, KeepsOrderAndCaseAndFindsInAnyCase) {
    Headers headers;
    headers.add("x-B", "1");
    headers.add("HOST", "a");
    headers.add("X-b", "2");
    EXPECT_EQ(names_and_values(headers), (std::vector<std::string>{"x-B: 1", "HOST: a", "X-b: 2"}));
    EXPECT_EQ(headers.first(Known::host), "a");
    EXPECT_EQ(headers.first("host"), "a");
    EXPECT_EQ(headers.first("X-B"), "1");
    EXPECT_EQ(headers.count("x-b"), 2U);
    EXPECT_EQ(headers.count(Known::host), 1U);
    EXPECT_EQ(headers.find(Known::cookie), nullptr);
    EXPECT_EQ(headers.find("x-c"), nullptr);
}

TEST(Headers, SetReplacesTheFirstAndDropsTheOthers) {
    Headers headers;
    headers.add("a", "1");
    headers.add("via", "2");
    headers.add("b", "3");
    headers.add("Via", "4");
    headers.add("c", "5");
    headers.set(Known::via, "x");
    EXPECT_EQ(names_and_values(headers), (std::vector<std::string>{"a: 1", "via: x", "b: 3", "c: 5"}));
    headers.set("B", "y");
    headers.set("d", "z");
    EXPECT_EQ(names_and_values(headers), (std::vector<std::string>{"a: 1", "via: x", "b: y", "c: 5", "d: z"}));
    headers.set(Known::host, "h");
    EXPECT_EQ(headers[5].name, "Host");
}

TEST(Headers, RemoveKeepsTheOthersAndForgetsThePresence) {
    Headers headers;
    headers.add("Via", "1");
    headers.add("a", "2");
    headers.add("via", "3");
    headers.add("A", "4");
    EXPECT_EQ(headers.remove(Known::via), 2U);
    EXPECT_FALSE(headers.has(Known::via));
    EXPECT_EQ(headers.remove(Known::via), 0U);
    EXPECT_EQ(headers.remove("a"), 2U);
    EXPECT_TRUE(headers.empty());
}

TEST(Headers, GrowsBeyondItsInlineStorageAndMoves) {
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back("x-" + std::to_string(i));
    Headers headers;
    for (const std::string& name : names) headers.add(name, name);
    EXPECT_EQ(headers.first("X-999"), "x-999");
    while (headers.size() < 1024) headers.add(headers[0]);
    headers.add(headers[0]);  // grows while the field is in the old memory
    EXPECT_EQ(headers[1024].value, "x-0");
    Headers moved = std::move(headers);
    EXPECT_EQ(moved.size(), 1025U);
    EXPECT_TRUE(headers.empty());  // NOLINT: a moved-from list is an empty one
    headers.add("a", "1");
    moved = std::move(headers);
    EXPECT_EQ(names_and_values(moved), (std::vector<std::string>{"a: 1"}));
    moved.reset();
    EXPECT_TRUE(moved.empty());
    EXPECT_FALSE(moved.has("a"));
}

TEST(Headers, MovesFromInlineStorage) {
    Headers headers;
    headers.add("Host", "a");
    Headers moved(std::move(headers));
    headers.add("Host", "b");
    EXPECT_EQ(moved.first(Known::host), "a");
    EXPECT_EQ(headers.first(Known::host), "b");
}

// RFC 9110 7.6.1.
TEST(ConnectionOptions, NamesFieldsOfThisHop) {
    ConnectionOptions options;
    ASSERT_TRUE(options.add("Close, X-Hop ,, upGrade"));
    ASSERT_TRUE(options.add("keep-alive,HOST"));
    EXPECT_TRUE(options.close && options.upgrade && options.keep_alive);
    Headers headers;
    for (const char* name : {"Connection", "x-hop", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade",
                             "Proxy", "Transfer-Encoding", "HTTP2-Settings"}) {
        headers.add(name, "1");
    }
    for (const char* name : {"Host", "X-Hop2", "Authorization", "Content-Length"}) headers.add(name, "1");
    strip_hop_by_hop(headers, options);
    EXPECT_EQ(names_and_values(headers),
              (std::vector<std::string>{"Host: 1", "X-Hop2: 1", "Authorization: 1", "Content-Length: 1"}));
}

TEST(ConnectionOptions, WithoutNominatedNamesStripsTheUsualOnes) {
    Headers headers;
    headers.add("TE", "trailers");
    headers.add("A", "1");
    strip_hop_by_hop(headers, ConnectionOptions{});
    EXPECT_EQ(names_and_values(headers), (std::vector<std::string>{"A: 1"}));
}

TEST(ConnectionOptions, AreBounded) {
    ConnectionOptions options;
    std::string value;
    for (std::size_t i = 0; i < ConnectionOptions::max_nominated; ++i) value += "x,";
    EXPECT_TRUE(options.add(value));
    EXPECT_TRUE(options.add("close"));
    EXPECT_FALSE(options.add("x"));
}

}  // namespace
}  // namespace http
