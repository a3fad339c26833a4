#include "base/work_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
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

// What it does for ever may not keep anybody else from ending.
TEST(WorkThread, AbandonedItWaitsForNothing) {
    struct Gate {
        std::promise<void> has_begun;
        std::promise<void> may_end;
        std::promise<bool> has_ended;
    };
    auto gate = std::make_shared<Gate>();
    auto dropped = std::make_shared<int>(0);
    {
        WorkThread thread;
        thread.run([gate] {
            gate->has_begun.set_value();
            gate->may_end.get_future().wait();
            gate->has_ended.set_value(true);
        });
        gate->has_begun.get_future().wait();
        thread.run([dropped] { ++*dropped; });
        thread.abandon();
    }
    EXPECT_EQ(dropped.use_count(), 1) << "what was not begun is gone";
    gate->may_end.set_value();
    EXPECT_TRUE(gate->has_ended.get_future().get());
    EXPECT_EQ(*dropped, 0);
}

}  // namespace base
