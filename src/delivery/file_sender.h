// FileSender: batches as lines of a file. Files is the one thread that writes all of them, since a disk can stall and
// the Courier's loop must not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "delivery/sender.h"
#include "observe/sink.h"

namespace delivery {

class Files {
  public:
    Files() = default;
    Files(const Files&) = delete;
    ~Files();  // after what was given is done

    // Runs `work` on the thread, in order. Any thread. The thread begins with the first one.
    void run(std::function<void()> work);

  private:
    void serve();
    std::mutex lock_;
    std::condition_variable come_;
    std::deque<std::function<void()>> works_;
    bool is_ending_ = false;
    std::thread thread_;
};

struct FileSettings {
    // How long a batch may take before it counts as lost (its lines may still be written).
    static constexpr net::Milliseconds longest_write{30'000};

    std::string path;
    bool reopen = false;  // for each batch, so that a file moved away is let go of
};

class FileSender final : public Sender {
  public:
    FileSender(net::Loop& loop, std::shared_ptr<Files> files, FileSettings settings);
    base::Task<base::Result<void>> send(Batch batch) override;

  private:
    struct File {  // the thread's
        FileSettings settings;
        std::optional<observe::Sink> sink;
        std::string write(std::string_view lines);  // what went wrong
    };
    net::Loop& loop_;
    std::shared_ptr<Files> files_;
    std::shared_ptr<File> file_;
};

}  // namespace delivery
