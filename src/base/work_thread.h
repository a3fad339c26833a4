// WorkThread: one thread that does what it is given, in order: for work that can stall or take long (disks, large
// pages) and must not do so on a core. Any thread may give work; the thread begins with the first one.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace base {

class WorkThread {
  public:
    // `niceness`: how far it gives way to others (nice(2)).
    explicit WorkThread(int niceness = 0) : works_(std::make_shared<Works>()) { works_->niceness = niceness; }
    WorkThread(const WorkThread&) = delete;
    ~WorkThread();  // after what was given is done, unless it was abandoned

    void run(std::move_only_function<void()> work);
    // Waits for nothing: what is under way ends by itself, whenever that is (it must own all that it uses); what was
    // not begun is dropped. Nothing may be given afterwards.
    void abandon();

  private:
    struct Works {
        int niceness = 0;
        std::mutex lock;
        std::condition_variable come;
        std::deque<std::move_only_function<void()>> waiting;
        bool is_ending = false;
    };
    static void serve(Works& works);
    std::shared_ptr<Works> works_;  // the thread's, too: it may outlive this
    std::thread thread_;
};

}  // namespace base
