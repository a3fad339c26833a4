// Inquiry: a question of our own to a server (who is the master, who owns which slots), to be awaited once. Wakes at
// the end of the turn, outside of the connection, so that whoever asked may then drop it.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "net/loop.h"
#include "redis/connection.h"

namespace redis {

class Inquiry final : Pending {
  public:
    Inquiry(net::Loop& loop, Connection& connection, net::Slice bytes, net::Instant deadline)
        : loop_(loop),
          turn_end_([](void* self) { static_cast<Inquiry*>(self)->coroutine_.resume(); }, this),
          timer_([](void* self) { static_cast<Inquiry*>(self)->expire(); }, this) {
        if (base::Result<void> taken = connection.issue(*this, std::move(bytes)); !taken)
            result_.emplace(std::move(taken).error());
        else
            timer_.arm(loop.timers(), deadline);
    }

    [[nodiscard]] bool await_ready() const { return result_.has_value(); }
    void await_suspend(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
    // What Redis complains about is an error.
    base::Result<Reply> await_resume() {
        if (result_->ok() && (*result_)->is_error()) return error_of((*result_)->text());
        return std::move(*result_);
    }

  private:
    void settled(base::Result<Reply> result) override {
        timer_.cancel();
        result_.emplace(std::move(result));
        loop_.at_turn_end(turn_end_);
    }
    void expire() {
        forget();
        settled(base::Error::us(base::Code::timed_out, "Redis did not reply in time"));
    }

    net::Loop& loop_;
    net::TurnEnd turn_end_;
    net::Timer timer_;
    std::coroutine_handle<> coroutine_;
    std::optional<base::Result<Reply>> result_;
};

}  // namespace redis
