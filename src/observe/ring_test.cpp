#include "observe/ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace observe {

namespace {
bool push(Ring& ring, std::string_view text) {
    char* at = ring.reserve(text.size());
    if (at == nullptr) return false;
    std::memcpy(at, text.data(), text.size());
    ring.commit(text.size());
    return true;
}
std::vector<std::string> drained(Ring& ring) {
    std::vector<std::string> out;
    ring.drain([&](std::string_view record) { out.emplace_back(record); });
    return out;
}
}  // namespace

TEST(Ring, GivesBackWhatWasPutInOrder) {
    Ring ring(1024);
    EXPECT_TRUE(ring.is_empty());
    ASSERT_TRUE(push(ring, "one"));
    ASSERT_TRUE(push(ring, ""));
    ASSERT_TRUE(push(ring, "three"));
    EXPECT_FALSE(ring.is_empty());
    EXPECT_EQ(drained(ring), (std::vector<std::string>{"one", "", "three"}));
    EXPECT_TRUE(ring.is_empty());
}

TEST(Ring, RefusesWhenFullAndLosesNothingOfWhatItTook) {
    Ring ring(1024);
    std::vector<std::string> taken;
    for (int i = 0; i < 1000; ++i)
        if (std::string text = "record " + std::to_string(i); push(ring, text)) taken.push_back(text);
    EXPECT_LT(taken.size(), 100u);
    EXPECT_EQ(drained(ring), taken);
    EXPECT_TRUE(push(ring, "again"));
}

TEST(Ring, ARecordLargerThanHalfOfItNeverFits) {
    Ring ring(1024);
    EXPECT_EQ(ring.reserve(513), nullptr);
    EXPECT_NE(ring.reserve(500), nullptr);
}

TEST(Ring, AReservationThatIsNotCommittedLeavesNoTrace) {
    Ring ring(1024);
    ASSERT_NE(ring.reserve(100), nullptr);
    ASSERT_TRUE(push(ring, "kept"));
    EXPECT_EQ(drained(ring), std::vector<std::string>{"kept"});
}

TEST(Ring, WrapsAtEveryOffset) {
    Ring ring(1024);
    for (int i = 0; i < 5000; ++i) {
        std::string text(static_cast<std::size_t>(i * 7 % 300), static_cast<char>('a' + i % 26));
        ASSERT_TRUE(push(ring, text)) << i;
        ASSERT_EQ(drained(ring), std::vector<std::string>{text}) << i;
    }
}

TEST(Ring, CarriesFromOneThreadToAnother) {
    Ring ring(4096);
    constexpr int records = 50'000;
    std::thread producer([&] {
        for (int i = 0; i < records;)
            if (push(ring, std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x')))
                ++i;
            else
                std::this_thread::yield();
    });
    int expected = 0;
    while (expected < records) {
        std::size_t got = ring.drain([&](std::string_view record) {
            ASSERT_EQ(record, std::to_string(expected) + std::string(static_cast<std::size_t>(expected % 90), 'x'));
            ++expected;
        });
        if (got == 0) std::this_thread::yield();
        if (HasFatalFailure()) break;
    }
    producer.join();
}

}  // namespace observe
