// WorkThread: one thread that does what it is given, in order: for work that can stall or take long (disks, large
// pages) and must not do so on a core. Any thread may give work; the thread begins with the first one.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace base {

class WorkThread {
  public:
    // `niceness`: how far it gives way to others (nice(2)).
    explicit WorkThread(int niceness = 0) : niceness_(niceness) {}
    WorkThread(const WorkThread&) = delete;
    ~WorkThread();  // after what was given is done

    void run(std::move_only_function<void()> work);

  private:
    void serve();
    const int niceness_;
    std::mutex lock_;
    std::condition_variable come_;
    std::deque<std::move_only_function<void()>> works_;
    bool is_ending_ = false;
    std::thread thread_;
};

}  // namespace base
