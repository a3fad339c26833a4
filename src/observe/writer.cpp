#include "observe/writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "observe/log_line.h"

namespace observe {

namespace {
constexpr std::size_t batch_bytes = 64 * 1024;
constexpr auto report_every = std::chrono::seconds(1);
// After a wake-up the thread waits this long, so that a busy core wakes it a hundred times a second and not for every
// line.
constexpr int gather = 10;  // ms
}  // namespace

Writer::Writer(Options options) : options_(options), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    ensure(event_ >= 0, errno);
}

Writer::~Writer() {
    stop();
    ::close(event_);
}

SinkId Writer::add_sink(Sink sink) {
    sinks_.push_back(std::move(sink));
    batches_.emplace_back();
    return static_cast<SinkId>(sinks_.size() - 1);
}

Channel& Writer::open_channel(SinkId sink) {
    ensure(sink < sinks_.size(), sink);
    auto channel = std::make_unique<Channel>(*this, sink, options_.channel_bytes);
    std::lock_guard lock(mutex_);
    channels_.push_back(std::move(channel));
    return *channels_.back();
}

void Writer::start() {
    ensure(!thread_.joinable());
    is_stopping_ = false;
    // Signals are for the thread that waits for them; ours must never be chosen.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Writer::stop() {
    if (thread_.joinable()) {
        is_stopping_ = true;
        wake();
        thread_.join();
    }
    drain();
}

void Writer::reopen() {
    int before = errno;
    wants_reopen_.store(true);
    wake();
    errno = before;
}

void Writer::wake() {
    std::uint64_t one = 1;
    // The counter cannot overflow in practice, and a full one wakes as well.
    [[maybe_unused]] ssize_t written = ::write(event_, &one, sizeof one);
}

void Writer::run() {
    while (!is_stopping_.load()) {
        drain();
        is_asleep_.store(true, std::memory_order_seq_cst);
        if (has_lines() || wants_reopen_.load() || is_stopping_.load()) {
            is_asleep_.store(false);
        } else {
            bool unreported = dropped() != reported_;
            pollfd event{event_, POLLIN, 0};
            ::poll(&event, 1, unreported ? 1000 : -1);
            is_asleep_.store(false);
            std::uint64_t count = 0;
            [[maybe_unused]] ssize_t got = ::read(event_, &count, sizeof count);
        }
        if (!is_stopping_.load()) ::poll(nullptr, 0, gather);
    }
}

bool Writer::has_lines() {
    std::lock_guard lock(mutex_);
    for (const auto& channel : channels_)
        if (!channel->ring_.is_empty()) return true;
    return false;
}

void Writer::drain() {
    if (wants_reopen_.exchange(false)) reopen_files();
    carry_lines();
    std::uint64_t lost = 0;
    for (Sink& sink : sinks_) {
        if (std::string recovery = sink.take_recovery(); !recovery.empty()) notice("warn", recovery);
        lost += sink.lost();
    }
    lost_.store(lost, std::memory_order_relaxed);
    report_drops(options_.clock());
}

void Writer::carry_lines() {
    std::vector<Channel*> channels;
    {
        std::lock_guard lock(mutex_);
        for (const auto& channel : channels_) channels.push_back(channel.get());
    }
    for (Channel* channel : channels) {
        bool was_retired = channel->is_retired_.load(std::memory_order_acquire);  // before the last look into the ring
        std::string& batch = batches_[channel->sink_];
        channel->ring_.drain([&](std::string_view line) {
            batch.append(line);
            if (batch.size() >= batch_bytes) flush(channel->sink_);
        });
        if (!was_retired) continue;
        std::lock_guard lock(mutex_);
        retired_drops_ += channel->dropped();
        std::erase_if(channels_, [&](const auto& owned) { return owned.get() == channel; });
    }
    for (SinkId sink = 0; sink < sinks_.size(); ++sink) flush(sink);
}

void Writer::flush(SinkId sink) {
    sinks_[sink].write(batches_[sink]);
    batches_[sink].clear();
}

void Writer::reopen_files() {
    for (Sink& sink : sinks_)
        if (auto reopened = sink.reopen(); !reopened) notice("error", reopened.error().detail);
}

std::uint64_t Writer::dropped() const {
    std::lock_guard lock(mutex_);
    std::uint64_t sum = retired_drops_ + lost_.load(std::memory_order_relaxed);
    for (const auto& channel : channels_) sum += channel->dropped();
    return sum;
}

void Writer::report_drops(WallTime now) {
    std::uint64_t sum = dropped();
    // A clock that was set back must not silence the report for hours.
    bool is_early = now >= reported_at_ && now - reported_at_ < report_every;
    if (sum == reported_ || is_early) return;
    notice("warn", fmt::format("log lines dropped count={} total={}", sum - reported_, sum));
    reported_ = sum;
    reported_at_ = now;
}

void Writer::notice(std::string_view level, std::string_view message) {
    if (sinks_.empty()) return;
    char line[longest_log_line];
    Text text(line, sizeof line - 1);
    put_log_prefix(text, options_.clock(), level, "log");
    text.put(message);
    std::size_t size = text.size();
    line[size++] = '\n';
    sinks_[0].write({line, size});
}

}  // namespace observe
