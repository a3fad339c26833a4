// Core: what one serving thread owns: its loop, its snapshot, its pools, counters and connections. Nothing in it is
// touched by another thread; Process holds the few numbers that must be exact over all cores, as atomics.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "base/work_thread.h"
#include "gateway/settings.h"
#include "gateway/snapshot.h"
#include "http/date.h"
#include "http/http1/limits.h"
#include "http/http2/limits.h"
#include "net/loop.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "observe/request_id.h"
#include "plugin/states.h"
#include "upstream/pool.h"

namespace gateway {

class Greeting;
struct Transaction;

// What the admin pages show and do; filled by the program before the cores run. Called on a core's thread.
struct AdminPages {
    struct Reload {
        std::uint64_t request = 0;  // which reload the answer is about
        bool is_done = false;
        bool is_loaded = false;
        std::string report;  // for people: what was wrong
    };
    std::function<std::string()> status;   // JSON
    std::function<std::string()> metrics;  // Prometheus text: the program's own part
    const observe::Metrics* numbers = nullptr;
    base::Uuid node_id;  // of this process, as Kong's
    std::function<std::uint64_t()> request_reload;
    std::function<Reload(std::uint64_t request)> reload_result;
};

// What a connection came in for: the clients' door, or one of the operator's, which stay out of the clients' counters
// and log. The status pages are often open to a whole network: they show and change nothing.
enum class Entrance : std::uint8_t { clients, admin, status };
[[nodiscard]] constexpr std::string_view name(Entrance entrance) {
    switch (entrance) {
        case Entrance::clients:
            return "proxy";
        case Entrance::admin:
            return "admin";
        case Entrance::status:
            return "status";
    }
    return "";
}

// Shared by all cores.
class Process {
  public:
    explicit Process(const Settings& settings) : settings_(settings) {}
    // Whether one more client connection may be open; then it counts until leave().
    [[nodiscard]] bool enter(const net::IpAddress& client);
    void leave(const net::IpAddress& client);
    [[nodiscard]] std::uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
    void set_most_connections(std::uint64_t most) { most_connections_ = most; }
    AdminPages admin;
    plugin::Shared shared;                   // states of plugins that outlive a snapshot
    net::dns::Resolver* resolver = nullptr;  // for plugins that call other servers; set before the cores are made
    // Makes the page of metrics, which can be of many megabytes. Ends before the cores' numbers do.
    std::unique_ptr<base::WorkThread> page_maker = std::make_unique<base::WorkThread>(page_maker_niceness);
    static constexpr int page_maker_niceness = 5;

  private:
    struct Hash {
        std::size_t operator()(const net::IpAddress& address) const;
    };
    const Settings& settings_;
    std::uint64_t most_connections_ = 0;
    std::atomic<std::uint64_t> connections_{0};
    std::mutex lock_;  // only with a limit per client
    std::unordered_map<net::IpAddress, std::uint64_t, Hash> of_client_;
};

// A doubly linked list of connections through themselves.
struct ConnectionLink {
    ConnectionLink* next = this;
    ConnectionLink* previous = this;
    void unlink() {
        next->previous = previous;
        previous->next = next;
        next = previous = this;
    }
    void insert_before(ConnectionLink& place) {
        previous = place.previous;
        next = &place;
        place.previous->next = this;
        place.previous = this;
    }
    [[nodiscard]] bool is_alone() const { return next == this; }
};

// What the core knows of its connections, of any protocol.
class ServedConnection : public ConnectionLink {
  public:
    // At once, whatever it is doing; it is gone afterwards.
    virtual void close() = 0;
    // The core begins to drain: for protocols that can say so before their next answer.
    virtual void drain() {}

  protected:
    virtual ~ServedConnection() = default;
};

class Core {
  public:
    Core(net::Loop& loop, const Settings& settings, Process& process, observe::CoreMetrics& metrics,
         observe::AccessLog access_log, observe::RequestIds request_ids, std::uint64_t seed, unsigned index = 0);
    ~Core();

    // The configuration for exchanges that begin from now on.
    void use(std::shared_ptr<const Snapshot> snapshot);
    [[nodiscard]] const std::shared_ptr<CoreSnapshot>& snapshot() const { return snapshot_; }
    // Every connection ends after its next answer, which says so. One that sleeps through `grace` is closed: a client
    // that is in the middle of its work would else send its next request into a closed connection.
    void drain(net::Milliseconds grace = {});
    // Until when a connection may sleep: `wanted`, or what draining leaves.
    [[nodiscard]] net::Instant sleep_until(net::Instant wanted) const { return std::min(wanted, drain_deadline_); }
    [[nodiscard]] bool is_draining() const { return is_draining_; }
    // Ends every connection, whatever it does.
    void close_all();
    // Asks the upstream for what the client has got already (plugin::Background). Beyond `most_in_background` it is
    // dropped. Ends with the core at the latest.
    void go_on_in_background(std::unique_ptr<Transaction> transaction);
    static constexpr std::size_t most_in_background = 256;
    [[nodiscard]] bool has_connections() const {
        return !awake_.is_alone() || !asleep_.is_alone() || !greeting_.is_alone() || !handshaking_.is_alone();
    }

    // The value of Date for this turn.
    [[nodiscard]] std::string_view date();
    [[nodiscard]] std::uint64_t next_connection_number() { return ++connections_made_; }

    net::Loop& loop;
    const Settings& settings;
    Process& process;
    observe::CoreMetrics& metrics;
    observe::AccessLog access_log;
    observe::AccessLog admin_log{nullptr, nullptr};  // off unless set
    observe::RequestIds request_ids;
    http2::Limits upstream_http2_limits;  // before `pools`, which look at it
    upstream::Pools pools;
    plugin::Worker worker;
    http1::Limits client_limits;
    http1::Limits upstream_limits;
    http2::Limits http2_limits;  // of clients' connections

  private:
    friend class Connection;
    friend class Greeting;
    friend class Http2Connection;
    friend class ProxiedGreeting;
    std::shared_ptr<CoreSnapshot> snapshot_;
    std::uint64_t seed_;
    ConnectionLink awake_;        // serving a request
    ConnectionLink asleep_;       // waiting for one
    ConnectionLink greeting_;     // on a TLS listener, and silent so far
    ConnectionLink handshaking_;  // the oldest first
    std::size_t handshakes_ = 0;
    std::vector<base::Task<void>> in_background_;
    bool is_draining_ = false;
    net::Timer drain_timer_;
    net::Instant drain_deadline_ = net::never;
    std::uint64_t connections_made_ = 0;
    std::int64_t date_second_ = -1;
    std::array<char, http::date_size> date_{};
};

}  // namespace gateway
