// Task<T>: a lazily started coroutine. Awaiting it runs it; dropping it cancels it (its locals are destroyed, and every
// awaitable of ours unregisters itself in its destructor). Detached: a coroutine that owns itself, started at once.
// Frames come from the per-thread slab. Exceptions never leave our code after start-up: an unhandled one aborts.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/ensure.h"
#include "base/slab.h"

namespace base {

template <typename T>
class Task;

namespace detail {

struct FramePromise {
    static void* operator new(std::size_t size) { return Slab::allocate(size); }
    static void operator delete(void* memory, std::size_t size) { Slab::free(memory, size); }
};

template <typename T>
struct TaskPromise;

struct ResumeCaller {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
        auto caller = finished.promise().caller;
        return caller ? caller : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
};

template <typename T>
struct TaskPromiseShared : FramePromise {
    std::coroutine_handle<> caller;
    std::suspend_always initial_suspend() noexcept { return {}; }
    ResumeCaller final_suspend() noexcept { return {}; }
    std::exception_ptr exception;
    void unhandled_exception() noexcept { exception = std::current_exception(); }
    void rethrow() {
        if (exception) std::rethrow_exception(std::move(exception));
    }
};

template <typename T>
struct TaskPromise : TaskPromiseShared<T> {
    std::optional<T> value;
    Task<T> get_return_object();
    template <typename U = T>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
};

template <>
struct TaskPromise<void> : TaskPromiseShared<void> {
    Task<void> get_return_object();
    void return_void() noexcept {}
};

}  // namespace detail

template <typename T>
class [[nodiscard]] Task {
  public:
    using promise_type = detail::TaskPromise<T>;

    Task() = default;
    explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            drop();
            frame_ = std::exchange(other.frame_, {});
        }
        return *this;
    }
    ~Task() { drop(); }

    [[nodiscard]] bool is_valid() const { return static_cast<bool>(frame_); }
    [[nodiscard]] bool is_done() const { return frame_ && frame_.done(); }

    // Runs until the first suspension without anyone waiting; later `co_await` it or drop it.
    void start() { frame_.resume(); }
    // The value of a task that is_done(); once.
    T take() {
        ensure(is_done());
        frame_.promise().rethrow();
        if constexpr (!std::is_void_v<T>) return std::move(*frame_.promise().value);
    }

    struct Awaiter {
        std::coroutine_handle<promise_type> frame;
        bool started;
        [[nodiscard]] bool await_ready() const noexcept { return frame.done(); }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
            frame.promise().caller = caller;
            return started ? std::coroutine_handle<>(std::noop_coroutine()) : frame;
        }
        T await_resume() {
            frame.promise().rethrow();
            if constexpr (!std::is_void_v<T>) return std::move(*frame.promise().value);
        }
    };
    Awaiter operator co_await() && noexcept { return {frame_, false}; }
    // Waits for a task that was start()ed before. The caller must stay suspended on it, or drop the task.
    Awaiter finished() noexcept { return {frame_, true}; }

  private:
    void drop() {
        if (frame_) std::exchange(frame_, {}).destroy();
    }
    std::coroutine_handle<promise_type> frame_;
};

namespace detail {
template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}
}  // namespace detail

// Starts at once and frees itself at its end. Whoever starts one makes sure that it ends (closing its sockets does).
struct Detached {
    struct promise_type : detail::FramePromise {
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

}  // namespace base
