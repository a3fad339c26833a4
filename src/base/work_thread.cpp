#include "base/work_thread.h"

#include <sys/resource.h>

#include <csignal>
#include <utility>

namespace base {

WorkThread::~WorkThread() {
    {
        std::lock_guard guard(works_->lock);
        works_->is_ending = true;
    }
    works_->come.notify_one();
    if (thread_.joinable()) thread_.join();
}

void WorkThread::run(std::move_only_function<void()> work) {
    std::lock_guard guard(works_->lock);
    works_->waiting.push_back(std::move(work));
    if (!thread_.joinable()) {
        // Signals are for the thread that waits for them.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([works = works_] { serve(*works); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    works_->come.notify_one();
}

void WorkThread::abandon() {
    std::deque<std::move_only_function<void()>> dropped;
    {
        std::lock_guard guard(works_->lock);
        works_->is_ending = true;
        dropped.swap(works_->waiting);
    }
    works_->come.notify_one();
    if (thread_.joinable()) thread_.detach();
}

void WorkThread::serve(Works& works) {
    if (works.niceness != 0) setpriority(PRIO_PROCESS, 0, works.niceness);  // Linux: of the calling thread only
    std::unique_lock guard(works.lock);
    while (true) {
        works.come.wait(guard, [&works] { return !works.waiting.empty() || works.is_ending; });
        if (works.waiting.empty()) return;
        std::move_only_function<void()> work = std::move(works.waiting.front());
        works.waiting.pop_front();
        guard.unlock();
        work();
        work = nullptr;  // what it holds dies here, not under the lock
        guard.lock();
    }
}

}  // namespace base
