// Opening and closing of simulated connections: dialling, the listener's queue, refusals, orderly and hard closes.
#include <algorithm>

#include "net/simulated/loop.h"

namespace net::simulated {

namespace {
constexpr std::uint16_t first_port = 20'000;
constexpr Milliseconds dial_patience{127'000};  // Linux: six SYNs unanswered
constexpr Delay dial_again{1'000, 0, 0};        // the queue is full: the SYN is dropped, and sent again

IpAddress any_address(bool is_v4) { return is_v4 ? IpAddress::v4(0) : IpAddress(); }
IpAddress loopback(bool is_v4) {
    if (is_v4) return IpAddress::loopback_v4();
    std::array<std::uint8_t, 16> bytes{};
    bytes[15] = 1;
    return IpAddress::v6(bytes);
}
}  // namespace

// ---- listening

base::Result<std::unique_ptr<Listener>> SimulatedLoop::listen(const SocketAddress& address,
                                                              const ListenOptions& options, AcceptSink& sink) {
    SocketAddress bound = address;
    if (bound.port == 0) bound.port = free_port();
    for (SimulatedListener* other : listeners_)
        if (other->address() == bound && !(other->shares_port && options.reuse_port))
            return base::Error::us(base::Code::invalid, "cannot listen on " + bound.text() + ": address in use");
    auto listener = std::make_unique<SimulatedListener>(*this, ++last_listener_, bound, options, sink);
    listeners_.push_back(listener.get());
    return std::unique_ptr<Listener>(std::move(listener));
}

std::uint16_t SimulatedLoop::free_port() {
    do last_port_ = std::max<std::uint16_t>(last_port_ + 1, first_port);
    while (std::ranges::any_of(listeners_, [&](auto* each) { return each->address().port == last_port_; }));
    return last_port_;
}

// Who listens there, or on its port at all addresses; where several share it, any of them.
SimulatedListener* SimulatedLoop::listener_of(const SocketAddress& address) {
    std::vector<SimulatedListener*> fit;
    for (const SocketAddress& wanted : {address, SocketAddress{any_address(address.ip.is_v4()), address.port}}) {
        for (SimulatedListener* listener : listeners_)
            if (listener->address() == wanted) fit.push_back(listener);
        if (!fit.empty()) return fit[weather_random_.below(static_cast<std::uint32_t>(fit.size()))];
    }
    return nullptr;
}

void SimulatedLoop::forget(SimulatedListener& listener) {
    std::erase(listeners_, &listener);
    // As Linux does: what waits to be accepted is reset.
    for (auto next = connections_.begin(); next != connections_.end();) {
        Connection& connection = next++->second;
        if (connection.listener != listener.id || connection.ends[1].socket != nullptr || connection.ends[1].is_closed)
            continue;
        send_reset(connection, 1);
        let_go(connection, 1);
    }
}

// ---- connecting

ConnectAwaiter SimulatedLoop::connect_from(const IpAddress& source, const SocketAddress& address, Instant deadline) {
    source_ = source;
    return {*this, address, deadline};
}

Socket* SimulatedLoop::start_connect(const SocketAddress& address, IoStatus& status) {
    IpAddress source = std::exchange(source_, {}).value_or(loopback(address.ip.is_v4()));
    if (happens(weather_random_, weather_.no_descriptors)) {
        status = IoStatus::no_descriptors;
        return nullptr;
    }
    Connection& connection = connections_[++last_connection_];
    connection.id = last_connection_;
    connection.target = address;
    connection.client = {source, free_port()};
    for (Endpoint& end : connection.ends)
        end.out.open(any_size(weather_random_, weather_.least_capacity, weather_.most_capacity));
    if (happens(weather_random_, weather_.reset))
        connection.steps_to_reset = any_size(weather_random_, 1, weather_.reset_within);

    auto* socket = new Socket(*this, *this, -1, address);
    socket->index = connection.id;
    connection.ends[0].socket = socket;
    connection.give_up.set(
        [](void* self) {
            auto& tired = *static_cast<Connection*>(self);
            tired.is_answered = true;
            tired.ends[0].socket->connected(IoStatus::timed_out);
        },
        &connection);
    connection.give_up.arm(timers_, after(now_, dial_patience));
    connection.is_lost = happens(weather_random_, weather_.vanished);
    if (!connection.is_lost) schedule(Step::dial, connection, 0, weather_.connect);
    return socket;
}

void SimulatedLoop::dial(Connection& connection) {
    connection.is_lost = black_.contains(connection.target);
    if (connection.is_lost || connection.is_answered) return;
    SimulatedListener* listener = listener_of(connection.target);
    if (listener == nullptr || refusing_.contains(connection.target) || happens(weather_random_, weather_.refused))
        return schedule(Step::refuse, connection, 0, weather_.connect);
    if (listener->waiting >= listener->backlog) return schedule(Step::dial, connection, 0, dial_again);
    ++listener->waiting;
    connection.listener = listener->id;
    schedule(Step::accept, connection, 1, weather_.accept);
    schedule(Step::establish, connection, 0, weather_.connect);
}

void SimulatedLoop::answer(Connection& connection, IoStatus status) {
    if (connection.is_answered || connection.ends[0].socket == nullptr) return;
    connection.is_answered = true;
    connection.give_up.cancel();
    connection.ends[0].socket->connected(status);
}

void SimulatedLoop::accept(Connection& connection) {
    Endpoint& end = connection.ends[1];
    if (end.is_closed) return;
    auto listener =
        std::ranges::find_if(listeners_, [&](SimulatedListener* each) { return each->id == connection.listener; });
    ensure(listener != listeners_.end(), connection.listener);
    --(*listener)->waiting;
    AcceptSink& sink = *(*listener)->sink;
    if (happens(weather_random_, weather_.no_descriptors)) {
        send_reset(connection, 1);
        let_go(connection, 1);
        if (!std::exchange(accept_has_failed_, true)) sink.accept_failed(IoStatus::no_descriptors);
        return;
    }
    end.socket = new Socket(*this, *this, -1, connection.client);
    end.socket->index = connection.id;
    end.socket->flags = 1;
    sink.accepted(SocketPtr(end.socket), (*listener)->address());
}

// ---- closing

void SimulatedLoop::close(Socket& socket) {
    Connection& connection = connection_of(socket);
    int side = socket.flags;
    Endpoint& end = connection.ends[side];
    // A send that was on its way to the kernel may have got there in part.
    bool can_take = !end.is_broken && !end.out.is_finished() && end.out.room() > 0;
    if (socket.is_sending() && socket.in_flight > 0 && can_take && happens(weather_random_, weather_.partial))
        append_output(socket, end.out, any_size(weather_random_, 1, end.out.room()));
    end.socket = nullptr;
    schedule_completion(Step::close, socket, weather_.completion);
    if (connection.listener == 0) {
        connections_.erase(socket.index);
        return;
    }
    if (side == 0) connection.give_up.cancel();
    if (connection.ends[1 - side].out.arrived() > 0)
        send_reset(connection, side);  // RFC 9293 3.6.1 (SHLD-3), and Linux does it
    else if (!end.is_broken)
        end.out.finish();
    keep_moving(connection, side);
    let_go(connection, side);
}

void SimulatedLoop::let_go(Connection& connection, int side) {
    connection.ends[side].is_closed = true;
    std::uint32_t id = connection.id;
    if (connection.ends[1 - side].is_closed) connections_.erase(id);
}

}  // namespace net::simulated
