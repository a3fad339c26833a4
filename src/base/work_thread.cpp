#include "base/work_thread.h"

#include <sys/resource.h>

#include <csignal>
#include <utility>

namespace base {

WorkThread::~WorkThread() {
    {
        std::lock_guard guard(lock_);
        is_ending_ = true;
    }
    come_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void WorkThread::run(std::move_only_function<void()> work) {
    std::lock_guard guard(lock_);
    works_.push_back(std::move(work));
    if (!thread_.joinable()) {
        // Signals are for the thread that waits for them.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { serve(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    come_.notify_one();
}

void WorkThread::serve() {
    if (niceness_ != 0) setpriority(PRIO_PROCESS, 0, niceness_);  // Linux: of the calling thread only
    std::unique_lock guard(lock_);
    while (true) {
        come_.wait(guard, [this] { return !works_.empty() || is_ending_; });
        if (works_.empty()) return;
        std::move_only_function<void()> work = std::move(works_.front());
        works_.pop_front();
        guard.unlock();
        work();
        work = nullptr;  // what it holds dies here, not under the lock
        guard.lock();
    }
}

}  // namespace base
