#include "delivery/file_sender.h"

#include "delivery/signal.h"

namespace delivery {

FileSender::FileSender(net::Loop& loop, std::shared_ptr<base::WorkThread> thread, FileSettings settings)
    : loop_(loop), thread_(std::move(thread)), file_(std::make_shared<File>()) {
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
