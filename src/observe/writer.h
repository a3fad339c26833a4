// Writer: takes log lines off the request path. Each thread puts whole lines into its own Channel (a bounded ring); one
// writer thread carries them to the sinks. A full channel drops the line and counts it; once a second the error log
// says how many. Made once by command/run; log.h and access_log.h are its users.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "observe/clock.h"
#include "observe/ring.h"
#include "observe/sink.h"

namespace observe {

class Writer;
using SinkId = std::uint32_t;

// One thread's way to one sink. Owned by the Writer; used by one thread until retire().
class Channel {
  public:
    Channel(Writer& writer, SinkId sink, std::size_t bytes) : writer_(writer), sink_(sink), ring_(bytes) {}

    // Room for a line of at most `size` bytes, or nullptr: the line is then counted as dropped.
    char* reserve(std::size_t size) {
        char* at = ring_.reserve(size);
        if (at == nullptr) dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return at;
    }
    // `size` bytes of what reserve() gave, ending in '\n'.
    void commit(std::size_t size);
    // The thread ends; what is in the ring is still written. Do not use the channel afterwards.
    void retire() { is_retired_.store(true, std::memory_order_release); }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
    [[nodiscard]] Writer& writer() { return writer_; }

  private:
    friend class Writer;
    Writer& writer_;
    SinkId sink_;
    Ring ring_;
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<bool> is_retired_{false};
};

class Writer {
  public:
    struct Options {
        std::size_t channel_bytes = 256 * 1024;
        WallClock clock = system_wall_clock;
    };
    Writer() : Writer(Options{}) {}
    explicit Writer(Options options);
    ~Writer();  // stops; every channel must be out of use by then

    // The first sink is the error log: it gets the Writer's own notices. Before start() only.
    SinkId add_sink(Sink sink);
    // From any thread, at any time before the end.
    Channel& open_channel(SinkId sink);

    void start();
    // Writes what there is and ends the thread. Can be started again.
    void stop();
    // The work of the thread, for where there is none (tests, simulation, `cardea check`): writes what there is.
    void drain();
    // Reopens all files at the next drain. Safe in a signal handler.
    void reopen();
    // Lines that never reached their sink: full channels and sinks that could not write.
    [[nodiscard]] std::uint64_t dropped() const;
    [[nodiscard]] WallTime now() const { return options_.clock(); }

  private:
    friend class Channel;
    void run();
    [[nodiscard]] bool has_lines();
    void wake();
    void carry_lines();
    void flush(SinkId sink);
    void reopen_files();
    void report_drops(WallTime now);
    void notice(std::string_view level, std::string_view message);

    Options options_;
    std::deque<Sink> sinks_;
    std::vector<std::string> batches_;  // by sink
    mutable std::mutex mutex_;          // channels_ and retired_drops_; never taken by commit()
    std::vector<std::unique_ptr<Channel>> channels_;
    std::uint64_t retired_drops_ = 0;
    std::atomic<std::uint64_t> lost_{0};
    std::uint64_t reported_ = 0;
    WallTime reported_at_{};
    std::atomic<bool> is_asleep_{false};
    std::atomic<bool> is_stopping_{false};
    std::atomic<bool> wants_reopen_{false};
    int event_ = -1;  // eventfd: wakes the thread
    std::thread thread_;
};

inline void Channel::commit(std::size_t size) {
    ring_.commit(size);
    if (writer_.is_asleep_.load(std::memory_order_seq_cst) && writer_.is_asleep_.exchange(false)) writer_.wake();
}

}  // namespace observe
