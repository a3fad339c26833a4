// SinkForTests: the other side of senders on the simulated loop: keeps what it gets, and per connection and request
// does what its script says: answers, is silent, breaks in the middle.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "net/simulated/loop.h"

namespace delivery {

class SinkForTests final : public net::AcceptSink {
  public:
    enum class Action : std::uint8_t {
        answer,  // with `status`
        answer_and_close,
        silence,          // reads and says nothing
        reset_at_once,    // when the connection is there
        reset_in_middle,  // after `bytes` of a request
        garbage,          // no HTTP
    };
    struct Step {
        Action action = Action::answer;
        int status = 200;
        net::Milliseconds delay{0};
        std::size_t bytes = 0;
        std::string body = "{}";
    };

    SinkForTests(net::simulated::SimulatedLoop& loop, std::uint16_t port) : loop_(loop) {
        address = {net::IpAddress::loopback_v4(), port};
        listener_ = std::move(*loop.listen(address, {}, *this));
    }
    void accepted(net::SocketPtr socket, const net::SocketAddress&) override {
        auto& connection = *connections_.emplace_back(std::make_unique<Connection>());
        connection.socket = std::move(socket);
        connection.task = serve(connection);
        connection.task.start();
    }
    void accept_failed(net::IoStatus) override {}
    // As a server that goes away: connections break, and new ones are refused.
    void die() {
        for (auto& connection : connections_)
            if (connection->socket) loop_.abort(*connection->socket);
        loop_.refuse(address);
    }
    void live() { loop_.heal(address); }
    void close_all() {
        for (auto& connection : connections_) {
            connection->task = {};
            connection->socket.reset();
        }
    }
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    [[nodiscard]] std::size_t open_connections() const {
        std::size_t open = 0;
        for (const auto& connection : connections_) open += connection->is_open;
        return open;
    }

    net::SocketAddress address;
    bool is_http = true;
    std::deque<Step> steps;  // for the next requests (HTTP) or connections; then...
    Step otherwise;
    std::vector<std::string> heads;   // of requests
    std::vector<std::string> bodies;  // of whole requests, answered or not
    std::string bytes;                // of all connections, without HTTP

  private:
    struct Connection {
        net::SocketPtr socket;
        base::Task<void> task;
        bool is_open = true;
    };
    Step next() {
        if (steps.empty()) return otherwise;
        Step step = steps.front();
        steps.pop_front();
        return step;
    }
    base::Task<void> serve(Connection& connection) {
        net::Socket& socket = *connection.socket;
        if (is_http)
            co_await serve_http(socket);
        else
            co_await read_all(socket, next());
        connection.is_open = false;
    }
    base::Task<void> read_all(net::Socket& socket, Step step) {
        std::size_t got = 0;
        if (step.action == Action::reset_at_once) co_return loop_.abort(socket);
        while (true) {
            if (step.delay.count() > 0) co_await net::sleep_until(loop_, net::after(loop_.now(), step.delay));
            net::Received received = co_await socket.receive(net::never);
            if (received.status != net::IoStatus::ok) co_return;
            got += received.slice.size();
            bytes += received.slice.text();
            if (step.action == Action::reset_in_middle && got >= step.bytes) co_return loop_.abort(socket);
        }
    }
    base::Task<void> serve_http(net::Socket& socket) {
        std::string pending;
        while (true) {
            Step step = next();
            if (step.action == Action::reset_at_once) co_return loop_.abort(socket);
            std::size_t end = std::string::npos;
            std::size_t size = 0;
            while (end == std::string::npos || pending.size() < end + 4 + size) {
                net::Received received = co_await socket.receive(net::never);
                if (received.status != net::IoStatus::ok) {
                    if (!pending.empty() || steps.empty()) co_return;
                    co_return steps.push_front(step);  // nobody asked
                }
                pending += received.slice.text();
                if (step.action == Action::reset_in_middle && pending.size() >= step.bytes)
                    co_return loop_.abort(socket);
                end = pending.find("\r\n\r\n");
                std::size_t length = pending.find("Content-Length: ");
                if (end != std::string::npos && length != std::string::npos)
                    size = std::stoul(pending.substr(length + 16));
            }
            heads.push_back(pending.substr(0, end));
            bodies.push_back(pending.substr(end + 4, size));
            pending.erase(0, end + 4 + size);
            if (step.action == Action::silence) continue;
            if (step.delay.count() > 0) co_await net::sleep_until(loop_, net::after(loop_.now(), step.delay));
            std::string answer = "HTTP/1.1 " + std::to_string(step.status) +
                                 " X\r\nContent-Length: " + std::to_string(step.body.size()) + "\r\n" +
                                 (step.action == Action::answer_and_close ? "Connection: close\r\n" : "") + "\r\n" +
                                 step.body;
            if (step.action == Action::garbage) answer = "220 smtp.example ESMTP\r\n\r\n";
            net::Draft draft(loop_.buffers().at_least(answer.size()));
            draft.append(answer);
            if (co_await socket.send(std::move(draft).finish(), net::never) != net::IoStatus::ok) co_return;
            if (step.action == Action::answer_and_close) {
                socket.shutdown_write();
                co_return;
            }
        }
    }

    net::simulated::SimulatedLoop& loop_;
    std::unique_ptr<net::Listener> listener_;
    std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace delivery
