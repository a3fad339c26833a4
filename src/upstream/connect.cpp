#include "upstream/connect.h"

#include <string>
#include <utility>

namespace upstream {

namespace {

using base::Code;
using base::Error;
using base::Retry;
using observe::Counter;

Error connect_error(net::IoStatus status) {
    switch (status) {
        case net::IoStatus::timed_out:
            return Error::upstream(Code::timed_out, Retry::always, "connect timed out");
        case net::IoStatus::no_descriptors:
            return Error::us(Code::exhausted, "out of file descriptors or local ports");
        default:
            return Error::upstream(Code::refused, Retry::always, "connect: " + std::string(name(status)));
    }
}

}  // namespace

base::Task<base::Result<NewConnection>> connect(net::Loop& loop, net::SocketAddress address, ConnectOrder order,
                                                observe::CoreMetrics& metrics) {
    net::Connected connected = co_await loop.connect(address, net::after(loop.now(), order.timeout));
    metrics.add(Counter::upstream_connects);
    if (!connected.socket) {
        metrics.add(Counter::upstream_connect_failures);
        co_return connect_error(connected.status);
    }
    if (!order.introduction.empty()) {
        net::Draft draft(loop.buffers().at_least(order.introduction.size()));
        draft.append(order.introduction);
        net::IoStatus sent =
            co_await connected.socket->send(std::move(draft).finish(), net::after(loop.now(), order.timeout));
        if (sent != net::IoStatus::ok) {
            metrics.add(Counter::upstream_connect_failures);
            co_return connect_error(sent);
        }
    }
    if (!order.session) co_return NewConnection{std::move(connected.socket), nullptr};
    net::tls::Secured secured = net::tls::Layer::secure(std::move(connected.socket), std::move(order.session));
    net::IoStatus status = co_await secured.layer->greeting(net::after(loop.now(), order.timeout));
    if (status == net::IoStatus::ok) co_return NewConnection{std::move(secured.socket), secured.layer};
    metrics.add(Counter::upstream_connect_failures);
    if (status == net::IoStatus::timed_out)
        co_return Error::upstream(Code::timed_out, Retry::always, "TLS handshake timed out");
    const std::string& why = secured.layer->failure();
    co_return Error::upstream(Code::refused, Retry::always, "TLS: " + (why.empty() ? std::string(name(status)) : why));
}

}  // namespace upstream
