#include "gateway/greeting.h"

#include <algorithm>
#include <utility>

#include "gateway/connection.h"
#include "gateway/http2_connection.h"
#include "observe/log.h"

namespace gateway {

namespace {

using observe::Counter;

constexpr char handshake_record = 0x16;  // RFC 8446 5.1
constexpr net::Milliseconds refusal_time{1'000};
constexpr int most_refusing = 16;  // clients that are told at one time, a core; others are just closed
constexpr net::Milliseconds longest_handshake{10'000};
constexpr net::Milliseconds fair_share{1'000};  // of a handshake; after it, its place may go to another

// nginx's and Kong's words to whoever speaks HTTP to this port.
constexpr std::string_view plain_refusal =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 46\r\n"
    "Connection: close\r\n\r\nThe plain HTTP request was sent to HTTPS port\n";

// What the client goes on sending is read for a moment: closing with unread input would take the answer back. It counts
// as a connection until then.
base::Detached refuse(net::SocketPtr socket, Process& process) {
    static thread_local int refusing = 0;
    net::IpAddress client = socket->client().ip;
    if (refusing < most_refusing) {
        ++refusing;
        net::Instant deadline = net::after(socket->loop().now(), refusal_time);
        net::IoStatus status = co_await socket->send(net::Slice::constant(plain_refusal), deadline);
        if (status == net::IoStatus::ok) socket->shutdown_write();
        for (int i = 0; i < 16 && status == net::IoStatus::ok; ++i) {
            net::Received received = co_await socket->receive(deadline);
            status = received.status;
        }
        --refusing;
    }
    socket.reset();
    process.leave(client);
}

}  // namespace

void Greeting::begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                     net::tls::Offer offer) {
    auto* self = new Greeting(core, std::move(socket), local, serve, offer);
    self->insert_before(core.greeting_);
    self->socket_->on_input({[](void* woken) { static_cast<Greeting*>(woken)->look_at_first_byte(); }, self},
                            core.sleep_until(net::after(core.loop.now(), core.settings.limits.header_timeout)));
}

Greeting::Greeting(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                   net::tls::Offer offer)
    : core_(core), socket_(std::move(socket)), local_(local), serve_(serve), offer_(offer) {}

Greeting::~Greeting() {
    unlink();
    if (is_greeting_) --core_.handshakes_;
    if (is_counted_) core_.process.leave(socket_->client().ip);
}

void Greeting::close() { delete this; }

void Greeting::look_at_first_byte() {
    if (!socket_->has_input()) return close();  // gone, or silent for too long
    net::Slice first = socket_->take_input().slice;
    char byte = *first.data();
    socket_->unread(std::move(first));
    if (byte == handshake_record) return begin_handshake();
    if (byte >= 'A' && byte <= 'Z') return refuse_plain_http();
    fail("no TLS");
}

void Greeting::begin_handshake() {
    certificates_ = core_.snapshot()->shared().certificates;
    // What is over the bound is refused while that is cheap. But no client keeps the others out by dawdling: who has
    // had its share of time makes room.
    if (core_.handshakes_ >= core_.settings.limits.handshakes && !core_.handshaking_.is_alone()) {
        auto& oldest = *static_cast<Greeting*>(core_.handshaking_.next);
        if (net::after(oldest.began_, fair_share) <= core_.loop.now()) oldest.fail("too slow, and others wait");
    }
    if (core_.handshakes_ >= core_.settings.limits.handshakes || !certificates_) {
        core_.metrics.add(Counter::tls_handshakes_refused);
        return close();
    }
    is_greeting_ = true;
    ++core_.handshakes_;
    began_ = core_.loop.now();
    unlink();
    insert_before(core_.handshaking_);
    net::tls::Secured secured = net::tls::Layer::secure(std::move(socket_), certificates_->session(offer_));
    socket_ = std::move(secured.socket);
    layer_ = secured.layer;
    look_at_handshake();
}

void Greeting::look_at_handshake() {
    if (layer_->is_greeted()) return hand_over();
    if (layer_->has_failed()) return fail(layer_->failure().empty() ? "gone" : std::string_view(layer_->failure()));
    if (is_timed_) return fail("too slow");
    is_timed_ = true;
    layer_->interrupt_when_greeted();
    // One deadline for all: a client that sends a byte now and then gains nothing.
    socket_->on_input({[](void* woken) { static_cast<Greeting*>(woken)->look_at_handshake(); }, this},
                      net::after(core_.loop.now(), std::min(longest_handshake, core_.settings.limits.header_timeout)));
}

void Greeting::hand_over() {
    core_.metrics.add(Counter::tls_handshakes);
    if (layer_->is_resumed()) core_.metrics.add(Counter::tls_resumptions);
    is_counted_ = false;
    Core& core = core_;
    net::SocketPtr socket = std::move(socket_);
    net::tls::Layer* layer = layer_;
    net::SocketAddress local = local_;
    ServeFunction serve = serve_;
    close();
    if (layer->protocol() == "h2") {
        core.metrics.add(Counter::connections_accepted);
        core.metrics.raise(observe::Gauge::connections_active);
        Http2Connection::begin(core, std::move(socket), local, serve, core.next_connection_number(), layer);
        return;
    }
    Connection::begin(core, std::move(socket), local, serve, Entrance::clients, layer);
}

void Greeting::refuse_plain_http() {
    core_.metrics.add(Counter::tls_plain_http);
    is_counted_ = false;
    Process& process = core_.process;
    net::SocketPtr socket = std::move(socket_);
    close();
    refuse(std::move(socket), process);
}

void Greeting::fail(std::string_view why) {
    core_.metrics.add(Counter::tls_handshake_failures);
    observe::log(observe::Level::info, "client", "TLS handshake failed",
                 {{"client", socket_->client().text()}, {"reason", why}});
    close();
}

}  // namespace gateway
