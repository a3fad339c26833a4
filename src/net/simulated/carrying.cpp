// The way of bytes and ends through simulated connections: send into a pipe, steps of its contents, receive, resets.
#include <algorithm>

#include "net/simulated/loop.h"

namespace net::simulated {

namespace {
constexpr Delay soon{};

std::size_t output_size(Socket::Output& output) {
    std::size_t size = 0;
    for (const Slice& piece : output.pieces) size += piece.size();
    return size;
}
}  // namespace

// ---- sending

void SimulatedLoop::start_send(Socket& socket) {
    Endpoint& end = connection_of(socket).ends[socket.flags];
    if (output_size(socket.output()) <= end.out.room() && happens(weather_random_, weather_.immediate))
        return send_some(socket, std::string::npos);
    schedule_completion(Step::send, socket, weather_.completion);
}

// `most` 0: any part of it.
void SimulatedLoop::send_some(Socket& socket, std::size_t most) {
    if (!socket.is_sending()) return;
    Connection& connection = connection_of(socket);
    int side = socket.flags;
    Endpoint& end = connection.ends[side];
    if (end.is_broken || end.out.is_finished()) return socket.send_failed(IoStatus::reset);
    std::size_t room = std::min(end.out.room(), output_size(socket.output()));
    if (room == 0) {
        end.waits_for_room = true;
        return;
    }
    std::size_t size =
        append_output(socket, end.out, most == 0 ? any_size(weather_random_, 1, room) : std::min(most, room));
    keep_moving(connection, side);
    socket.sent_bytes(size);
}

std::size_t SimulatedLoop::append_output(Socket& socket, Pipe& pipe, std::size_t most) {
    std::size_t size = 0;
    for (const Slice& piece : socket.output().pieces) {
        if (size == most) break;
        std::string_view part = piece.text().substr(0, most - size);
        pipe.append(part);
        size += part.size();
    }
    most_queued_ = std::max(most_queued_, pipe.most_ever());
    note(Step::send, socket.index, socket.flags, size);
    return size;
}

void SimulatedLoop::make_room(Connection& connection, int side) {
    Endpoint& end = connection.ends[side];
    if (end.socket == nullptr || !std::exchange(end.waits_for_room, false)) return;
    schedule_completion(Step::send, *end.socket, weather_.completion);
}

void SimulatedLoop::shutdown_write(Socket& socket) {
    Connection& connection = connection_of(socket);
    int side = socket.flags;
    Endpoint& end = connection.ends[side];
    if (end.is_broken) return;
    end.out.finish();
    make_room(connection, side);
    keep_moving(connection, side);
}

// ---- on the way

void SimulatedLoop::keep_moving(Connection& connection, int side) {
    Pipe& pipe = connection.ends[side].out;
    if (!pipe.has_news() || pipe.is_moving || black_.contains(connection.target)) return;
    pipe.is_moving = true;
    schedule(Step::move, connection, side, pipe.under_way() > 0 ? weather_.delivery : weather_.end);
}

void SimulatedLoop::move(Connection& connection, int side) {
    Pipe& pipe = connection.ends[side].out;
    pipe.is_moving = false;
    int to = 1 - side;
    if (connection.ends[to].is_broken) pipe.clear();
    if (black_.contains(connection.target) || !pipe.has_news()) return;
    if (pipe.under_way() == 0) {
        if (pipe.arrive_end() == Pipe::End::reset) break_end(connection, to);
    } else {
        pipe.arrive(step_of(weather_random_, weather_, pipe.under_way()));
        if (connection.ends[to].is_closed) send_reset(connection, to);  // nobody is there to read it
        if (connection.steps_to_reset != Connection::no_reset && --connection.steps_to_reset == 0) cut(connection);
    }
    keep_moving(connection, side);
    make_readable(connection, to);
}

// ---- receiving

void SimulatedLoop::start_receive(Socket& socket) { make_readable(connection_of(socket), socket.flags); }

void SimulatedLoop::make_readable(Connection& connection, int side) {
    Endpoint& end = connection.ends[side];
    const Pipe& in = connection.ends[1 - side].out;
    if (end.socket == nullptr || !end.socket->wants_input || end.is_read_due) return;
    if (in.arrived() == 0 && !in.fin_arrived() && !end.is_broken) return;
    end.is_read_due = true;
    schedule(Step::read, connection, side, soon);
}

void SimulatedLoop::read(Connection& connection, int side) {
    Endpoint& end = connection.ends[side];
    end.is_read_due = false;
    if (end.socket == nullptr || !end.socket->wants_input) return;
    Socket& socket = *end.socket;
    Pipe& in = connection.ends[1 - side].out;
    if (in.arrived() == 0) {
        if (in.fin_arrived()) return socket.receive_ended(IoStatus::ended);  // as Linux: also if a reset came behind it
        if (end.is_broken) return socket.receive_ended(IoStatus::reset);
        return;
    }
    std::size_t size = std::min<std::size_t>(in.arrived(), BufferPool::large_size);
    Block* block = buffers_.at_least(size);
    in.take(block->data(), size);
    note(Step::read, connection.id, side, size);
    make_room(connection, 1 - side);
    make_readable(connection, side);
    socket.received(Slice(block, block->data(), size));
}

// ---- resets

void SimulatedLoop::abort(Socket& socket) {
    Connection& connection = connection_of(socket);
    send_reset(connection, socket.flags);
    make_readable(connection, socket.flags);
}

// From `side`, which is broken by it at once, to the other one.
void SimulatedLoop::send_reset(Connection& connection, int side) {
    Endpoint& end = connection.ends[side];
    if (end.is_broken) return;
    ++resets_;
    end.is_broken = true;
    connection.ends[1 - side].out.clear();
    std::size_t under_way = end.out.under_way();
    end.out.reset(under_way == 0 ? 0 : weather_random_.below(static_cast<std::uint32_t>(under_way) + 1));
    make_room(connection, side);
    keep_moving(connection, side);
}

// A reset has arrived at `side`.
void SimulatedLoop::break_end(Connection& connection, int side) {
    Endpoint& end = connection.ends[side];
    if (end.is_broken) return;
    end.is_broken = true;
    if (!end.out.is_reset()) end.out.clear();
    make_room(connection, side);
}

// By the network: each side hears of it behind what still reaches it.
void SimulatedLoop::cut(Connection& connection) {
    ++resets_;
    for (int side : {0, 1}) {
        Pipe& pipe = connection.ends[side].out;
        if (connection.ends[side].is_broken) continue;
        std::size_t under_way = pipe.under_way();
        pipe.reset(under_way == 0 ? 0 : weather_random_.below(static_cast<std::uint32_t>(under_way) + 1));
        keep_moving(connection, side);
    }
}

}  // namespace net::simulated
