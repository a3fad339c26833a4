#include "net/simulated/loop.h"

#include <fmt/format.h>

#include <algorithm>

namespace net::simulated {

namespace {
constexpr std::int64_t epoch = 1'767'225'600'000;  // 2026-01-01 00:00 UTC: what wall_now() begins with
// Whatever a program does takes time in the end: one that goes round without waiting cannot hold the clock.
constexpr int most_turns_in_one_instant = 64;
constexpr double partial_turn = 0.2;  // chance of delivering only some of what is due
constexpr int partial_events = 4;
constexpr double timers_first = 0.5;

Instant start_of(std::uint64_t seed) { return 1 + static_cast<Instant>(base::mixed(seed) >> 33); }
}  // namespace

SimulatedLoop::SimulatedLoop(std::uint64_t seed, Weather weather)
    : Loop(start_of(seed)), weather_random_(seed), random_(base::mixed(~seed)), weather_(weather), start_(now_) {}

SimulatedLoop::~SimulatedLoop() {
    for (SimulatedListener* listener : listeners_) listener->loop = nullptr;
    for (const Event& event : schedule_.all())
        if (event.socket != nullptr) landed(*event.socket);
}

// ---- time

void SimulatedLoop::turn(bool wait) {
    bool has_work = has_posted();
    run_posted();
    run_turn_ends();
    has_work = has_work || has_posted() || has_turn_ends() || stopped_ || schedule_.next() <= now_;
    Instant next = std::min(schedule_.next(), timers_.next());
    if (++turns_in_this_instant_ > most_turns_in_one_instant)
        next = now_ + 1;
    else if (has_work)
        next = now_;
    else if (!wait)
        next = std::min(next, now_ + 1);
    if (next == never) return;
    if (next > now_) {
        now_ = next;
        turns_in_this_instant_ = 0;
    }
    accept_has_failed_ = false;
    if (happens(weather_random_, timers_first)) timers_.advance(now_);
    deliver_some();
    timers_.advance(now_);
}

void SimulatedLoop::deliver_some() {
    std::uint64_t new_ones = schedule_.added();  // are for later turns
    int most = std::numeric_limits<int>::max();
    if (happens(weather_random_, partial_turn)) most = 1 + static_cast<int>(weather_random_.below(partial_events));
    for (; most > 0 && schedule_.next() <= now_ && schedule_.first().sequence < new_ones; --most)
        deliver(schedule_.take());
}

void SimulatedLoop::deliver(const Event& event) {
    ++events_;
    note(event.step, event.connection, event.side, 0);
    if (event.step == Step::send && !event.socket->is_closing) {
        Socket& socket = *event.socket;
        --socket.in_flight;
        return send_some(socket, happens(weather_random_, weather_.partial) ? 0 : std::string::npos);
    }
    if (event.socket != nullptr) return landed(*event.socket);
    auto found = connections_.find(event.connection);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    switch (event.step) {
        case Step::dial:
            return dial(connection);
        case Step::refuse:
            return answer(connection, IoStatus::refused);
        case Step::establish:
            return answer(connection, IoStatus::ok);
        case Step::accept:
            return accept(connection);
        case Step::move:
            return move(connection, event.side);
        case Step::read:
            return read(connection, event.side);
        case Step::send:
        case Step::close:
            return;
    }
}

void SimulatedLoop::note(Step step, std::uint32_t connection, int side, std::size_t size) {
    std::uint64_t what = static_cast<std::uint64_t>(step) << 40 | static_cast<std::uint64_t>(side) << 32 | connection;
    for (std::uint64_t word : {static_cast<std::uint64_t>(now_ - start_), what, std::uint64_t{size}})
        trace_ = base::mixed(trace_ ^ word) + 1;
    if (printed_to_ == nullptr) return;
    std::string line = fmt::format("{:>10} ms  #{}.{} {}", now_ - start_, connection, side, name(step));
    if (size > 0) line += fmt::format(" {} bytes", size);
    std::fprintf(printed_to_, "%s\n", line.c_str());
}

std::int64_t SimulatedLoop::wall_now() const { return epoch + (now_ - start_); }

bool SimulatedLoop::is_quiet() const {
    if (has_posted()) return false;
    return std::ranges::none_of(schedule_.all(), [&](const Event& event) {
        return event.socket != nullptr || connections_.contains(event.connection);
    });
}

void SimulatedLoop::schedule(Step step, const Connection& connection, int side, const Delay& delay) {
    Event event;
    event.at = now_ + drawn(weather_random_, delay);
    event.step = step;
    event.side = static_cast<std::uint8_t>(side);
    event.connection = connection.id;
    schedule_.add(event, weather_random_);
}

void SimulatedLoop::schedule_completion(Step step, Socket& socket, const Delay& delay) {
    ++socket.in_flight;
    Event event;
    event.at = now_ + drawn(weather_random_, delay);
    event.step = step;
    event.side = socket.flags;
    event.connection = socket.index;
    event.socket = &socket;
    schedule_.add(event, weather_random_);
}

void SimulatedLoop::landed(Socket& socket) {
    if (--socket.in_flight == 0 && socket.is_closing) release(socket);
}

// ---- faults

void SimulatedLoop::heal(const SocketAddress& address) {
    refusing_.erase(address);
    black_.erase(address);
    for (auto& [id, connection] : connections_) {
        if (connection.target != address) continue;
        if (std::exchange(connection.is_lost, false)) schedule(Step::dial, connection, 0, weather_.connect);
        for (int side : {0, 1}) keep_moving(connection, side);
    }
}

void SimulatedLoop::reset_all(const SocketAddress& address) {
    for (auto& [id, connection] : connections_)
        if (connection.target == address && connection.listener != 0) cut(connection);
}

SimulatedLoop::Statistics SimulatedLoop::statistics() const {
    Statistics out;
    for (const auto& [id, connection] : connections_)
        for (const Endpoint& end : connection.ends) out.queued += end.out.size();
    out.most_queued = most_queued_;
    out.connections = connections_.size();
    out.sockets = open_sockets();
    out.events = events_;
    out.resets = resets_;
    return out;
}

}  // namespace net::simulated
