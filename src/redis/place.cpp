#include "redis/place.h"

#include <fmt/format.h>

namespace redis {

namespace {

using base::Code;
using base::Error;

// Waits on the loop for what the resolver's thread will say. The shared part is what outlives a waiter that leaves.
class Resolution {
  public:
    Resolution(net::Loop& loop, net::dns::Resolver& resolver, const std::string& name, net::Instant deadline)
        : shared_(std::make_shared<Shared>()) {
        shared_->waiter = this;
        // The watch is dropped with us, and then the resolver no longer calls: so the loop is there whenever it does.
        watch_ = resolver.watch(name, [&loop, shared = shared_](net::dns::RecordsPointer records) {
            loop.post([shared, records = std::move(records)] {
                if (shared->waiter != nullptr) shared->waiter->settle(records);
            });
        });
        timer_.set([](void* self) { static_cast<Resolution*>(self)->settle(nullptr); }, this);
        timer_.arm(loop.timers(), deadline);
    }
    Resolution(const Resolution&) = delete;
    ~Resolution() { shared_->waiter = nullptr; }

    [[nodiscard]] bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
    // Null if the deadline passed.
    net::dns::RecordsPointer await_resume() { return records_; }

  private:
    struct Shared {
        Resolution* waiter;  // touched on the loop's thread only
    };
    void settle(net::dns::RecordsPointer records) {
        shared_->waiter = nullptr;
        timer_.cancel();
        records_ = std::move(records);
        coroutine_.resume();
    }
    std::shared_ptr<Shared> shared_;
    net::Timer timer_;
    net::dns::RecordsPointer records_;
    std::coroutine_handle<> coroutine_;
    std::unique_ptr<net::dns::Resolver::Watch> watch_;
};

}  // namespace

base::Task<base::Result<std::vector<net::SocketAddress>>> addresses_of(net::Loop& loop, Surroundings surroundings,
                                                                       Node node, net::Instant deadline) {
    if (surroundings.overrides != nullptr)
        if (const auto* found = surroundings.overrides->find(node.host, node.port)) co_return *found;
    if (auto address = net::IpAddress::parse(node.host))
        co_return std::vector<net::SocketAddress>{{*address, node.port}};
    if (surroundings.resolver == nullptr)
        co_return Error::us(Code::unresolved, fmt::format("no resolver for {}", node.host));
    Resolution resolution(loop, *surroundings.resolver, node.host, deadline);
    net::dns::RecordsPointer records = co_await resolution;
    if (!records) co_return Error::us(Code::timed_out, fmt::format("{} was not resolved in time", node.host));
    if (!records->is_resolved())
        co_return Error::us(
            records->state == net::dns::Records::State::not_found ? Code::unresolved : Code::resolver_failed,
            fmt::format("{}: {}", node.host, records->detail));
    co_return records->places(node.port);
}

}  // namespace redis
