#include "upstream/pool.h"

#include <string_view>
#include <utility>

namespace upstream {

LinkPtr Pool::remove(std::size_t place) {
    LinkPtr out = std::move(idle_[place]);
    if (place + 1 != idle_.size()) {
        idle_[place] = std::move(idle_.back());
        idle_[place]->place = place;
    }
    idle_.pop_back();
    return out;
}

LinkPtr Pool::take() {
    while (!idle_.empty()) {
        LinkPtr link = remove(idle_.size() - 1);
        link->socket->forget_input_waiter();
        if (link->socket->has_input() || link->socket->input_ended()) continue;
        ++link->requests;
        return link;
    }
    return nullptr;
}

LinkPtr Pool::adopt(net::SocketPtr socket) {
    auto link = std::make_unique<Link>();
    link->socket = std::move(socket);
    link->pool = this;
    link->requests = 1;
    return link;
}

void Pool::give_back(LinkPtr link) {
    net::Socket& socket = *link->socket;
    bool is_worn = limits_.requests != 0 && link->requests >= limits_.requests;
    if (is_worn || idle_.size() >= limits_.idle || socket.is_sending() || socket.has_input() || socket.input_ended())
        return;
    net::Instant deadline =
        limits_.idle_timeout.count() == 0 ? net::never : net::after(loop_.now(), limits_.idle_timeout);
    link->place = idle_.size();
    Link* sleeping = link.get();
    idle_.push_back(std::move(link));
    socket.on_input({&Pool::woken, sleeping}, deadline);
}

// Bytes, an end or the idle deadline: in each case the connection is of no more use.
void Pool::woken(void* link) {
    auto* sleeping = static_cast<Link*>(link);
    LinkPtr dropped = sleeping->pool->remove(sleeping->place);
}

std::size_t Pools::Hash::operator()(const net::SocketAddress& address) const {
    const auto& bytes = address.ip.bytes();
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) * 31 +
           address.port;
}

Pool& Pools::of(const net::SocketAddress& address) {
    std::unique_ptr<Pool>& pool = pools_[address];
    if (!pool) pool = std::make_unique<Pool>(loop_, address, limits_);
    return *pool;
}

void Pools::close_all() {
    for (auto& [address, pool] : pools_) pool->close_all();
}

std::size_t Pools::idle() const {
    std::size_t total = 0;
    for (const auto& [address, pool] : pools_) total += pool->idle();
    return total;
}

}  // namespace upstream
