// Pools: keep-alive connections to upstreams, one pool a core and address; they outlive reloads. A connection of HTTP/1
// that sleeps here is watched: if the upstream closes it, or says anything unasked, it is dropped and never used. Those
// of HTTP/2 are shared, see Http2Pool.
// Owned by a core and used on its thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/slab.h"
#include "http/http2/limits.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls/layer.h"
#include "observe/metrics.h"

namespace upstream {

class Http2Pool;
class Http2Stream;
class Pool;

struct PoolLimits {
    std::size_t idle = 512;                  // connections kept, per address and core
    std::uint64_t requests = 10'000;         // of one connection; 0 = no limit
    net::Milliseconds idle_timeout{60'000};  // 0 = until the upstream closes
};

// One connection to an upstream, or one stream of such a connection. Destroying it closes it.
struct Link : base::SlabAllocated<Link> {
    net::SocketPtr socket;
    net::tls::Layer* tls = nullptr;  // below the socket; null: plain, or a stream
    Http2Stream* stream = nullptr;   // of HTTP/2, whose body bytes the socket carries; lives as long as the socket
    Pool* pool = nullptr;
    std::uint64_t requests = 0;  // exchanges begun on it
    std::size_t place = 0;       // in the pool while it sleeps
    [[nodiscard]] bool is_reused() const { return requests > 1; }
};
using LinkPtr = std::unique_ptr<Link>;

class Pool {
  public:
    enum class Users : std::uint8_t { one_trust, many_trusts };
    Pool(net::Loop& loop, const net::SocketAddress& address, const PoolLimits& limits, Users users = Users::one_trust);
    Pool(const Pool&) = delete;
    ~Pool();

    // The connection that slept last and is still good, or null.
    [[nodiscard]] LinkPtr take();
    // A new connection, for a socket that has just been connected.
    [[nodiscard]] LinkPtr adopt(net::SocketPtr socket, net::tls::Layer* tls = nullptr);
    // Only a connection whose last exchange ended cleanly on both sides; closed instead if a limit says so.
    void give_back(LinkPtr link);
    void close_all();
    // Whether nothing of this pool may be used by two exchanges.
    [[nodiscard]] bool is_of_many_trusts() const { return users_ == Users::many_trusts; }
    // The connections of HTTP/2 to the same address, if that is of one trust. What is given the first time outlives the
    // pool.
    [[nodiscard]] Http2Pool& http2(const http2::Limits& limits, observe::CoreMetrics& metrics);

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
    const Users users_;
    std::vector<LinkPtr> idle_;
    net::tls::Resumption resumption_;
    std::unique_ptr<Http2Pool> http2_;  // null until first used
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
