// Tests of log, log_line, writer and sink together: what an operator finds in the file.
#include "observe/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace observe {

namespace {
std::atomic<std::int64_t> clock_milliseconds{0};
WallTime test_clock() { return WallTime(std::chrono::milliseconds(clock_milliseconds.load())); }

Writer::Options test_options(std::size_t channel_bytes = 256 * 1024) { return {channel_bytes, test_clock}; }

std::string content(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

class LogTest : public testing::Test {
  protected:
    void SetUp() override {
        clock_milliseconds = 1'795'521'600'123;  // 2026-11-24T12:00:00.123Z
        std::string name = (std::filesystem::temp_directory_path() / "cardea-log-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override {
        unset_log();
        set_level(Level::notice);
        std::filesystem::remove_all(folder_);
    }
    std::filesystem::path folder_;
};
}  // namespace

TEST_F(LogTest, ALineIsWhatTheReferenceSays) {
    std::string out;
    Writer writer(test_options());
    set_log(writer, writer.add_sink(Sink::capture(out)), Level::info);
    log(Level::warn, "upstream", "connect failed",
        {{"address", "10.0.0.1:80"}, {"errno", 111}, {"share", 0.5}, {"again", true}});
    log(Level::info, "net", "ready");
    log(Level::debug, "net", "never seen");
    writer.drain();
    EXPECT_EQ(
        out,
        "2026-11-24T12:00:00.123Z warn [upstream] connect failed address=10.0.0.1:80 errno=111 share=0.5 again=true\n"
        "2026-11-24T12:00:00.123Z info [net] ready\n");
}

TEST_F(LogTest, NobodyWritesALineOfHisOwn) {
    std::string out;
    Writer writer(test_options());
    set_log(writer, writer.add_sink(Sink::capture(out)), Level::debug);
    log(Level::error, "http", "bad host", {{"host", "evil\n2026-11-24T12:00:00.123Z emerg [base] all is lost\x1b[2J"}});
    log(Level::error, "http", "line\nfeed", {{"long", std::string(100'000, 'x')}});
    writer.drain();
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
    EXPECT_EQ(out.find('\x1b'), out.npos);
    EXPECT_LT(out.size(), 2 * 4096u);
    EXPECT_NE(out.find("line\\x0afeed"), out.npos);
}

TEST_F(LogTest, NumbersKeepTheirSignAndSize) {
    std::string out;
    Writer writer(test_options());
    set_log(writer, writer.add_sink(Sink::capture(out)), Level::debug);
    log(Level::error, "x", "y", {{"a", -1}, {"b", ~std::uint64_t{0}}, {"c", std::int64_t{-9223372036854775807}}});
    writer.drain();
    EXPECT_NE(out.find("a=-1 b=18446744073709551615 c=-9223372036854775807\n"), out.npos) << out;
}

TEST_F(LogTest, AFullChannelDropsCountsAndReportsOnceASecond) {
    std::string out;
    Writer writer(test_options(16 * 1024));
    set_log(writer, writer.add_sink(Sink::capture(out)), Level::debug);
    auto overfill = [] {
        for (int i = 0; i < 1000; ++i) log(Level::error, "x", std::string(100, 'y'));
    };
    overfill();
    std::uint64_t first = writer.dropped();
    EXPECT_GT(first, 500u);
    writer.drain();
    std::string report =
        "warn [log] log lines dropped count=" + std::to_string(first) + " total=" + std::to_string(first);
    EXPECT_NE(out.find(report), out.npos) << out;
    out.clear();
    overfill();
    writer.drain();
    EXPECT_EQ(out.find("dropped"), out.npos) << "a second report within the second";
    clock_milliseconds += 1001;
    writer.drain();
    EXPECT_NE(out.find("dropped count=" + std::to_string(writer.dropped() - first)), out.npos) << out;
}

TEST_F(LogTest, AFullDiskLosesLinesAndNothingElse) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
    std::string notices;
    Writer writer(test_options());
    SinkId error = writer.add_sink(Sink::capture(notices));
    // The same name, first a full disk and later a file: what a `reopen` after making room does.
    std::filesystem::path path = folder_ / "error.log";
    std::filesystem::create_symlink("/dev/full", path);
    SinkId full = writer.add_sink(*Sink::open(path));
    set_log(writer, full, Level::debug);
    for (int i = 0; i < 10; ++i) log(Level::error, "x", "lost");
    writer.drain();
    EXPECT_EQ(writer.dropped(), 10u);
    EXPECT_EQ(notices.find("works again"), notices.npos);
    log(Level::error, "x", "lost too");
    writer.drain();
    EXPECT_EQ(writer.dropped(), 11u);
    std::filesystem::remove(path);
    writer.reopen();
    log(Level::error, "x", "kept");
    writer.drain();
    EXPECT_NE(content(path).find("kept"), std::string::npos);
    std::string expected =
        "log works again destination=" + path.string() + " lost=11 reason=\"No space left on device\"";
    EXPECT_NE(notices.find(expected), notices.npos) << notices;
    notices.clear();
    log(Level::error, "x", "kept too");
    writer.drain();
    EXPECT_EQ(notices.find("works again"), notices.npos) << "said twice";
    EXPECT_EQ(error, 0u);
}

TEST_F(LogTest, ReopensAfterRotationAndKeepsTheOldFileWhenItCannot) {
    std::filesystem::path path = folder_ / "error.log";
    Writer writer(test_options());
    set_log(writer, writer.add_sink(*Sink::open(path)), Level::debug);
    log(Level::error, "x", "before");
    writer.drain();
    std::filesystem::rename(path, folder_ / "error.log.1");
    writer.reopen();
    log(Level::error, "x", "after");
    writer.drain();
    EXPECT_NE(content(folder_ / "error.log.1").find("before"), std::string::npos);
    EXPECT_EQ(content(path).find("before"), std::string::npos);
    EXPECT_NE(content(path).find("after"), std::string::npos);

    std::filesystem::remove(path);
    std::filesystem::create_directory(path);  // cannot be opened for writing
    std::filesystem::create_hard_link(folder_ / "error.log.1", folder_ / "kept");
    writer.reopen();
    log(Level::error, "x", "into the old one");
    writer.drain();
    EXPECT_EQ(writer.dropped(), 0u);
}

TEST_F(LogTest, AStalledReaderCostsLinesAndNotTheWriter) {
    std::filesystem::path path = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(reader, 0);
    Writer writer(test_options());
    std::string notices;
    writer.add_sink(Sink::capture(notices));
    set_log(writer, writer.add_sink(*Sink::open(path, std::chrono::milliseconds(0))), Level::debug);
    for (int i = 0; i < 50; ++i) log(Level::error, "x", std::string(2000, 'y'));
    writer.drain();  // 100 KiB into a pipe of 64 KiB that nobody reads
    EXPECT_GT(writer.dropped(), 10u);
    // The line that was cut is ended before the next one begins.
    std::string read(200'000, '\0');
    read.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(reader, read.data(), read.size()), 0)));
    log(Level::error, "x", "next");
    writer.drain();
    std::string rest(200'000, '\0');
    rest.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(reader, rest.data(), rest.size()), 0)));
    EXPECT_EQ(rest, "\n2026-11-24T12:00:00.123Z error [x] next\n");
    ::close(reader);
}

TEST(Sink, SaysWhyItCannotBeOpened) {
    auto sink = Sink::open("/nonexistent/folder/error.log");
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().detail, "cannot open log /nonexistent/folder/error.log: No such file or directory");
    EXPECT_TRUE(Sink::open("off")->is_off());
    EXPECT_EQ(Sink::open("/dev/stderr")->destination(), "/dev/stderr");
}

TEST_F(LogTest, ManyThreadsWriteWholeLines) {
    constexpr int threads = 8;
    constexpr int lines = 2000;
    std::filesystem::path path = folder_ / "error.log";
    {
        Writer writer(test_options(64 * 1024));
        set_log(writer, writer.add_sink(*Sink::open(path)), Level::debug);
        writer.start();
        std::vector<std::thread> crowd;
        for (int thread = 0; thread < threads; ++thread)
            crowd.emplace_back([thread] {
                for (int i = 0; i < lines; ++i) {
                    log(Level::info, "crowd", "hello", {{"thread", thread}, {"line", i}});
                    if (i % 16 == 0) std::this_thread::yield();
                }
            });
        for (int i = 0; i < 20; ++i) writer.reopen();
        for (std::thread& one : crowd) one.join();
        writer.stop();
        // Nothing vanishes: what is not in the file was counted (notices are lines of the writer's own).
        std::istringstream in(content(path));
        std::map<int, int> last;
        std::uint64_t seen = 0;
        for (std::string line; std::getline(in, line);) {
            int thread = 0;
            int number = 0;
            if (line.find("[log]") != line.npos) continue;
            ASSERT_EQ(std::sscanf(line.c_str(), "2026-11-24T12:00:00.123Z info [crowd] hello thread=%d line=%d",
                                  &thread, &number),
                      2)
                << line;
            if (last.contains(thread)) {
                ASSERT_LT(last[thread], number);
            }
            last[thread] = number;
            ++seen;
        }
        EXPECT_EQ(seen + writer.dropped(), static_cast<std::uint64_t>(threads) * lines);
        EXPECT_GT(seen, 0u);
        unset_log();
    }
}

TEST_F(LogTest, ASleepingWriterWakesForALine) {
    Writer writer(test_options());
    std::filesystem::path path = folder_ / "error.log";
    set_log(writer, writer.add_sink(*Sink::open(path)), Level::debug);
    writer.start();
    for (int i = 0; i < 3; ++i) {
        log(Level::info, "x", "line " + std::to_string(i));
        while (content(path).find("line " + std::to_string(i)) == std::string::npos) std::this_thread::yield();
    }
    writer.stop();
}

TEST(Throttle, LetsOneASecondThroughAndSaysHowManyItHeldBack) {
    Throttle throttle;
    using namespace std::chrono_literals;
    EXPECT_EQ(throttle.pass(0ns), 0u);
    EXPECT_EQ(throttle.pass(1ns), std::nullopt);
    EXPECT_EQ(throttle.pass(999'999'999ns), std::nullopt);
    EXPECT_EQ(throttle.pass(1s), 2u);
    EXPECT_EQ(throttle.pass(2s), 0u);
    EXPECT_EQ(throttle.pass(std::chrono::steady_clock::time_point(2500ms)), std::nullopt);
}

}  // namespace observe
