#include "gateway/tunnel.h"

namespace gateway {

namespace {

struct Ways {
    net::Instant last_moved;  // in either direction
    net::Milliseconds idle;
    bool is_broken = false;
};

base::Task<std::uint64_t> carry(net::Socket& from, net::Socket& to, Ways& ways) {
    net::Loop& loop = from.loop();
    std::uint64_t total = 0;
    Assembler out(loop.buffers());
    while (!ways.is_broken) {
        net::Received received = co_await from.receive(net::after(ways.last_moved, ways.idle));
        if (received.status == net::IoStatus::ended) {
            to.shutdown_write();
            co_return total;
        }
        if (received.status == net::IoStatus::timed_out && net::after(ways.last_moved, ways.idle) > loop.now())
            continue;
        if (received.status != net::IoStatus::ok) break;
        out.add(std::move(received.slice));
        while (from.has_input() && !out.is_full()) out.add(from.take_input().slice);
        ways.last_moved = loop.now();
        total += out.bytes();
        if (co_await to.send(out.finish(), net::after(loop.now(), ways.idle)) != net::IoStatus::ok) break;
        ways.last_moved = loop.now();
    }
    ways.is_broken = true;
    to.interrupt();  // who reads there carries the other way
    co_return total;
}

}  // namespace

base::Task<void> tunnel(Transaction& transaction) {
    Core& core = transaction.core;
    net::Socket& client = transaction.client_socket;
    net::Socket& upstream = *transaction.link->socket;
    core.metrics.add(observe::Counter::tunnels);
    core.metrics.raise(observe::Gauge::tunnels_active);
    Ways ways{core.loop.now(), transaction.service->read_timeout};
    base::Task<std::uint64_t> upwards = carry(client, upstream, ways);
    upwards.start();
    base::Task<std::uint64_t> downwards = carry(upstream, client, ways);
    transaction.response_body_bytes = co_await std::move(downwards);
    if (!ways.is_broken) transaction.request_body_bytes = co_await upwards.finished();
    core.metrics.lower(observe::Gauge::tunnels_active);
}

}  // namespace gateway
