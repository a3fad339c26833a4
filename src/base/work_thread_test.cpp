#include "base/work_thread.h"

#include <gtest/gtest.h>

#include <vector>

namespace base {

TEST(WorkThread, DoesEverythingInOrderBeforeItEnds) {
    std::vector<int> done;
    std::thread::id where;
    {
        WorkThread thread(1);
        for (int i = 0; i < 100; ++i)
            thread.run([&done, &where, i] {
                done.push_back(i);
                where = std::this_thread::get_id();
            });
    }
    ASSERT_EQ(done.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
    EXPECT_NE(where, std::this_thread::get_id());
}

TEST(WorkThread, CostsNothingUnused) { WorkThread thread; }

}  // namespace base
