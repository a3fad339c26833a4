#include "gateway/connection_turn.h"

#include <algorithm>

#include "delivery/signal.h"
#include "gateway/forward.h"

namespace gateway {

using base::Result;
using base::Task;

namespace {

// A wake that goes to a request whose client has left in that moment is lost; then others look by themselves.
constexpr net::Milliseconds longest_wait{50};

}  // namespace

Task<Result<void>> take_turn(Transaction& transaction, LiveUpstream& live,
                             const std::function<bool(upstream::Load::Turn)>& take) {
    using Turn = upstream::Load::Turn;
    if (take(Turn::fresh)) co_return base::success();
    Core& core = transaction.core;
    upstream::Load& load = live.load();
    const upstream::LimitRules& rules = live.spec().limits;
    upstream::Held pending = load.take_pending(rules);
    if (!pending)
        co_return over_limit(transaction, rules.pending == 0 ? upstream::Limit::connections : upstream::Limit::pending);
    net::Instant deadline =
        std::min(net::after(core.loop.now(), transaction.served_service().connect_timeout), transaction.deadline);
    while (true) {
        delivery::Arrival<bool> woken(core.loop);
        upstream::Load::Ticket ticket(load, [give = woken.giver()] { give(true); });
        // After the ticket: what is given back from now on wakes it.
        if (take(Turn::waiting)) co_return base::success();
        if (core.loop.now() >= deadline) break;
        co_await woken.wait(std::min(deadline, net::after(core.loop.now(), longest_wait)));
    }
    load.count_refusal(upstream::Limit::connections);
    co_return over_limit(transaction, upstream::Limit::connections);
}

Task<Result<void>> take_connection_turn(Transaction& transaction, LiveUpstream& live) {
    if (transaction.held_connection) co_return base::success();
    std::function<bool(upstream::Load::Turn)> take = [&](upstream::Load::Turn turn) {
        transaction.held_connection = live.load().take_connection(live.spec().limits, turn);
        return static_cast<bool>(transaction.held_connection);
    };
    co_return co_await take_turn(transaction, live, take);
}

}  // namespace gateway
