#include "gateway/core.h"

#include "gateway/greeting.h"
#include "gateway/transaction.h"

namespace gateway {

std::size_t Process::Hash::operator()(const net::IpAddress& address) const {
    const auto& bytes = address.bytes();
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool Process::enter(const net::IpAddress& client) {
    if (connections_.fetch_add(1, std::memory_order_relaxed) >= most_connections_ && most_connections_ != 0) {
        connections_.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    std::uint64_t most = settings_.limits.max_connections_per_client;
    if (most == 0) return true;
    std::lock_guard guard(lock_);
    std::uint64_t& count = of_client_[client];
    if (count >= most) {
        connections_.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    ++count;
    return true;
}

void Process::leave(const net::IpAddress& client) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    if (settings_.limits.max_connections_per_client == 0) return;
    std::lock_guard guard(lock_);
    auto place = of_client_.find(client);
    if (place != of_client_.end() && --place->second == 0) of_client_.erase(place);
}

Core::Core(net::Loop& on, const Settings& with, Process& of, observe::CoreMetrics& counters, observe::AccessLog log,
           observe::RequestIds ids, std::uint64_t seed, unsigned index)
    : loop(on),
      settings(with),
      process(of),
      metrics(counters),
      access_log(std::move(log)),
      request_ids(ids),
      upstream_http2_limits(http2::upstream_limits(with.limits.message)),
      pools(on, with.upstream_keepalive),
      worker(on, index, counters),
      client_limits(with.limits.message),
      upstream_limits(with.limits.message),
      seed_(seed) {
    http2_limits.message = client_limits;
    worker.resolver = of.resolver;
    worker.overrides = &with.resolve;
}

Core::~Core() {
    close_all();
    worker.clear();
}

void Core::use(std::shared_ptr<const Snapshot> snapshot) {
    snapshot_ = std::make_shared<CoreSnapshot>(std::move(snapshot), seed_);
}

void Core::drain(net::Milliseconds grace) {
    is_draining_ = true;
    drain_timer_.set(
        [](void* self) {
            auto& core = *static_cast<Core*>(self);
            while (!core.greeting_.is_alone()) static_cast<Greeting*>(core.greeting_.next)->close();
            while (!core.asleep_.is_alone()) static_cast<ServedConnection*>(core.asleep_.next)->close();
            core.pools.close_all();
        },
        this);
    drain_deadline_ = net::after(loop.now(), grace);
    drain_timer_.arm(loop.timers(), drain_deadline_);
    for (ConnectionLink* list : {&asleep_, &awake_})
        for (ConnectionLink* one = list->next; one != list; one = one->next)
            static_cast<ServedConnection*>(one)->drain();
}

void Core::close_all() {
    while (!greeting_.is_alone()) static_cast<Greeting*>(greeting_.next)->close();
    while (!handshaking_.is_alone()) static_cast<Greeting*>(handshaking_.next)->close();
    while (!asleep_.is_alone()) static_cast<ServedConnection*>(asleep_.next)->close();
    while (!awake_.is_alone()) static_cast<ServedConnection*>(awake_.next)->close();
    in_background_.clear();
    pools.close_all();
}

std::string_view Core::date() {
    std::int64_t second = loop.wall_now() / 1000;
    if (second != date_second_) {
        date_second_ = second;
        http::write_date(second, date_);
    }
    return {date_.data(), date_.size()};
}

}  // namespace gateway
