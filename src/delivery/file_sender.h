// FileSender: batches as lines of a file. Each path has a thread that writes it, since a disk can stall and neither the
// Courier's loop nor other files must; senders of one path share it, so that their lines do not run into each other.
// While a write stalls its sender gives nothing more to that thread, and nobody waits for it at the end.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/work_thread.h"
#include "delivery/sender.h"
#include "observe/sink.h"

namespace delivery {

struct FileSettings {
    // How long a batch may take before it counts as lost (its lines may still be written).
    static constexpr net::Milliseconds longest_write{30'000};

    std::string path;
    bool reopen = false;  // for each batch, so that a file moved away is let go of
};

// Any thread: every file is opened anew with its next batch (SIGUSR1, after logs were rotated).
void reopen_files();

class FileSender final : public Sender {
  public:
    using Open = std::function<base::Result<observe::Sink>(const std::string& path)>;
    // `open`: a test may put a disk of its own there.
    FileSender(net::Loop& loop, FileSettings settings, Open open = open_sink);
    base::Task<base::Result<void>> send(Batch batch) override;

  private:
    struct File {  // the thread's
        FileSettings settings;
        Open open;
        std::atomic<bool> is_busy{false};
        std::optional<observe::Sink> sink;
        unsigned generation = 0;
        std::string write(std::string_view lines);  // what went wrong
    };
    static base::Result<observe::Sink> open_sink(const std::string& path) { return observe::Sink::open(path); }

    struct Thread {
        base::WorkThread work;
        std::shared_ptr<std::atomic<unsigned>> under_way = std::make_shared<std::atomic<unsigned>>(0);
        ~Thread();
    };
    static std::shared_ptr<Thread> thread_of(const std::string& path);

    net::Loop& loop_;
    std::shared_ptr<Thread> thread_;
    std::shared_ptr<File> file_;
};

}  // namespace delivery
