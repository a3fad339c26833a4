#include "delivery/file_sender.h"

#include <csignal>

#include "delivery/signal.h"

namespace delivery {

Files::~Files() {
    {
        std::lock_guard guard(lock_);
        is_ending_ = true;
    }
    come_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Files::run(std::function<void()> work) {
    std::lock_guard guard(lock_);
    works_.push_back(std::move(work));
    if (!thread_.joinable()) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { serve(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    come_.notify_one();
}

void Files::serve() {
    std::unique_lock guard(lock_);
    while (true) {
        come_.wait(guard, [this] { return !works_.empty() || is_ending_; });
        if (works_.empty()) return;
        std::function<void()> work = std::move(works_.front());
        works_.pop_front();
        guard.unlock();
        work();
        work = nullptr;
        guard.lock();
    }
}

FileSender::FileSender(net::Loop& loop, std::shared_ptr<Files> files, FileSettings settings)
    : loop_(loop), files_(std::move(files)), file_(std::make_shared<File>()) {
    file_->settings = std::move(settings);
}

std::string FileSender::File::write(std::string_view lines) {
    if (!sink || settings.reopen) {
        auto opened = observe::Sink::open(settings.path);
        if (!opened) return opened.error().detail;
        sink.reset();
        sink.emplace(std::move(*opened));
    }
    std::uint64_t before = sink->lost();
    sink->write(lines);
    return sink->lost() == before ? std::string() : "cannot write " + settings.path;
}

base::Task<base::Result<void>> FileSender::send(Batch batch) {
    std::string lines;
    for (const std::string& entry : batch) lines.append(entry).append("\n");
    Arrival<std::string> done(loop_);
    files_->run([file = file_, lines = std::move(lines), tell = done.giver()] { tell(file->write(lines)); });
    std::optional<std::string> fault = co_await done.wait(net::after(loop_.now(), FileSettings::longest_write));
    // Part of it may be there: lines must not stand twice.
    if (!fault)
        co_return base::Error::upstream(base::Code::timed_out, base::Retry::never,
                                        file_->settings.path + ": writing takes too long");
    if (!fault->empty()) co_return base::Error::upstream(base::Code::reset, base::Retry::never, *fault);
    co_return base::success();
}

}  // namespace delivery
