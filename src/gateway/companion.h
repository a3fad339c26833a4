// Companion: work that runs beside the coroutine it belongs to: a request body on its way while the answer is awaited,
// one way of a tunnel. At its end it wakes its owner: who waits for it, or else who waits for input of one socket. By
// then its frame is suspended for good, so that the owner, once awake, may drop it.
#pragma once

#include <coroutine>
#include <utility>

#include "base/task.h"
#include "net/socket.h"

namespace gateway {

class [[nodiscard]] Companion {
  public:
    struct promise_type : base::detail::FramePromise {
        net::Socket* wakes = nullptr;
        std::coroutine_handle<> waiter;
        Companion get_return_object() { return Companion(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Tell {
                [[nodiscard]] bool await_ready() const noexcept { return false; }
                std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
                    promise_type& promise = done.promise();
                    if (promise.waiter) return promise.waiter;
                    promise.wakes->interrupt();  // `done` may be gone now
                    return std::noop_coroutine();
                }
                void await_resume() const noexcept {}
            };
            return Tell{};
        }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };

    Companion() = default;
    Companion(Companion&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    Companion& operator=(Companion&& other) noexcept {
        if (this != &other) drop();
        frame_ = std::exchange(other.frame_, {});
        return *this;
    }
    ~Companion() { drop(); }

    // Runs to its first wait. `wakes` outlives this.
    void start(net::Socket& wakes) {
        frame_.promise().wakes = &wakes;
        frame_.resume();
    }
    [[nodiscard]] bool is_running() const { return frame_ && !frame_.done(); }
    void drop() {
        if (frame_) std::exchange(frame_, {}).destroy();
    }

    // Waits for the end of one that was started.
    auto finished() {
        struct Awaiter {
            std::coroutine_handle<promise_type> frame;
            [[nodiscard]] bool await_ready() const noexcept { return frame.done(); }
            void await_suspend(std::coroutine_handle<> waiter) const noexcept { frame.promise().waiter = waiter; }
            void await_resume() const noexcept {}
        };
        return Awaiter{frame_};
    }

  private:
    explicit Companion(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

}  // namespace gateway
