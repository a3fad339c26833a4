// The thread that follows the sources, with real files. Waits for events, never for time.
#include "upstream/discovery/discovery.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace upstream {

namespace {
constexpr auto patience = std::chrono::seconds(30);  // for what happens within a second on an idle machine

struct Told {
    Discovery::OnFound callback() {
        return [this](const FoundPointer& found) {
            std::lock_guard guard(lock);
            text.clear();
            if (found->targets)
                for (const Target& target : *found->targets) text += target.host + " ";
            text += found->fault.empty() ? "" : "failing";
            changed.notify_all();
        };
    }
    testing::AssertionResult comes(const std::string& wanted) {
        std::unique_lock guard(lock);
        if (changed.wait_for(guard, patience, [&] { return text == wanted; })) return testing::AssertionSuccess();
        return testing::AssertionFailure() << "last told: " << text;
    }
    std::mutex lock;
    std::condition_variable changed;
    std::string text = "nothing";
};

struct DiscoveryTest : testing::Test {
    DiscoveryTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cardea-discovery-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        write("- a\n");
    }
    ~DiscoveryTest() override { std::filesystem::remove_all(folder); }
    void write(const std::string& text) const { std::ofstream(folder / "list.yml") << text; }
    [[nodiscard]] SourceSpec spec() const {
        SourceSpec out;
        out.place = (folder / "list.yml").string();
        return out;
    }
    std::filesystem::path folder;
};
}  // namespace

TEST_F(DiscoveryTest, IsFollowedByAllWhoWant) {
    auto discovery = make_discovery();
    EXPECT_EQ(discovery->known(spec()), nullptr);
    Told first;
    Told second;
    auto one = discovery->watch(spec(), first.callback());
    EXPECT_TRUE(first.comes("a "));
    auto two = discovery->watch(spec(), second.callback());
    EXPECT_TRUE(second.comes("a "));
    ASSERT_NE(discovery->known(spec()), nullptr);
    EXPECT_TRUE(discovery->known(spec())->targets);
    one.reset();
    write("- b\n- c\n");
    EXPECT_TRUE(second.comes("b c "));
    EXPECT_TRUE(first.comes("a ")) << "it has gone";
    write("- b c\n- d\n- e\n");
    EXPECT_TRUE(second.comes("b c failing"));
    EXPECT_NE(two->status().fault.find("list.yml:1:3"), std::string::npos) << two->status().fault;
    two.reset();
    EXPECT_EQ(discovery->known(spec()), nullptr);
}

TEST_F(DiscoveryTest, AWatchMayEndAnywhere) {
    auto discovery = make_discovery();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 100; ++i) {
                SourceSpec mine = spec();
                mine.tags = {std::to_string((i + t) % 7)};
                auto alive = std::make_unique<std::atomic<bool>>(true);
                auto watch = discovery->watch(mine, [flag = alive.get()](const FoundPointer&) { EXPECT_TRUE(*flag); });
                static_cast<void>(discovery->known(mine));
                static_cast<void>(watch->status());
                watch.reset();
                *alive = false;
            }
        });
    for (std::thread& thread : threads) thread.join();
}

}  // namespace upstream
