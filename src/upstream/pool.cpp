#include "upstream/pool.h"

#include <string_view>
#include <utility>

#include "base/ensure.h"
#include "upstream/http2_pool.h"

namespace upstream {

Pool::Pool(net::Loop& loop, const net::SocketAddress& address, const PoolLimits& limits, Users users)
    : loop_(loop), address_(address), limits_(limits), users_(users) {}

Pool::~Pool() = default;

void Pool::close_all() {
    idle_.clear();
    if (http2_) http2_->close_all();
}

Http2Pool& Pool::http2(const http2::Limits& limits, observe::CoreMetrics& metrics) {
    ensure(!is_of_many_trusts());
    if (!http2_) http2_ = std::make_unique<Http2Pool>(loop_, *this, limits_, limits, metrics);
    return *http2_;
}

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

LinkPtr Pool::adopt(net::SocketPtr socket, net::tls::Layer* tls) {
    auto link = std::make_unique<Link>();
    link->socket = std::move(socket);
    link->tls = tls;
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

std::size_t Pools::Hash::operator()(const Key& key) const {
    const auto& bytes = key.address.ip.bytes();
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) * 31 +
           key.address.port + std::hash<std::string_view>()(key.trust) * 7;
}

Pool& Pools::of(const net::SocketAddress& address, std::string_view trust) {
    Key key{address, std::string(trust)};
    auto found = pools_.find(key);
    if (found != pools_.end()) return *found->second;
    if (trust.empty() || pools_.size() < most)
        return *pools_.emplace(std::move(key), std::make_unique<Pool>(loop_, address, limits_)).first->second;
    std::unique_ptr<Pool>& passing = passing_[{address, {}}];
    if (!passing) passing = std::make_unique<Pool>(loop_, address, nothing_, Pool::Users::many_trusts);
    return *passing;
}

void Pools::close_all() {
    for (auto& [key, pool] : pools_) pool->close_all();
}

std::size_t Pools::idle() const {
    std::size_t total = 0;
    for (const auto& [key, pool] : pools_) total += pool->idle();
    return total;
}

}  // namespace upstream
