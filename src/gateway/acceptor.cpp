#include "gateway/acceptor.h"

#include <utility>

#include "gateway/connection.h"
#include "gateway/greeting.h"
#include "gateway/proxied_greeting.h"
#include "gateway/turn_away.h"
#include "observe/log.h"

namespace gateway {

namespace {

using observe::Counter;

constexpr std::string_view refusal =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\nRetry-After: "
    "1\r\n"
    "Connection: close\r\n\r\nToo many connections\n";

}  // namespace

void Acceptor::accepted(net::SocketPtr socket, const net::SocketAddress& local) {
    // The operator's doors stay open when the clients' is full.
    bool may_enter = entrance_ != Entrance::clients || core_.process.enter(socket->remote().ip);
    if (may_enter && front_ == Front::proxies)
        return ProxiedGreeting::begin(core_, std::move(socket), local, serve_, tls_);
    if (may_enter && tls_) return Greeting::begin(core_, std::move(socket), local, serve_, *tls_);
    if (may_enter) return Connection::begin(core_, std::move(socket), local, serve_, entrance_);
    core_.metrics.add(Counter::connections_refused_limit);
    static thread_local observe::Throttle throttle;
    if (auto held_back = throttle.pass(std::chrono::milliseconds(core_.loop.now())))
        observe::log(observe::Level::warn, "client", "connection refused: limit reached",
                     {{"client", socket->remote().text()},
                      {"connections", core_.process.connections()},
                      {"not_shown", *held_back}});
    if (!tls_ && front_ == Front::clients)
        turn_away(std::move(socket), refusal);  // else just closed: an answer would cost a handshake
}

void Acceptor::accept_failed(net::IoStatus status) {
    core_.metrics.add(Counter::connections_refused_descriptors);
    static thread_local observe::Throttle throttle;
    if (auto held_back = throttle.pass(std::chrono::milliseconds(core_.loop.now())))
        observe::log(
            observe::Level::error, "net", "cannot accept: raise the limit of open files (LimitNOFILE, ulimit -n)",
            {{"reason", name(status)}, {"connections", core_.process.connections()}, {"not_shown", *held_back}});
}

}  // namespace gateway
