#include "net/loop.h"

namespace net {

void Loop::run() {
    while (!stopped_) turn(true);
}

void Loop::post(Function function) {
    {
        std::lock_guard guard(posted_lock_);
        posted_.push_back(std::move(function));
        has_posted_.store(true, std::memory_order_release);
    }
    wake();
}

void Loop::run_posted() {
    if (!has_posted()) return;
    std::vector<Function> functions;
    {
        std::lock_guard guard(posted_lock_);
        functions.swap(posted_);
        has_posted_.store(false, std::memory_order_release);
    }
    for (Function& function : functions) function();
}

void Carrier::release(Socket& socket) { delete &socket; }

ConnectAwaiter::ConnectAwaiter(Loop& on, const SocketAddress& address, Instant deadline) : loop(on) {
    socket.reset(loop.start_connect(address, status));
    if (!socket) {
        is_settled = true;
        return;
    }
    socket->input_waiter_ = {[](void*) {}, this};
    timer.set([](void* self) { static_cast<ConnectAwaiter*>(self)->settle(IoStatus::timed_out); }, this);
    timer.arm(loop.timers(), deadline);
}

ConnectAwaiter::~ConnectAwaiter() {
    if (socket) socket->input_waiter_ = {};
}

void ConnectAwaiter::settle(IoStatus result) {
    if (is_settled) return;
    is_settled = true;
    status = result;
    timer.cancel();
    if (status != IoStatus::ok) socket.reset();
    if (coroutine) coroutine.resume();
}

Connected ConnectAwaiter::await_resume() {
    if (socket) {
        socket->input_waiter_ = {};
        socket->wants_input = true;
        loop.start_receive(*socket);
    }
    return {std::move(socket), status};
}

std::string_view name(Loop::Kind kind) {
    switch (kind) {
        case Loop::Kind::io_uring:
            return "io_uring";
        case Loop::Kind::epoll:
            return "epoll";
        case Loop::Kind::simulated:
            return "simulated";
    }
    return "unknown";
}

}  // namespace net
