#include "gateway/turn_away.h"

#include "net/loop.h"

namespace gateway {

namespace {

constexpr int most_told = 16;  // at one time, a core
constexpr int most_reads = 16;
constexpr net::Milliseconds longest{1'000};

}  // namespace

base::Detached turn_away(net::SocketPtr socket, std::string_view answer) {
    static thread_local int told = 0;
    if (told >= most_told) co_return;
    ++told;
    net::Instant deadline = net::after(socket->loop().now(), longest);
    net::IoStatus status = co_await socket->send(net::Slice::constant(answer), deadline);
    if (status == net::IoStatus::ok) socket->shutdown_write();
    for (int i = 0; i < most_reads && status == net::IoStatus::ok; ++i) {
        net::Received received = co_await socket->receive(deadline);
        status = received.status;
    }
    --told;
}

}  // namespace gateway
