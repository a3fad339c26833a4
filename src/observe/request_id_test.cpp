#include "observe/request_id.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

namespace observe {

TEST(RequestIds, AreThirtyTwoLowerHexDigitsAndNeverRepeat) {
    RequestIds ids;
    std::unordered_set<std::string> seen;
    for (int i = 0; i < 100'000; ++i) {
        auto id = ids.next();
        std::string text(id.begin(), id.end());
        ASSERT_EQ(text.find_first_not_of("0123456789abcdef"), text.npos);
        ASSERT_TRUE(seen.insert(text).second) << text;
    }
}

TEST(RequestIds, AreTheSameForTheSameSeedAndOthersForAnother) {
    RequestIds one(1, 2);
    RequestIds same(1, 2);
    RequestIds other(1, 3);
    for (int i = 0; i < 10; ++i) {
        auto id = one.next();
        EXPECT_EQ(id, same.next());
        EXPECT_NE(id, other.next());
    }
}

TEST(RequestIds, TakeTheirSeedFromTheGivenSource) {
    RequestIds fixed([](std::span<std::byte> into) {
        for (std::byte& byte : into) byte = std::byte{0};
    });
    RequestIds zero(0, 0);
    EXPECT_EQ(fixed.next(), zero.next());
    EXPECT_NE(RequestIds().next(), RequestIds().next());
}

}  // namespace observe
