// Pools: idle keep-alive connections to upstreams, one pool a core and address; they outlive reloads. A connection that
// sleeps here is watched: if the upstream closes it, or says anything unasked, it is dropped and never used.
// Owned by a core and used on its thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/slab.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls/layer.h"

namespace upstream {

class Pool;

struct PoolLimits {
    std::size_t idle = 512;                  // connections kept, per address and core
    std::uint64_t requests = 10'000;         // of one connection; 0 = no limit
    net::Milliseconds idle_timeout{60'000};  // 0 = until the upstream closes
};

// One connection to an upstream. Destroying it closes it.
struct Link : base::SlabAllocated<Link> {
    net::SocketPtr socket;
    net::tls::Layer* tls = nullptr;  // below the socket; null: plain
    Pool* pool = nullptr;
    std::uint64_t requests = 0;  // exchanges begun on it
    std::size_t place = 0;       // in the pool while it sleeps
    [[nodiscard]] bool is_reused() const { return requests > 1; }
};
using LinkPtr = std::unique_ptr<Link>;

class Pool {
  public:
    Pool(net::Loop& loop, const net::SocketAddress& address, const PoolLimits& limits)
        : loop_(loop), address_(address), limits_(limits) {}
    Pool(const Pool&) = delete;

    // The connection that slept last and is still good, or null.
    [[nodiscard]] LinkPtr take();
    // A new connection, for a socket that has just been connected.
    [[nodiscard]] LinkPtr adopt(net::SocketPtr socket, net::tls::Layer* tls = nullptr);
    // Only a connection whose last exchange ended cleanly on both sides; closed instead if a limit says so.
    void give_back(LinkPtr link);
    void close_all() { idle_.clear(); }

    [[nodiscard]] const net::SocketAddress& address() const { return address_; }
    [[nodiscard]] std::size_t idle() const { return idle_.size(); }
    // What the server gave us to come back with; null if other trusts may use this pool, since a session that is taken
    // up again is not verified again.
    [[nodiscard]] net::tls::Resumption* resumption() { return limits_.idle == 0 ? nullptr : &resumption_; }

  private:
    static void woken(void* link);
    LinkPtr remove(std::size_t place);

    net::Loop& loop_;
    net::SocketAddress address_;
    const PoolLimits& limits_;
    std::vector<LinkPtr> idle_;
    net::tls::Resumption resumption_;
};

class Pools {
  public:
    Pools(net::Loop& loop, const PoolLimits& limits) : loop_(loop), limits_(limits) { nothing_.idle = 0; }
    // Lives as long as this object.
    // Connections are shared only by those whose `trust` is the same: how the server was verified, the name it was held
    // to, what was shown to it. Empty: plain connections. Clients may choose names: beyond `most`, nothing is kept.
    [[nodiscard]] Pool& of(const net::SocketAddress& address, std::string_view trust = {});
    static constexpr std::size_t most = 4096;
    void close_all();
    [[nodiscard]] std::size_t idle() const;

  private:
    struct Key {
        net::SocketAddress address;
        std::string trust;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    net::Loop& loop_;
    PoolLimits limits_;
    std::unordered_map<Key, std::unique_ptr<Pool>, Hash> pools_;
    PoolLimits nothing_;                                            // of those that keep no connection
    std::unordered_map<Key, std::unique_ptr<Pool>, Hash> passing_;  // by address only
};

}  // namespace upstream
