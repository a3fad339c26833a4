// FileSender: batches as lines of a file. A thread of its own writes the files, since a disk can stall and the
// Courier's loop must not.
#pragma once

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
    FileSender(net::Loop& loop, std::shared_ptr<base::WorkThread> thread, FileSettings settings);
    base::Task<base::Result<void>> send(Batch batch) override;

  private:
    struct File {  // the thread's
        FileSettings settings;
        std::optional<observe::Sink> sink;
        unsigned generation = 0;
        std::string write(std::string_view lines);  // what went wrong
    };
    net::Loop& loop_;
    std::shared_ptr<base::WorkThread> thread_;
    std::shared_ptr<File> file_;
};

}  // namespace delivery
