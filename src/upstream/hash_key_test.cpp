#include "upstream/hash_key.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace upstream {

TEST(HashKey, ValuesNeverChange) {
    EXPECT_EQ(hash_of(""), 14473049897514717703U);
    EXPECT_EQ(hash_of("a"), 481113717655607683U);
    EXPECT_EQ(hash_of("12345678"), 16413290040544059855U);
    EXPECT_EQ(hash_of("consumer-2c4f9a1e"), 17382970815124680155U);
}

TEST(HashKey, NearValuesAreFarApart) {
    std::set<std::uint64_t> seen;
    for (int size = 0; size < 40; ++size)
        for (int byte = 0; byte < 256; ++byte)
            seen.insert(hash_of(std::string(static_cast<std::size_t>(size), 'x') + static_cast<char>(byte)));
    EXPECT_EQ(seen.size(), 40U * 256);
    int differing = 0;  // a flipped bit flips about half of the output
    for (int bit = 0; bit < 128; ++bit) {
        std::string a(16, 'q');
        std::string b = a;
        b[static_cast<std::size_t>(bit / 8)] =
            static_cast<char>(b[static_cast<std::size_t>(bit / 8)] ^ (1 << (bit % 8)));
        differing += std::popcount(hash_of(a) ^ hash_of(b));
    }
    EXPECT_NEAR(differing / 128.0, 32, 2);
}

TEST(HashKey, SeveralValuesAreSortedAndJoined) {
    base::Arena arena;
    std::array<std::string_view, 3> values{"b", "", "a"};
    EXPECT_EQ(joined(values, arena), ",a,b");
    std::array<std::string_view, 2> empties{"", ""};
    EXPECT_EQ(joined(empties, arena), ",");
    std::array<std::string_view, 1> one{"x"};
    EXPECT_EQ(joined(one, arena), "x");
    EXPECT_EQ(joined({}, arena), "");
}

TEST(HashKey, TheFallbackCountsWhenNothingWasFound) {
    EXPECT_EQ(hash_key("a", "b"), hash_of("a"));
    EXPECT_EQ(hash_key("", "b"), hash_of("b"));
    EXPECT_EQ(hash_key("", ""), hash_of(""));
}

TEST(HashKey, Cookie) {
    HashRule rule{.on = HashSource::cookie, .name = "sid", .cookie_path = "/shop"};
    EXPECT_EQ(hash_cookie(rule, "1b4e28ba"), "sid=1b4e28ba; Path=/shop; SameSite=Lax; HttpOnly");
    EXPECT_EQ(hash_cookie({.name = "sid"}, "x"), "sid=x; Path=/; SameSite=Lax; HttpOnly");
}

}  // namespace upstream
