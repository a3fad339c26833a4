// Events of the control thread: signals, changed files, requests of other threads, a successor's first breath; all
// waited for at one place.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace command {

class Events {
  public:
    struct Happened {
        int signal = 0;  // one of those of block_signals()
        bool files_changed = false;
        bool woken = false;  // wake()
        bool successor_spoke = false;
        bool successor_failed = false;
    };

    // Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 for this thread and those it starts: wait() delivers them.
    static void block_signals();

    Events();
    ~Events();
    Events(const Events&) = delete;

    // Looks for changes of these files (and of what is in these folders) from now on. Also such that replace a file.
    base::Result<void> watch(const std::vector<std::string>& paths);
    void wait_for_successor(int descriptor);
    // Any thread.
    void wake();
    [[nodiscard]] Happened wait(std::chrono::milliseconds most);

  private:
    int signals_ = -1;
    int wake_ = -1;
    int files_ = -1;
    int successor_ = -1;
};

}  // namespace command
