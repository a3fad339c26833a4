#include "delivery/file_sender.h"

#include <atomic>
#include <map>
#include <mutex>

#include "delivery/signal.h"

namespace delivery {

namespace {
std::atomic<unsigned> present_generation{0};
}

void reopen_files() { present_generation.fetch_add(1, std::memory_order_relaxed); }

FileSender::FileSender(net::Loop& loop, FileSettings settings, Open open)
    : loop_(loop), thread_(thread_of(settings.path)), file_(std::make_shared<File>()) {
    file_->settings = std::move(settings);
    file_->open = std::move(open);
}

FileSender::Thread::~Thread() {
    if (*under_way > 0) work.abandon();
}

std::shared_ptr<FileSender::Thread> FileSender::thread_of(const std::string& path) {
    static std::mutex lock;
    static std::map<std::string, std::weak_ptr<Thread>> threads;
    std::lock_guard guard(lock);
    std::erase_if(threads, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<Thread>& known = threads[path];
    std::shared_ptr<Thread> thread = known.lock();
    if (thread == nullptr) known = thread = std::make_shared<Thread>();
    return thread;
}

std::string FileSender::File::write(std::string_view lines) {
    unsigned present = present_generation.load(std::memory_order_relaxed);
    if (!sink || settings.reopen || generation != present) {
        generation = present;
        auto opened = open(settings.path);
        if (!opened) return opened.error().detail;
        sink.reset();
        sink.emplace(std::move(*opened));
    }
    std::uint64_t before = sink->lost();
    sink->write(lines);
    return sink->lost() == before ? std::string() : "cannot write " + settings.path;
}

base::Task<base::Result<void>> FileSender::send(Batch batch) {
    // Nothing of this batch is there yet: it may come again.
    if (file_->is_busy)
        co_return base::Error::upstream(base::Code::timed_out, base::Retry::always,
                                        file_->settings.path + ": still writing what came before");
    std::string lines;
    for (const std::string& entry : batch) lines.append(entry).append("\n");
    Arrival<std::string> done(loop_);
    file_->is_busy = true;
    ++*thread_->under_way;
    thread_->work.run([file = file_, under_way = thread_->under_way, lines = std::move(lines), tell = done.giver()] {
        std::string fault = file->write(lines);
        file->is_busy = false;
        --*under_way;
        tell(std::move(fault));
    });
    std::optional<std::string> fault = co_await done.wait(net::after(loop_.now(), FileSettings::longest_write));
    // Part of it may be there: lines must not stand twice.
    if (!fault)
        co_return base::Error::upstream(base::Code::timed_out, base::Retry::never,
                                        file_->settings.path + ": writing takes too long");
    if (!fault->empty()) co_return base::Error::upstream(base::Code::reset, base::Retry::never, *fault);
    co_return base::success();
}

}  // namespace delivery
