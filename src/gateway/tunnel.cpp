#include "gateway/tunnel.h"

namespace gateway {

namespace {

struct Tunnel {
    explicit Tunnel(Transaction& transaction)
        : core(transaction.core),
          client(transaction.client_socket),
          upstream(*transaction.link->socket),
          last_moved(core.loop.now()),
          idle(transaction.served_service().read_timeout) {
        core.metrics.add(observe::Counter::tunnels);
        core.metrics.raise(observe::Gauge::tunnels_active);
    }
    Tunnel(const Tunnel&) = delete;
    ~Tunnel() { core.metrics.lower(observe::Gauge::tunnels_active); }

    Core& core;
    net::Socket& client;
    net::Socket& upstream;
    net::Instant last_moved;  // in either direction
    net::Milliseconds idle;
    bool is_broken = false;
};

// Until `from` has ended, and `to` is told, or the tunnel is broken.
base::Task<void> carry(Tunnel& tunnel, net::Socket& from, net::Socket& to, std::uint64_t& total) {
    net::Loop& loop = tunnel.core.loop;
    net::Assembler out(loop.buffers());
    while (!tunnel.is_broken) {
        net::Received received = co_await from.receive(net::after(tunnel.last_moved, tunnel.idle));
        if (received.status == net::IoStatus::ended) {
            to.shutdown_write();
            co_return;
        }
        // Interrupted, or the other direction has moved meanwhile.
        if (received.status == net::IoStatus::timed_out && net::after(tunnel.last_moved, tunnel.idle) > loop.now())
            continue;
        if (received.status != net::IoStatus::ok) break;
        out.add(std::move(received.slice));
        while (from.has_input() && !out.is_full()) out.add(from.take_input().slice);
        tunnel.last_moved = loop.now();
        total += out.bytes();
        if (co_await to.send(out.finish(), net::after(loop.now(), tunnel.idle)) != net::IoStatus::ok) break;
        tunnel.last_moved = loop.now();
    }
    tunnel.is_broken = true;
}

Companion carry_upwards(Tunnel& tunnel, std::uint64_t& total) {
    base::Task<void> carrying = carry(tunnel, tunnel.client, tunnel.upstream, total);
    co_await std::move(carrying);
}

}  // namespace

base::Task<void> tunnel(Transaction& transaction) {
    Tunnel tunnel(transaction);
    Companion upwards = carry_upwards(tunnel, transaction.request_body_bytes);
    upwards.start(tunnel.upstream);  // its end wakes the other direction, which looks whether the tunnel is broken
    base::Task<void> downwards = carry(tunnel, tunnel.upstream, tunnel.client, transaction.response_body_bytes);
    co_await std::move(downwards);
    if (!tunnel.is_broken) co_await upwards.finished();
}

}  // namespace gateway
