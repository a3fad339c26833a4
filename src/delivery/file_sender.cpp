#include "delivery/file_sender.h"

#include <atomic>

#include "delivery/signal.h"

namespace delivery {

namespace {
std::atomic<unsigned> present_generation{0};
}

void reopen_files() { present_generation.fetch_add(1, std::memory_order_relaxed); }

FileSender::FileSender(net::Loop& loop, std::shared_ptr<base::WorkThread> thread, FileSettings settings)
    : loop_(loop), thread_(std::move(thread)), file_(std::make_shared<File>()) {
    file_->settings = std::move(settings);
}

std::string FileSender::File::write(std::string_view lines) {
    unsigned present = present_generation.load(std::memory_order_relaxed);
    if (!sink || settings.reopen || generation != present) {
        generation = present;
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
    thread_->run([file = file_, lines = std::move(lines), tell = done.giver()] { tell(file->write(lines)); });
    std::optional<std::string> fault = co_await done.wait(net::after(loop_.now(), FileSettings::longest_write));
    // Part of it may be there: lines must not stand twice.
    if (!fault)
        co_return base::Error::upstream(base::Code::timed_out, base::Retry::never,
                                        file_->settings.path + ": writing takes too long");
    if (!fault->empty()) co_return base::Error::upstream(base::Code::reset, base::Retry::never, *fault);
    co_return base::success();
}

}  // namespace delivery
