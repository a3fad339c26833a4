#include "upstream/http2_pool.h"

#include <algorithm>
#include <utility>

#include "upstream/http2_connection.h"

namespace upstream {

Http2Pool::Http2Pool(net::Loop& loop, Pool& pool, const PoolLimits& limits, const http2::Limits& http2_limits,
                     observe::CoreMetrics& metrics)
    : loop_(loop),
      pool_(pool),
      limits_(limits),
      http2_limits_(http2_limits),
      metrics_(metrics),
      turn_end_(&Http2Pool::turn_ended, this) {}

Http2Pool::~Http2Pool() {
    for (Http2Connection* connection : std::exchange(connections_, {})) delete connection;
}

LinkPtr Http2Pool::take(const Claim* claim) {
    // Room is left to those who wait for it already, as a connection would be.
    bool is_others_turn = claim != nullptr && claim->turn == Load::Turn::fresh &&
                          claim->load->pending.load(std::memory_order_acquire) > 0;
    if (is_others_turn) return nullptr;
    for (Http2Connection* connection : connections_)
        if (connection->has_room() && (claim == nullptr || connection->take_place(*claim))) return connection->open();
    return nullptr;
}

// One that has not said yet how much it takes may take all who wait.
bool Http2Pool::wants_connection() const {
    if (is_connecting_ || failure_ || usable() >= most_connections) return false;
    return std::none_of(connections_.begin(), connections_.end(),
                        [](const Http2Connection* each) { return each->is_new() && !each->is_retired(); });
}

bool Http2Pool::wants_place() const {
    return wants_connection() || std::any_of(connections_.begin(), connections_.end(), [](const Http2Connection* each) {
               return each->has_room() && !each->has_place();
           });
}

// Those on their way out end by themselves.
std::size_t Http2Pool::usable() const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                                  [](const Http2Connection* each) { return !each->is_retired(); }));
}

void Http2Pool::connect(ConnectOrder order, Fallback fallback, ConnectionPlace place) {
    is_connecting_ = true;
    place_ = std::move(place);
    ++attempts_;
    connecting_ = make_connection(std::move(order), fallback);
    connecting_.start();
}

// What comes of it is told at the end of the turn: whoever is told may want another connection, and this must be over.
base::Task<void> Http2Pool::make_connection(ConnectOrder order, Fallback fallback) {
    base::Result<NewConnection> made = co_await upstream::connect(loop_, address(), std::move(order), metrics_);
    is_connecting_ = false;
    ConnectionPlace place = std::move(place_);
    loop_.at_turn_end(turn_end_);
    if (!made) {
        failure_ = std::move(made).error();
        co_return;
    }
    if (made->tls == nullptr || made->tls->protocol() == "h2") {
        connections_.push_back(new Http2Connection(*this, std::move(made->socket), std::move(place)));
        co_return;
    }
    if (fallback == Fallback::http1) {
        http1_until_ = net::after(loop_.now(), http1_for);
        http1_link_ = pool_.adopt(std::move(made->socket), made->tls);
        co_return;
    }
    failure_ =
        base::Error::upstream(base::Code::refused, base::Retry::always, "TLS: the upstream does not speak HTTP/2");
}

// ---- those who wait

void Http2Pool::WaitAwaiter::await_suspend(std::coroutine_handle<> waiting) {
    coroutine = waiting;
    attempt = pool.attempts_;
    is_linked = true;
    previous = pool.last_;
    (pool.last_ == nullptr ? pool.first_ : pool.last_->next) = this;
    pool.last_ = this;
    ++pool.waiting_count_;
    timer.set(
        [](void* self) {
            auto& late = *static_cast<WaitAwaiter*>(self);
            late.pool.settle(late, {});
        },
        this);
    timer.arm(pool.loop_.timers(), deadline);
}

void Http2Pool::unlink(WaitAwaiter& waiting) {
    if (!std::exchange(waiting.is_linked, false)) return;
    waiting.timer.cancel();
    (waiting.previous == nullptr ? first_ : waiting.previous->next) = waiting.next;
    (waiting.next == nullptr ? last_ : waiting.next->previous) = waiting.previous;
    waiting.next = waiting.previous = nullptr;
    --waiting_count_;
    // Its turn may have come: then it is the next one's.
    if (first_ != nullptr) changed();
}

void Http2Pool::settle(WaitAwaiter& waiting, Outcome outcome) {
    waiting.outcome = std::move(outcome);
    std::coroutine_handle<> coroutine = waiting.coroutine;
    unlink(waiting);
    coroutine.resume();
}

void Http2Pool::changed() {
    if (first_ != nullptr || http1_link_) loop_.at_turn_end(turn_end_);
}

void Http2Pool::turn_ended(void* self) {
    auto& pool = *static_cast<Http2Pool*>(self);
    pool.serve_waiting();
    // Whoever brought the place of a new one may have left.
    for (Http2Connection* connection : pool.connections_) connection->give_up_unused_place();
}

void Http2Pool::serve_waiting() {
    using Kind = Outcome::Kind;
    if (failure_) {
        base::Error error = *std::exchange(failure_, std::nullopt);
        std::uint64_t attempt = attempts_;
        // Those only who wait now: one that is told may wait again at once.
        for (std::size_t left = waiting_count_; left > 0 && first_ != nullptr && first_->attempt <= attempt; --left)
            settle(*first_, {Kind::failed, nullptr, error});
        return;
    }
    if (first_ == nullptr) {
        if (http1_link_) pool_.give_back(std::move(http1_link_));
        return;
    }
    if (speaks_http1()) {
        std::uint64_t attempt = attempts_;
        for (std::size_t left = waiting_count_; left > 0 && first_ != nullptr && first_->attempt <= attempt; --left)
            settle(*first_, {Kind::http1, std::exchange(http1_link_, nullptr), {}});
        return;
    }
    while (first_ != nullptr) {
        LinkPtr link = take(first_->claim);
        if (!link) break;
        settle(*first_, {Kind::link, std::move(link), {}});
    }
    // Those with claims wait elsewhere for a place, and each must look; of the others, one connects for all.
    for (std::size_t left = waiting_count_; left > 0 && first_ != nullptr; --left) {
        bool has_claim = first_->claim != nullptr;
        if (!(has_claim ? wants_place() : wants_connection())) break;
        settle(*first_, {Kind::try_again, nullptr, {}});
        if (!has_claim) break;
    }
}

// ---- connections

void Http2Pool::remove(Http2Connection& connection) {
    std::erase(connections_, &connection);
    changed();
}

void Http2Pool::close_all() {
    // Retiring closes nothing yet, so the list stays as it is.
    for (Http2Connection* connection : connections_) connection->retire();
}

}  // namespace upstream
