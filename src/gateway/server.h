// Server: the serving side of the process: one thread, loop and Core each, their listeners, and the snapshot they
// serve. Driven by one control thread (command/run), which starts it, publishes snapshots, drains and stops it.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "gateway/acceptor.h"
#include "gateway/core.h"
#include "gateway/health_checker.h"
#include "gateway/settings.h"
#include "gateway/snapshot.h"
#include "observe/metrics.h"

namespace gateway {

// A listening socket of a process before us (upgrade) or of systemd; listeners of its address take it over.
struct InheritedListener {
    net::SocketAddress address;
    int descriptor = -1;
    std::optional<Entrance> entrance = {};  // what it was for; systemd does not say
};

// What a core writes its access log to.
using MakeAccessLog = std::function<observe::AccessLog(unsigned core)>;

class Server {
  public:
    Server(const Settings& settings, ServeFunction serve_admin, MakeAccessLog make_access_log,
           MakeAccessLog make_admin_log);
    ~Server();

    // Loops and listeners; nothing is accepted before run(). All listeners that cannot be had are named in one error.
    base::Result<void> open(std::vector<InheritedListener> inherited);
    // Starts the threads. A snapshot must have been published, before or after open().
    void run();
    // What exchanges that begin from now on are served by. The one before lives until its last exchange is over, and is
    // freed by tidy() on this thread.
    void publish(std::shared_ptr<const Snapshot> snapshot);
    // Frees snapshots that nobody uses any more. Call now and then while there are any.
    void tidy();
    [[nodiscard]] bool has_retired() const { return !retired_.empty(); }
    // Listeners stop; connections end with their next answer, or where none is asked for, after a moment.
    void drain();
    [[nodiscard]] bool is_drained() const { return drained_cores_.load(std::memory_order_acquire) == cores_.size(); }
    // Ends everything at once and joins the threads.
    void stop();

    [[nodiscard]] const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
    [[nodiscard]] std::vector<InheritedListener> listeners() const;
    [[nodiscard]] net::Loop::Kind loop_kind() const { return loop_kind_; }
    // Why it is not io_uring; empty if it is, or if epoll was asked for.
    [[nodiscard]] const std::string& loop_reason() const { return loop_reason_; }
    [[nodiscard]] std::size_t workers() const { return cores_.size(); }
    [[nodiscard]] observe::Metrics& metrics() { return metrics_; }
    [[nodiscard]] Process& process() { return process_; }

    struct Address {
        net::SocketAddress address;
        Entrance entrance = Entrance::clients;
        bool is_tls = false;
    };
    // Where it really listens (port 0 resolved), once each.
    [[nodiscard]] std::vector<Address> addresses() const;

  private:
    struct Listening {
        net::SocketAddress wanted;  // as in the settings: how a process after us finds it again
        Entrance entrance = Entrance::clients;
        std::unique_ptr<net::Listener> listener;
        bool is_tls = false;
    };
    struct Worker {
        std::unique_ptr<net::Loop> loop;
        std::unique_ptr<Core> core;
        std::unique_ptr<Acceptor> proxy;
        std::unique_ptr<Acceptor> proxy_tls;
        std::unique_ptr<Acceptor> proxy_http2;  // the same with HTTP/2 on offer
        // The same three where proxies connect (PROXY protocol).
        std::unique_ptr<Acceptor> proxied;
        std::unique_ptr<Acceptor> proxied_tls;
        std::unique_ptr<Acceptor> proxied_http2;
        std::unique_ptr<Acceptor> admin;
        std::unique_ptr<Acceptor> status;
        std::vector<Listening> listeners;
        std::thread thread;
        Server* server = nullptr;
        net::Timer drain_timer;
        bool is_drained = false;
    };
    base::Result<void> listen(const ListenAddress& wanted, std::vector<InheritedListener>& inherited,
                              Entrance entrance);
    void check_health();
    void check_drained(Worker& worker);
    void drain_again(Worker& worker);
    static void serve_until_stopped(net::Loop& loop);

    const Settings& settings_;
    ServeFunction serve_admin_;
    MakeAccessLog make_access_log_;
    MakeAccessLog make_admin_log_;
    Process process_;
    observe::Metrics metrics_;
    net::Loop::Kind loop_kind_ = net::Loop::Kind::epoll;
    std::string loop_reason_;
    std::vector<std::unique_ptr<Worker>> cores_;
    std::atomic<std::size_t> drained_cores_{0};
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::shared_ptr<const Snapshot>> retired_;
    bool is_running_ = false;
    // Probes of upstreams; made when the first snapshot asks for them.
    struct Checking {
        std::unique_ptr<net::Loop> loop;
        std::unique_ptr<HealthChecker> checker;
        std::thread thread;
    };
    std::unique_ptr<Checking> checking_;
};

[[nodiscard]] unsigned worker_count(const Settings& settings);

}  // namespace gateway
