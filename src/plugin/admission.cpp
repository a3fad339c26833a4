#include "plugin/admission.h"

#include <algorithm>
#include <utility>

namespace plugin {

void Admission::follow(const AdmissionRules& rules) {
    std::lock_guard guard(lock_);
    bool adapts = rules.latency.count() > 0;
    std::uint32_t now = limit_.load(std::memory_order_relaxed);
    // What was learnt is kept as far as the new bounds allow.
    bool is_learnt = now != 0 && adapts && rules_.latency.count() > 0;
    rules_ = rules;
    rules_.least = std::min(rules_.least, rules_.limit);
    limit_.store(is_learnt ? std::clamp(now, rules_.least, rules_.limit) : rules_.limit, std::memory_order_relaxed);
    serve_line();
}

std::uint32_t Admission::share(std::uint32_t limit, Urgency urgency) {
    return urgency == Urgency::low ? std::max(1u, limit - limit / 3) : limit;
}

bool Admission::take(Urgency urgency) {
    std::uint32_t most = share(limit_.load(std::memory_order_relaxed), urgency);
    std::uint32_t now = under_way_.load();
    do
        if (now >= most) return false;
    while (!under_way_.compare_exchange_weak(now, now + 1));
    if (now >= busiest_.load(std::memory_order_relaxed)) busiest_.store(now + 1, std::memory_order_relaxed);
    return true;
}

Admission::Place Admission::enter(Urgency urgency) {
    if (waiting_.load() > 0) {
        std::lock_guard guard(lock_);
        for (auto other = static_cast<std::size_t>(urgency); other < urgency_count; ++other)
            if (!lines_[other].empty()) return {};
    }
    return take(urgency) ? Place(shared_from_this()) : Place();
}

void Admission::leave() {
    under_way_.fetch_sub(1);
    // Whoever joins the line looks at under_way_ after it has raised waiting_: one of the two sees the other.
    if (waiting_.load() == 0) return;
    std::lock_guard guard(lock_);
    serve_line();
}

// With the lock held: until it is released the waiting one cannot go on, and its core cannot end.
void Admission::tell(const std::shared_ptr<Wait::Ticket>& ticket) {
    ticket->loop->post([ticket] {
        if (ticket->waiting) std::exchange(ticket->waiting, {}).resume();
    });
}

void Admission::serve_line() {
    for (std::size_t urgency = urgency_count; urgency-- > 0;) {
        auto& line = lines_[urgency];
        while (!line.empty() && take(static_cast<Urgency>(urgency))) {
            line.front()->has_place.store(true);
            tell(line.front());
            line.pop_front();
            waiting_.fetch_sub(1);
        }
        if (!line.empty()) return;  // the less urgent do not pass
    }
}

bool Admission::make_room_for(Urgency urgency) {
    if (waiting_.load() < rules_.most_waiting) return true;
    for (std::size_t other = 0; other < static_cast<std::size_t>(urgency); ++other) {
        auto& line = lines_[other];
        if (line.empty()) continue;
        line.back()->is_sent_away.store(true);  // the one that has waited least
        tell(line.back());
        line.pop_back();
        waiting_.fetch_sub(1);
        return true;
    }
    return false;
}

Admission::Wait::Wait(std::shared_ptr<Admission> of, Urgency urgency, net::Loop& loop, net::Instant deadline)
    : of_(std::move(of)), urgency_(urgency), loop_(loop), deadline_(deadline) {
    std::lock_guard guard(of_->lock_);
    if (!of_->make_room_for(urgency_)) return;
    ticket_ = std::make_shared<Ticket>();
    ticket_->loop = &loop_;
    auto& line = of_->lines_[static_cast<std::size_t>(urgency_)];
    place_in_line_ = line.insert(line.end(), ticket_);
    of_->waiting_.fetch_add(1);
    of_->serve_line();
}

Admission::Wait::~Wait() {
    if (!ticket_) return;
    ticket_->waiting = {};
    bool has_place = false;
    {
        std::lock_guard guard(of_->lock_);
        has_place = ticket_->has_place.load();
        if (!has_place && !ticket_->is_sent_away.load()) {
            of_->lines_[static_cast<std::size_t>(urgency_)].erase(place_in_line_);
            of_->waiting_.fetch_sub(1);
            of_->serve_line();  // it may have been what the less urgent waited behind
        }
    }
    if (has_place) of_->leave();
}

bool Admission::Wait::await_ready() const {
    return !ticket_ || ticket_->has_place.load() || ticket_->is_sent_away.load() || deadline_ <= loop_.now();
}

void Admission::Wait::await_suspend(std::coroutine_handle<> waiting) {
    ticket_->waiting = waiting;
    timer_.set([](void* self) { static_cast<Wait*>(self)->wake(); }, this);
    timer_.arm(loop_.timers(), deadline_);
}

void Admission::Wait::wake() {
    if (ticket_->waiting) std::exchange(ticket_->waiting, {}).resume();
}

Admission::Place Admission::Wait::await_resume() {
    timer_.cancel();
    if (!ticket_) return {};
    std::lock_guard guard(of_->lock_);  // whoever has given the place is done with our loop then
    if (!ticket_->has_place.load()) return {};
    ticket_.reset();  // the place is the caller's now
    return Place(of_);
}

void Admission::observe_latency(net::Milliseconds took, net::Instant now) {
    latency_sum_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count())),
                           std::memory_order_relaxed);
    std::uint32_t count = latency_count_.fetch_add(1, std::memory_order_relaxed) + 1;
    net::Instant end = window_end_.load(std::memory_order_relaxed);
    if (now < end || count < least_samples) return;
    if (!window_end_.compare_exchange_strong(end, now + window)) return;  // another core does it
    count = latency_count_.exchange(0);
    std::uint64_t sum = latency_sum_.exchange(0);
    if (count > 0) adapt(net::Milliseconds(static_cast<std::int64_t>(sum / count)));
}

void Admission::adapt(net::Milliseconds average) {
    std::lock_guard guard(lock_);
    if (rules_.latency.count() == 0) return;
    std::uint32_t busiest = busiest_.exchange(under_way_.load());
    std::uint32_t limit = limit_.load(std::memory_order_relaxed);
    if (average > rules_.latency)
        // From what was really used: a limit that nobody reaches would take long to fall.
        limit = std::max(rules_.least, std::min(limit, busiest) * 9 / 10);
    else if (busiest >= limit / 2)
        limit = std::min(rules_.limit, limit + std::max(1u, limit / 50));
    limit_.store(limit, std::memory_order_relaxed);
    serve_line();
}

void Admission::measure(std::vector<observe::Sample>& samples) const {
    auto add = [&](std::string_view name, std::string_view help, std::string_view kind, double value,
                   std::string_view reason = {}) {
        std::vector<std::pair<std::string, std::string>> labels{{"pool", label_}};
        if (!reason.empty()) labels.emplace_back("reason", reason);
        samples.push_back({std::string(name), std::string(help), std::string(kind), std::move(labels), value});
    };
    add("admission_limit", "Requests that may be under way at once.", "gauge", limit());
    add("admission_under_way", "Requests under way.", "gauge", under_way());
    add("admission_waiting", "Requests that wait for a place.", "gauge", waiting());
    constexpr std::string_view refused = "Requests refused because too many were under way.";
    add("admission_refused_total", refused, "counter", static_cast<double>(refused_.load()), "queue_full");
    add("admission_refused_total", refused, "counter", static_cast<double>(timed_out_.load()), "timeout");
}

}  // namespace plugin
