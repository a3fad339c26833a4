// Call: one command of a caller, from when it is issued (at once, with its Client's other commands of this turn) until
// its reply, its failure or its deadline. To be awaited once; made and started by Client::command():
//     base::Result<redis::Reply> reply = co_await client.command({"INCR", key}, deadline);
// Dropping it is allowed at any time: Redis may run the command all the same.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "net/loop.h"
#include "redis/connection.h"
#include "redis/encoder.h"
#include "redis/reply.h"
#include "redis/script.h"

namespace redis {

class Client;

class [[nodiscard]] Call final : Pending {
  public:
    Call(const Call&) = delete;
    ~Call();

    [[nodiscard]] bool await_ready() const { return result_.has_value(); }
    void await_suspend(std::coroutine_handle<> coroutine) { waiter_ = net::Waiter::of(coroutine); }
    // What Redis complained about is an Error too (redis/reply.h).
    base::Result<Reply> await_resume() { return std::move(*result_); }

    // The same for those that are no coroutines: wakes once, not if is_settled() already.
    [[nodiscard]] bool is_settled() const { return result_.has_value(); }
    void on_settled(net::Waiter waiter) { waiter_ = waiter; }
    base::Result<Reply> take() { return std::move(*result_); }

  private:
    friend class Client;
    friend class Route;
    friend class SingleRoute;
    friend class Cluster;
    static constexpr std::uint16_t no_slot = 0xffff;

    Call(Client& client, Arguments arguments, net::Instant deadline, const Script* script);
    void settled(base::Result<Reply> result) override;
    bool complained(const Reply& reply);
    void run_whole_script();
    void expire();
    void issue(net::Instant deadline);
    void issue();
    void finish(base::Result<Reply> result);

    Client& client_;
    const Script* script_;  // to be sent whole if the server does not know it
    net::Slice bytes_;      // to be sent again elsewhere; empty if that cannot happen
    std::uint16_t slot_ = no_slot;
    std::uint16_t member_ = 0;  // of the Cluster, that it was last issued at
    unsigned redirects_ = 0;
    std::uint64_t place_in_line_ = 0;  // while it waits for a Cluster to know where to send it; else 0
    std::optional<base::Result<Reply>> result_;
    net::Waiter waiter_;
    net::Timer timer_;
};

}  // namespace redis
