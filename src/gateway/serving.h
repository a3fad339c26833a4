// Serving: the coroutine in which a connection or stream serves, while there is something to serve. It frees its own
// frame and then tells the owner, by served(); the owner holds its handle in serving_ and may destroy it before.
#pragma once

#include <coroutine>
#include <exception>

#include "base/task.h"

namespace gateway {

template <typename Owner>
struct Serving {
    struct promise_type : base::detail::FramePromise {
        Owner& owner;
        explicit promise_type(Owner& self) : owner(self) {
            self.serving_ = std::coroutine_handle<promise_type>::from_promise(*this);
        }
        Serving get_return_object() { return {}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Tell {
                [[nodiscard]] bool await_ready() const noexcept { return false; }
                void await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
                    Owner& told = done.promise().owner;
                    done.destroy();
                    told.served();
                }
                void await_resume() const noexcept {}
            };
            return Tell{};
        }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

}  // namespace gateway
