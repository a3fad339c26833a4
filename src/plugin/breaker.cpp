#include "plugin/breaker.h"

#include <algorithm>
#include <utility>

namespace plugin {

void Breaker::Ticket::succeeded(const BreakerRules& rules) {
    if (auto breaker = std::exchange(breaker_, nullptr)) breaker->succeed(rules, is_trial_);
}

void Breaker::Ticket::failed(const BreakerRules& rules, net::Instant now) {
    if (auto breaker = std::exchange(breaker_, nullptr)) breaker->fail(rules, now, is_trial_);
}

Breaker::Ticket Breaker::enter(const BreakerRules& rules, net::Instant now) {
    Ticket ticket;
    if (state() == State::closed) {
        ticket.breaker_ = shared_from_this();
        return ticket;
    }
    std::lock_guard guard(lock_);
    if (state() == State::open && now >= until_.load(std::memory_order_relaxed)) {
        trials_ = successes_ = 0;
        state_.store(State::half_open, std::memory_order_release);
    }
    if (state() == State::open) return ticket;
    if (state() == State::half_open) {
        if (trials_ + successes_ >= rules.trials) return ticket;
        ++trials_;
        ticket.is_trial_ = true;
    }
    ticket.breaker_ = shared_from_this();
    return ticket;
}

net::Milliseconds Breaker::wait(net::Instant now) const {
    if (state() == State::closed) return net::Milliseconds(0);
    return net::Milliseconds(std::max<net::Instant>(0, until_.load(std::memory_order_relaxed) - now));
}

bool Breaker::is_idle() const {
    std::lock_guard guard(lock_);
    return state() == State::closed && failures_.empty();
}

void Breaker::succeed(const BreakerRules& rules, bool is_trial) {
    if (!is_trial) return;  // one that was let through before it opened says nothing about now
    std::lock_guard guard(lock_);
    if (state() != State::half_open || trials_ == 0) return;
    --trials_;
    if (++successes_ < rules.trials) return;
    failures_.clear();
    next_ = 0;
    state_.store(State::closed, std::memory_order_release);
}

void Breaker::fail(const BreakerRules& rules, net::Instant now, bool is_trial) {
    std::lock_guard guard(lock_);
    if (is_trial) {
        if (state() == State::half_open) open(rules, now);
        return;
    }
    if (state() != State::closed) return;
    if (failures_.size() > rules.threshold) failures_.clear(), next_ = 0;  // a reload has lowered it
    if (failures_.size() < rules.threshold) {
        // The ring is only turned while it is full.
        std::rotate(failures_.begin(), failures_.begin() + static_cast<std::ptrdiff_t>(next_), failures_.end());
        next_ = 0;
        failures_.push_back(now);
    } else {
        failures_[next_] = now;
        next_ = (next_ + 1) % failures_.size();
    }
    bool is_full = failures_.size() == rules.threshold;
    net::Instant oldest = failures_[is_full ? next_ : 0];
    if (is_full && now - oldest < rules.window.count()) open(rules, now);
}

void Breaker::give_up() {
    std::lock_guard guard(lock_);
    if (state() == State::half_open && trials_ > 0) --trials_;
}

void Breaker::open(const BreakerRules& rules, net::Instant now) {
    failures_.clear();
    next_ = 0;
    until_.store(net::after(now, rules.open_for), std::memory_order_relaxed);
    opened_.fetch_add(1, std::memory_order_relaxed);
    state_.store(State::open, std::memory_order_release);
}

}  // namespace plugin
