#include "delivery/courier.h"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "delivery/datagrams.h"
#include "delivery/file_sender.h"
#include "delivery/sink_for_tests.h"
#include "delivery/stream_sender.h"
#include "net/simulated/loop.h"

namespace delivery {
namespace {

using Milliseconds = net::Milliseconds;

// Keeps what it gets; for one thread, or looked at when the Courier is gone.
class KeepingSender final : public Sender {
  public:
    explicit KeepingSender(std::vector<std::string>& kept) : kept_(kept) {}
    base::Task<base::Result<void>> send(Batch batch) override {
        kept_.insert(kept_.end(), batch.begin(), batch.end());
        co_return base::success();
    }

  private:
    std::vector<std::string>& kept_;
};

MakeSender keeping(std::vector<std::string>& kept) {
    return [&kept](net::Loop&) { return std::make_unique<KeepingSender>(kept); };
}

TEST(Courier, CarriesToEachItsOwn) {
    net::simulated::SimulatedLoop loop(1);
    std::vector<std::string> a;
    std::vector<std::string> b;
    Courier courier(loop, {});
    auto to_a = courier.open("a", "a", {}, keeping(a));
    auto to_b = courier.open("b", "b", {}, keeping(b));
    EXPECT_TRUE(to_a->put("1"));
    EXPECT_TRUE(to_b->put("2"));
    EXPECT_TRUE(to_a->put(""));
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(a, (std::vector<std::string>{"1", ""}));
    EXPECT_EQ(b, (std::vector<std::string>{"2"}));
    EXPECT_TRUE(to_a->put("3"));  // after it had gone to sleep
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(a.size(), 3u);
    std::set<std::string> names;
    courier.each(
        [&](const std::string& name, const Counts& counts) { names.insert(name + " " + std::to_string(counts.sent)); });
    EXPECT_EQ(names, (std::set<std::string>{"a 3", "b 1"}));
}

TEST(Courier, AFullRingDropsAndCounts) {
    net::simulated::SimulatedLoop loop(1);
    std::vector<std::string> kept;
    Courier courier(loop, {.ring_bytes = 1024});
    auto outbox = courier.open("a", "a", {}, keeping(kept));
    int taken = 0;
    for (int i = 0; i < 100; ++i) taken += outbox->put(std::string(100, 'x'));
    EXPECT_GT(taken, 5);
    EXPECT_LT(taken, 12);
    EXPECT_EQ(outbox->counts().dropped, static_cast<std::uint64_t>(100 - taken));
    EXPECT_FALSE(outbox->put(std::string(1000, 'x'))) << "larger than half of the ring";
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(kept.size(), static_cast<std::size_t>(taken));
    EXPECT_TRUE(outbox->put("again"));
}

TEST(Courier, OneKeyIsOnePlaceOverAReload) {
    net::simulated::SimulatedLoop loop(1);
    std::vector<std::string> kept;
    Courier courier(loop, {});
    auto before = courier.open("key", "a", {.coalescing_delay = Milliseconds(1000)}, keeping(kept));
    auto after = courier.open("key", "a", {}, keeping(kept));
    EXPECT_EQ(before, after);
    before.reset();
    after->put("1");
    after.reset();  // still sent
    auto next = courier.open("key", "a", {}, keeping(kept));
    next->put("2");
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(kept, (std::vector<std::string>{"1", "2"}));
}

TEST(Courier, ADeadPlaceDelaysNoOther) {
    net::simulated::SimulatedLoop loop(1);
    SinkForTests dead(loop, 9001);
    SinkForTests living(loop, 9002);
    dead.is_http = living.is_http = false;
    loop.blackhole(dead.address);
    Courier courier(loop, {});
    auto open = [&](const char* key, std::uint16_t port) {
        return courier.open(key, key, {.most_entries = 10, .batch_size = 100, .coalescing_delay = Milliseconds(0)},
                            [port](net::Loop& on) {
                                return std::make_unique<StreamSender>(on, Surroundings{},
                                                                      StreamSettings{.place = {"127.0.0.1", port}});
                            });
    };
    auto to_dead = open("dead", 9001);
    auto to_living = open("living", 9002);
    std::string expected;
    for (int i = 0; i < 500; ++i) {
        to_dead->put("x");
        std::string line = std::to_string(i);
        to_living->put(line);
        expected += line + "\n";
        loop.run_for(Milliseconds(20));
    }
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(living.bytes, expected);
    EXPECT_EQ(to_living->counts().dropped, 0u);
    EXPECT_GT(to_dead->counts().dropped, 400u);
}

TEST(Courier, TakesFromManyThreadsAndSaysFarewell) {
    std::vector<std::string> kept;
    {
        auto courier = Courier::start({.gather = Milliseconds(1)});
        ASSERT_TRUE(courier.ok());
        auto outbox = (*courier)->open("a", "a", {.most_entries = 100'000, .batch_size = 100}, keeping(kept));
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread)
            threads.emplace_back([&, thread] {
                for (int i = 0; i < 2'000; ++i) outbox->put(std::to_string(thread) + ":" + std::to_string(i));
            });
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(outbox->counts().dropped, 0u);
        outbox.reset();
    }
    std::set<std::string> different(kept.begin(), kept.end());
    EXPECT_EQ(kept.size(), 8'000u);
    EXPECT_EQ(different.size(), 8'000u);
}

TEST(StreamSender, ReconnectsAndSendsABrokenBatchAgain) {
    net::simulated::SimulatedLoop loop(3);
    SinkForTests sink(loop, 9000);
    sink.is_http = false;
    sink.steps.push_back({.action = SinkForTests::Action::reset_in_middle, .bytes = 1});
    Courier courier(loop, {});
    auto outbox = courier.open("a", "a", {}, [](net::Loop& on) {
        return std::make_unique<StreamSender>(on, Surroundings{}, StreamSettings{.place = {"127.0.0.1", 9000}});
    });
    outbox->put("first");
    loop.run_for(Milliseconds(1'000));
    outbox->put("second");
    loop.run_for(Milliseconds(1'000));
    EXPECT_TRUE(sink.bytes.ends_with("second\n")) << sink.bytes;
    EXPECT_EQ(sink.connections(), 2u);
    EXPECT_EQ(outbox->counts().sent, 2u);
}

TEST(StreamSender, ASinkThatTakesNothingTimesOut) {
    net::simulated::SimulatedLoop loop(3);
    SinkForTests sink(loop, 9000);
    sink.is_http = false;
    sink.otherwise.delay = Milliseconds(1'000'000);
    Courier courier(loop, {.ring_bytes = 8 * 1024 * 1024});
    auto outbox = courier.open("a", "a", {.retry_time = Milliseconds(2'000)}, [](net::Loop& on) {
        return std::make_unique<StreamSender>(
            on, Surroundings{}, StreamSettings{.place = {"127.0.0.1", 9000}, .timeout = Milliseconds(500)});
    });
    outbox->put(std::string(2 * 1024 * 1024, 'x'));
    loop.run_for(Milliseconds(10'000));
    EXPECT_EQ(outbox->counts().lost, 1u);
}

// ---- datagrams

class FakeDatagrams final : public Datagrams {
  public:
    struct State {
        std::vector<std::string> sent;
        std::vector<std::string> opened;
        std::deque<base::Retry> failures;
        std::string stuck;  // cannot be sent for now
    };
    explicit FakeDatagrams(State& state) : state_(state) {}
    base::Result<void> open(const net::SocketAddress& to) override {
        state_.opened.push_back(to.text());
        return {};
    }
    base::Result<void> open(const std::string& path) override {
        state_.opened.push_back(path);
        return {};
    }
    base::Result<void> send(std::string_view datagram) override {
        if (datagram == state_.stuck) return base::Error::upstream(base::Code::reset, base::Retry::always, "full");
        if (!state_.failures.empty()) {
            base::Retry retry = state_.failures.front();
            state_.failures.pop_front();
            return base::Error::upstream(base::Code::reset, retry, "as scripted");
        }
        state_.sent.emplace_back(datagram);
        return {};
    }

  private:
    State& state_;
};

class DatagramTest : public testing::Test {
  protected:
    std::shared_ptr<Outbox> open(DatagramSettings settings, QueueSettings queue = {}) {
        return courier.open("a", "a", queue, [this, settings](net::Loop& on) {
            return std::make_unique<DatagramSender>(on, Surroundings{}, settings,
                                                    std::make_unique<FakeDatagrams>(state));
        });
    }
    net::simulated::SimulatedLoop loop{1};
    FakeDatagrams::State state;
    Courier courier{loop, {}};
};

TEST_F(DatagramTest, SendsEachEntryByItself) {
    auto outbox = open({.place = {"::1", 8125}}, {.batch_size = 10, .coalescing_delay = Milliseconds(10)});
    for (const char* entry : {"a", "b", "c"}) outbox->put(entry);
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(state.sent, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(state.opened, (std::vector<std::string>{"[::1]:8125"}));
}

TEST_F(DatagramTest, JoinsEntriesUpToThePacketSize) {
    auto outbox = open({.place = {"127.0.0.1", 8125}, .packet_size = 7},
                       {.batch_size = 10, .coalescing_delay = Milliseconds(10)});
    for (const char* entry : {"abc", "def", "g", "much too long", "h"}) outbox->put(entry);
    loop.run_for(Milliseconds(100));
    EXPECT_EQ(state.sent, (std::vector<std::string>{"abc\ndef", "g", "much too long", "h"}));
}

TEST_F(DatagramTest, ARetryGoesOnBehindWhatIsOut) {
    auto outbox = open({.path = "/dev/log"}, {.batch_size = 3, .coalescing_delay = Milliseconds(10)});
    for (const char* entry : {"a", "b", "c"}) outbox->put(entry);
    loop.run_for(Milliseconds(5));
    state.failures = {};
    EXPECT_TRUE(state.sent.empty());
    loop.run_for(Milliseconds(100));
    state.failures = {base::Retry::always, base::Retry::always};
    for (const char* entry : {"d", "e", "f"}) outbox->put(entry);
    loop.run_for(Milliseconds(1'000));
    EXPECT_EQ(state.sent, (std::vector<std::string>{"a", "b", "c", "d", "e", "f"}));
    EXPECT_EQ(outbox->counts().retries, 2u);
    EXPECT_EQ(state.opened.size(), 3u);
}

TEST_F(DatagramTest, WhatWasOutOfABatchGivenUpKeepsNothingOfTheNextBack) {
    auto outbox = open({.path = "/dev/log"}, {.batch_size = 3,
                                              .coalescing_delay = Milliseconds(10),
                                              .retry_time = Milliseconds(50),
                                              .first_retry_delay = Milliseconds(20)});
    state.stuck = "c";
    for (const char* entry : {"a", "b", "c"}) outbox->put(entry);
    loop.run_for(Milliseconds(200));
    EXPECT_EQ(outbox->counts().lost, 3u);
    state.stuck.clear();
    for (const char* entry : {"d", "e", "f"}) outbox->put(entry);
    loop.run_for(Milliseconds(200));
    EXPECT_EQ(state.sent, (std::vector<std::string>{"a", "b", "d", "e", "f"}));
    EXPECT_EQ(outbox->counts().sent, 3u);
}

TEST_F(DatagramTest, OneThatCannotBeSentKeepsNoOtherBack) {
    auto outbox = open({.place = {"127.0.0.1", 514}}, {.batch_size = 3, .coalescing_delay = Milliseconds(10)});
    outbox->put("a");
    outbox->put(std::string(70'000, 'x'));
    outbox->put("c");
    loop.run_for(Milliseconds(1'000));
    EXPECT_EQ(state.sent, (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(outbox->counts().retries, 0u);
}

// ---- files

TEST(FileSender, WritesLinesAndCanReopen) {
    std::string path = testing::TempDir() + "delivery_file_sender_test.log";
    std::string moved = path + ".1";
    std::remove(path.c_str());
    std::remove(moved.c_str());
    auto text_of = [](const std::string& file) {
        std::string text;
        if (std::FILE* in = std::fopen(file.c_str(), "r")) {
            char buffer[256];
            text.assign(buffer, std::fread(buffer, 1, sizeof buffer, in));
            std::fclose(in);
        }
        return text;
    };
    auto courier = std::move(*Courier::start({.gather = Milliseconds(1)}));
    auto outbox = courier->open(
        "a", "a", {}, [&](net::Loop& on) { return std::make_unique<FileSender>(on, FileSettings{path, true}); });
    auto put_and_wait = [&](const char* line) {
        std::uint64_t target = outbox->counts().sent + 1;
        outbox->put(line);
        while (outbox->counts().sent < target) std::this_thread::yield();
    };
    put_and_wait("one");
    std::rename(path.c_str(), moved.c_str());
    put_and_wait("two");
    outbox->put("three");
    outbox.reset();
    courier.reset();
    EXPECT_EQ(text_of(moved), "one\n");
    EXPECT_EQ(text_of(path), "two\nthree\n");
    std::remove(path.c_str());
    std::remove(moved.c_str());
}

TEST(FileSender, AFileThatCannotBeOpenedLosesAndCounts) {
    auto courier = std::move(*Courier::start({.gather = Milliseconds(1)}));
    auto outbox = courier->open("a", "a", {}, [&](net::Loop& on) {
        return std::make_unique<FileSender>(on, FileSettings{"/nonexistent/folder/file.log", false});
    });
    outbox->put("one");
    while (outbox->counts().lost == 0) std::this_thread::yield();
    EXPECT_EQ(outbox->counts().sent, 0u);
    outbox.reset();
}

// A disk that answers nothing until it is told to.
struct StalledDisk {
    std::atomic<int> stalled{0};
    std::promise<void> gives_way;
    std::shared_future<void> wait{gives_way.get_future()};
    static FileSender::Open open(std::shared_ptr<StalledDisk> disk) {
        return [disk = std::move(disk)](const std::string& path) {
            ++disk->stalled;
            disk->wait.wait();
            return observe::Sink::open(path);
        };
    }
};

// One that stalls keeps no other back, gets nothing more while it does, and nobody waits for it at the end.
TEST(FileSender, ADiskThatStallsKeepsNobodyUp) {
    auto disk = std::make_shared<StalledDisk>();
    std::string path = testing::TempDir() + "delivery_stalled_test.log";
    {
        auto courier = std::move(*Courier::start(
            {.gather = Milliseconds(1), .farewell = Milliseconds(1), .farewell_retries = Milliseconds(1)}));
        auto stalled = courier->open("a", "a", {.most_entries = 2}, [&](net::Loop& on) {
            return std::make_unique<FileSender>(on, FileSettings{path}, StalledDisk::open(disk));
        });
        auto sound = courier->open(
            "b", "b", {}, [&](net::Loop& on) { return std::make_unique<FileSender>(on, FileSettings{"/dev/null"}); });
        stalled->put("one");
        while (disk->stalled == 0) std::this_thread::yield();
        for (const char* line : {"two", "three", "four"}) stalled->put(line);
        sound->put("five");
        while (sound->counts().sent == 0 || stalled->counts().dropped == 0) std::this_thread::yield();
        stalled.reset();
        sound.reset();
    }
    EXPECT_EQ(disk->stalled, 1);
    disk->gives_way.set_value();
    while (disk.use_count() > 1) std::this_thread::yield();  // the abandoned thread has let go of it
    std::remove(path.c_str());
}

// What took too long is lost; until it is over, the next batch waits in the queue.
TEST(FileSender, NothingIsGivenToADiskThatStillWrites) {
    net::simulated::SimulatedLoop loop{1};
    auto disk = std::make_shared<StalledDisk>();
    auto sender = std::make_unique<FileSender>(loop, FileSettings{"/dev/null"}, StalledDisk::open(disk));
    std::vector<std::string> batch{"one"};
    auto send = [&] {
        auto sending = sender->send(batch);
        sending.start();
        loop.run_for(FileSettings::longest_write + Milliseconds(1));
        EXPECT_TRUE(sending.is_done());
        return sending.take().error().retry;
    };
    EXPECT_EQ(send(), base::Retry::never);
    EXPECT_EQ(send(), base::Retry::always);
    sender.reset();
    disk->gives_way.set_value();
    while (disk.use_count() > 1) std::this_thread::yield();
}

}  // namespace
}  // namespace delivery
