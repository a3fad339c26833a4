// Signal and Arrival: what a coroutine of one loop waits for besides sockets and timers. A Signal is given on the
// loop's own thread; an Arrival comes from any thread (the resolver's, the file thread's). Both waits have a deadline.
#pragma once

#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/task.h"
#include "net/loop.h"

namespace delivery {

// One waiter. What is given while nobody waits is lost: look first, then wait.
class Signal {
  public:
    struct Awaiter {
        Signal& signal;
        net::Loop& loop;
        net::Instant deadline;
        net::Timer timer;
        Awaiter(Signal& of, net::Loop& on, net::Instant until) : signal(of), loop(on), deadline(until) {}
        Awaiter(const Awaiter&) = delete;
        ~Awaiter() {
            if (signal.awaiter_ == this) signal.awaiter_ = nullptr;
        }
        [[nodiscard]] bool await_ready() const { return deadline <= loop.now(); }
        void await_suspend(std::coroutine_handle<> waiting) {
            coroutine = waiting;
            signal.awaiter_ = this;
            if (deadline == net::never) return;
            timer.set([](void* self) { static_cast<Awaiter*>(self)->wake(); }, this);
            timer.arm(loop.timers(), deadline);
        }
        void await_resume() const {}
        void wake() {
            signal.awaiter_ = nullptr;
            timer.cancel();
            coroutine.resume();
        }
        std::coroutine_handle<> coroutine;
    };
    [[nodiscard]] Awaiter wait(net::Loop& loop, net::Instant deadline) { return {*this, loop, deadline}; }
    void give() {
        if (awaiter_ != nullptr) awaiter_->wake();
    }

  private:
    Awaiter* awaiter_ = nullptr;
};

// A value that another thread brings. Made and waited for on the loop's thread; giver() is what the other side keeps.
template <typename T>
class Arrival {
  public:
    explicit Arrival(net::Loop& loop) : loop_(loop), shared_(std::make_shared<Shared>()) { shared_->loop = &loop; }
    Arrival(const Arrival&) = delete;
    ~Arrival() {
        std::lock_guard guard(shared_->lock);
        shared_->loop = nullptr;
        shared_->signal = nullptr;
    }

    // Call once, on any thread; also good after the Arrival is gone.
    [[nodiscard]] auto giver() {
        shared_->signal = &signal_;
        return [shared = shared_](T value) {
            std::lock_guard guard(shared->lock);
            shared->value = std::move(value);
            if (shared->loop == nullptr) return;
            shared->loop->post([shared] {
                // On the loop's thread, where the Arrival dies too.
                if (shared->signal != nullptr) shared->signal->give();
            });
        };
    }
    // Nothing: the deadline has passed first.
    base::Task<std::optional<T>> wait(net::Instant deadline) {
        while (!has_come() && loop_.now() < deadline) co_await signal_.wait(loop_, deadline);
        std::lock_guard guard(shared_->lock);
        co_return std::exchange(shared_->value, std::nullopt);
    }

  private:
    struct Shared {
        std::mutex lock;
        net::Loop* loop = nullptr;
        Signal* signal = nullptr;  // the loop's thread only
        std::optional<T> value;
    };
    [[nodiscard]] bool has_come() {
        std::lock_guard guard(shared_->lock);
        return shared_->value.has_value();
    }
    net::Loop& loop_;
    std::shared_ptr<Shared> shared_;
    Signal signal_;
};

}  // namespace delivery
