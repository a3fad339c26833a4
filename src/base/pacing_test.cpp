#include "base/pacing.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ctime>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace base {
namespace {

std::int64_t thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}
std::int64_t switches() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;  // given up by itself, not taken away
}
// Works for so long of its own processor time, and answers how often it has rested.
std::int64_t rests_in(std::int64_t nanoseconds) {
    std::int64_t before = switches();
    for (std::int64_t begin = thread_time(); thread_time() - begin < nanoseconds;) pace();
    return switches() - before;
}

TEST(Pacing, RestsOnlyWhereItIsAskedFor) {
    EXPECT_EQ(rests_in(5'000'000), 0);
    {
        Pacing pacing;
        EXPECT_GE(rests_in(5'000'000), 4);  // a millisecond at most between two
    }
    EXPECT_EQ(rests_in(5'000'000), 0);
}

TEST(Pacing, MakesRoomAndKeepsTheItems) {
    std::vector<std::unique_ptr<int>> items;
    for (int i = 0; i < 1000; ++i) {
        make_room_paced(items);
        items.push_back(std::make_unique<int>(i));
    }
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(*items[static_cast<std::size_t>(i)], i);
}

TEST(Pacing, ClearsEveryContainer) {
    auto shared = std::make_shared<int>(1);
    std::vector<std::shared_ptr<int>> items(1000, shared);
    std::unordered_map<std::string, std::shared_ptr<int>> named{{"a", shared}, {"b", shared}};
    clear_paced(items);
    clear_paced(named);
    EXPECT_EQ(shared.use_count(), 1);
}

}  // namespace
}  // namespace base
