#include "delivery/dialer.h"

#include <vector>

#include "delivery/signal.h"

namespace delivery {

using base::Code;
using base::Error;
using base::Retry;

std::string Place::text() const {
    bool is_v6 = host.find(':') != host.npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

net::Slice slice_of(net::Loop& loop, std::string_view text) {
    net::Draft draft(loop.buffers().at_least(text.size()));
    draft.append(text);
    return std::move(draft).finish();
}

Error lost(net::IoStatus status, std::string_view doing) {
    Code code = status == net::IoStatus::timed_out ? Code::timed_out
                : status == net::IoStatus::refused ? Code::refused
                                                   : Code::reset;
    return Error::upstream(code, Retry::always, std::string(doing) + ": " + std::string(net::name(status)));
}

base::Task<base::Result<net::SocketAddress>> Dialer::find(net::Instant deadline) {
    if (surroundings_.overrides != nullptr)
        if (const auto* own = surroundings_.overrides->find(place_.host, place_.port))
            co_return (*own)[turn_++ % own->size()];
    if (auto literal = net::IpAddress::parse(place_.host)) co_return net::SocketAddress{*literal, place_.port};
    if (surroundings_.resolver == nullptr)
        co_return Error::upstream(Code::unresolved, Retry::always, "no resolver for " + place_.host);
    net::dns::RecordsPointer records = surroundings_.resolver->known(place_.host);
    if (records == nullptr || !records->is_resolved()) {
        Arrival<net::dns::RecordsPointer> arrival(loop_);
        surroundings_.resolver->resolve(place_.host, arrival.giver());
        std::optional<net::dns::RecordsPointer> come = co_await arrival.wait(deadline);
        if (!come)
            co_return Error::upstream(Code::timed_out, Retry::always, "resolving " + place_.host + ": timed out");
        records = std::move(*come);
    }
    if (!records->is_resolved())
        co_return Error::upstream(Code::unresolved, Retry::always, "resolving " + place_.host + ": " + records->detail);
    std::vector<net::SocketAddress> places = records->places(place_.port);
    co_return places[turn_++ % places.size()];
}

base::Task<base::Result<net::SocketPtr>> Dialer::connect(net::Instant deadline) {
    base::Result<net::SocketAddress> address = co_await find(deadline);
    if (!address) co_return std::move(address).error();
    net::Connected connected = co_await loop_.connect(*address, deadline);
    if (!connected.socket) co_return lost(connected.status, "connecting to " + address->text());
    co_return std::move(connected.socket);
}

}  // namespace delivery
