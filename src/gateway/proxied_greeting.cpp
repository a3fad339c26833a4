#include "gateway/proxied_greeting.h"

#include <utility>

#include "gateway/client_address.h"
#include "gateway/connection.h"
#include "gateway/greeting.h"
#include "gateway/turn_away.h"
#include "observe/log.h"

namespace gateway {

namespace {

constexpr std::string_view refusal =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 42\r\n"
    "Connection: close\r\n\r\nThis port is for proxies (PROXY protocol)\n";

}  // namespace

void ProxiedGreeting::begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                            std::optional<net::tls::Offer> tls) {
    auto* self = new ProxiedGreeting(core, std::move(socket), local, serve, tls);
    self->insert_before(core.asleep_);
    if (!is_trusted(self->socket_->remote().ip, core.settings)) return self->refuse("it is not one of trusted_ips");
    self->wait();
}

// One deadline for all: a proxy that sends a byte now and then gains nothing.
ProxiedGreeting::ProxiedGreeting(Core& core, net::SocketPtr socket, const net::SocketAddress& local,
                                 ServeFunction serve, std::optional<net::tls::Offer> tls)
    : core_(core),
      socket_(std::move(socket)),
      local_(local),
      serve_(serve),
      tls_(tls),
      deadline_(core.sleep_until(net::after(core.loop.now(), core.settings.limits.header_timeout))) {}

ProxiedGreeting::~ProxiedGreeting() {
    unlink();
    if (is_counted_) core_.process.leave(socket_->client().ip);
}

void ProxiedGreeting::close() { delete this; }

void ProxiedGreeting::wait() {
    socket_->on_input({[](void* self) { static_cast<ProxiedGreeting*>(self)->look(); }, this}, deadline_);
}

void ProxiedGreeting::look() {
    if (!socket_->has_input()) return close();  // gone, or silent for too long
    while (socket_->has_input()) {
        net::Slice slice = socket_->take_input().slice;
        std::size_t before = head_.size();
        head_.append(slice.data(), std::min(slice.size(), net::ProxyHeader::most_bytes));
        net::ProxyHeader header = net::read_proxy_header(head_);
        if (header.state == net::ProxyHeader::State::malformed) return refuse("its first bytes are no such header");
        if (header.state == net::ProxyHeader::State::more) continue;
        slice.remove_prefix(header.size - before);
        socket_->unread(std::move(slice));
        return take(header);
    }
    wait();
}

// nginx, and so Kong: whose connection it is counts where real_ip_header says so; else the header is only read.
void ProxiedGreeting::take(const net::ProxyHeader& header) {
    if (header.addresses && core_.settings.has_proxied_clients()) {
        core_.process.leave(socket_->client().ip);
        socket_->set_client(header.addresses->source);
        if (!core_.process.enter(socket_->client().ip)) {
            is_counted_ = false;
            core_.metrics.add(observe::Counter::connections_refused_limit);
            return close();
        }
    }
    hand_over();
}

void ProxiedGreeting::hand_over() {
    is_counted_ = false;
    Core& core = core_;
    net::SocketPtr socket = std::move(socket_);
    net::SocketAddress local = local_;
    ServeFunction serve = serve_;
    std::optional<net::tls::Offer> tls = tls_;
    close();
    if (tls)
        Greeting::begin(core, std::move(socket), local, serve, *tls);
    else
        Connection::begin(core, std::move(socket), local, serve, Entrance::clients);
}

void ProxiedGreeting::refuse(std::string_view why) {
    static thread_local observe::Throttle throttle;
    if (auto held_back = throttle.pass(std::chrono::milliseconds(core_.loop.now())))
        observe::log(observe::Level::warn, "client", "connection refused: no PROXY protocol from it",
                     {{"client", socket_->remote().text()}, {"reason", why}, {"not_shown", *held_back}});
    if (!tls_) {
        is_counted_ = false;
        core_.process.leave(socket_->client().ip);
        turn_away(std::move(socket_), refusal);
    }
    close();
}

}  // namespace gateway
