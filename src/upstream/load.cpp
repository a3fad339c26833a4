#include "upstream/load.h"

#include <fmt/format.h>

#include <algorithm>

namespace upstream {

std::string LimitRules::text() const {
    return fmt::format("{}-{}-{}-{}-{}-{}-{}", connections, pending, requests, retries, has_retry_budget, retry_percent,
                       least_retries);
}

std::string_view name(Limit limit) {
    switch (limit) {
        case Limit::requests:
            return "max_requests";
        case Limit::connections:
            return "max_connections";
        case Limit::pending:
            return "max_pending";
        case Limit::retries:
            return "max_retries";
    }
    return "unknown";
}

Held Held::take(std::atomic<std::uint32_t>& count, std::uint32_t most) {
    Held out;
    std::uint32_t before = count.load(std::memory_order_relaxed);
    do {
        if (most != 0 && before >= most) return out;
    } while (!count.compare_exchange_weak(before, before + 1, std::memory_order_acq_rel));
    out.count_ = &count;
    return out;
}

void ConnectionSlot::release() {
    if (!held_) return;
    held_.release();
    of_->wake_one();
}

Held Load::take_request(const LimitRules& rules) {
    Held out = Held::take(requests, rules.requests);
    if (!out) count_refusal(Limit::requests);
    return out;
}

Held Load::take_retry(const LimitRules& rules) {
    std::uint32_t most = rules.retries;
    if (rules.has_retry_budget) {
        double budget = rules.retry_percent / 100 * requests.load(std::memory_order_relaxed);
        most = std::max(rules.least_retries, static_cast<std::uint32_t>(budget));
    }
    // A budget can be none at all.
    Held out = most == 0 && rules.has_retry_budget ? Held() : Held::take(retries, most);
    if (!out) count_refusal(Limit::retries);
    return out;
}

Held Load::take_pending(const LimitRules& rules) {
    Held out = rules.pending == 0 ? Held() : Held::take(pending, rules.pending);
    if (!out) count_refusal(rules.pending == 0 ? Limit::connections : Limit::pending);
    return out;
}

ConnectionSlot Load::take_connection(const LimitRules& rules, Turn turn) {
    if (turn == Turn::fresh && pending.load(std::memory_order_acquire) > 0) return {};
    Held held = Held::take(connections, rules.connections);
    return held ? ConnectionSlot(std::move(held), *this) : ConnectionSlot();
}

Load::Ticket::Ticket(Load& of, std::function<void()> wake) : of_(of) {
    std::lock_guard guard(of_.lock_);
    place_ = of_.waiters_.insert(of_.waiters_.end(), {std::move(wake), false});
}

Load::Ticket::~Ticket() {
    std::lock_guard guard(of_.lock_);
    of_.waiters_.erase(place_);
}

void Load::wake_one() {
    if (pending.load(std::memory_order_acquire) == 0) return;  // nearly always
    std::lock_guard guard(lock_);
    for (Waiter& waiter : waiters_) {
        if (waiter.is_woken) continue;
        waiter.is_woken = true;
        return waiter.wake();
    }
}

}  // namespace upstream
