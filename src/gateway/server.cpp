#include "gateway/server.h"

#include <algorithm>
#include <utility>

#include "gateway/connection.h"
#include "observe/log.h"

namespace gateway {

namespace {
// What a listener with `ssl http2` offers by ALPN.
constexpr net::tls::Offer http2_offer = net::tls::Offer::http2_and_http1;
constexpr net::Milliseconds drain_check{10};
constexpr net::Milliseconds last_turn{5};
constexpr int most_last_turns = 100;
constexpr net::Milliseconds longest_grace{2'000};  // for sleeping connections while draining

std::optional<net::Loop::Kind> wanted_kind(LoopKind kind) {
    switch (kind) {
        case LoopKind::automatic:
            return {};
        case LoopKind::uring:
            return net::Loop::Kind::io_uring;
        case LoopKind::epoll:
            return net::Loop::Kind::epoll;
    }
    return {};
}

// A second gateway on one machine stumbles over the port that nobody thinks of.
std::string hint_for(Entrance entrance, std::string_view fault) {
    if (entrance != Entrance::admin || fault.find("in use") == fault.npos) return {};
    return " (by another gateway? --admin-listen ADDRESS:PORT gives this one an admin address of its own)";
}
}  // namespace

unsigned worker_count(const Settings& settings) {
    if (settings.workers != 0) return settings.workers;
    return std::max(1u, std::thread::hardware_concurrency());
}

Server::Server(const Settings& settings, ServeFunction serve_admin, MakeAccessLog make_access_log,
               MakeAccessLog make_admin_log)
    : settings_(settings),
      serve_admin_(serve_admin),
      make_access_log_(std::move(make_access_log)),
      make_admin_log_(std::move(make_admin_log)),
      process_(settings),
      metrics_(worker_count(settings)) {}

Server::~Server() { stop(); }

base::Result<void> Server::open(std::vector<InheritedListener> inherited) {
    for (unsigned i = 0; i < metrics_.cores(); ++i) {
        TRY(loop, net::make_loop(wanted_kind(settings_.loop), loop_reason_));
        loop_kind_ = loop->kind();
        auto worker = std::make_unique<Worker>();
        worker->loop = std::move(loop);
        observe::RequestIds ids;
        std::uint64_t seed = 0;
        observe::system_entropy(std::as_writable_bytes(std::span(&seed, 1)));
        worker->core = std::make_unique<Core>(*worker->loop, settings_, process_, metrics_.core(i), make_access_log_(i),
                                              ids, seed, i);
        worker->core->admin_log = make_admin_log_(i);
        if (snapshot_) worker->core->use(snapshot_);
        worker->proxy = std::make_unique<Acceptor>(*worker->core, &serve);
        worker->proxy_tls =
            std::make_unique<Acceptor>(*worker->core, &serve, Entrance::clients, net::tls::Offer::http1);
        worker->proxy_http2 = std::make_unique<Acceptor>(*worker->core, &serve, Entrance::clients, http2_offer);
        constexpr net::tls::Offer http1_offer = net::tls::Offer::http1;
        Core& core = *worker->core;
        worker->proxied = std::make_unique<Acceptor>(core, &serve, Entrance::clients, std::nullopt, Front::proxies);
        worker->proxied_tls = std::make_unique<Acceptor>(core, &serve, Entrance::clients, http1_offer, Front::proxies);
        worker->proxied_http2 =
            std::make_unique<Acceptor>(core, &serve, Entrance::clients, http2_offer, Front::proxies);
        worker->admin = std::make_unique<Acceptor>(*worker->core, serve_admin_, Entrance::admin);
        worker->status = std::make_unique<Acceptor>(*worker->core, serve_admin_, Entrance::status);
        cores_.push_back(std::move(worker));
    }
    std::string faults;
    auto collect = [&](const std::vector<ListenAddress>& addresses, Entrance entrance) {
        for (const ListenAddress& address : addresses)
            if (auto listening = listen(address, inherited, entrance); !listening)
                faults += (faults.empty() ? "" : "\n") + listening.error().detail +
                          hint_for(entrance, listening.error().detail);
    };
    collect(settings_.proxy_listen, Entrance::clients);
    collect(settings_.admin_listen, Entrance::admin);
    collect(settings_.status_listen, Entrance::status);
    if (!faults.empty()) return base::Error::us(base::Code::invalid, faults);
    // What a process before us listened on and we do not: nobody would ever answer there.
    for (const InheritedListener& left : inherited)
        observe::log(observe::Level::warn, "net", "inherited listener is not in the settings",
                     {{"address", left.address.text()}});
    return {};
}

base::Result<void> Server::listen(const ListenAddress& wanted, std::vector<InheritedListener>& inherited,
                                  Entrance entrance) {
    bool is_for_clients = entrance == Entrance::clients;
    std::size_t cores = is_for_clients ? cores_.size() : 1;
    net::ListenOptions options;
    options.backlog = wanted.backlog;
    options.reuse_port = is_for_clients;
    options.deferred = wanted.deferred;
    options.ipv6_only = wanted.ipv6_only;
    options.keep_alive = wanted.keep_alive;
    auto sink_of = [&](Worker& worker) -> Acceptor& {
        if (entrance == Entrance::admin) return *worker.admin;
        if (entrance == Entrance::status) return *worker.status;
        if (wanted.proxied && !wanted.ssl) return *worker.proxied;
        if (wanted.proxied) return wanted.http2 ? *worker.proxied_http2 : *worker.proxied_tls;
        if (!wanted.ssl) return *worker.proxy;
        return wanted.http2 ? *worker.proxy_http2 : *worker.proxy_tls;
    };
    std::size_t made = 0;
    net::SocketAddress address = wanted.address;
    // All sockets of the address that were handed over are taken, or the connections in their queues would be lost.
    for (std::size_t i = 0; i < inherited.size();) {
        // Of the operator's, whose sockets are not shared, the address says which it is.
        bool was_for_clients = inherited[i].entrance.value_or(entrance) == Entrance::clients;
        if (inherited[i].address != wanted.address || was_for_clients != is_for_clients) {
            ++i;
            continue;
        }
        options.inherited_descriptor = inherited[i].descriptor;
        inherited.erase(inherited.begin() + static_cast<std::ptrdiff_t>(i));
        Worker& worker = *cores_[made++ % cores];
        TRY(listener, worker.loop->listen(wanted.address, options, sink_of(worker)));
        worker.listeners.push_back({wanted.address, entrance, std::move(listener), wanted.ssl});
    }
    options.inherited_descriptor = -1;
    for (; made < cores; ++made) {
        Worker& worker = *cores_[made];
        TRY(listener, worker.loop->listen(address, options, sink_of(worker)));
        address = listener->address();  // port 0: the kernel chose one, and all cores share it
        worker.listeners.push_back({wanted.address, entrance, std::move(listener), wanted.ssl});
    }
    return {};
}

void Server::serve_until_stopped(net::Loop& loop) {
    loop.run();
    // What was closed last is still being let go of by the kernel; only this thread may ask it (SINGLE_ISSUER).
    for (int i = 0; i < most_last_turns && loop.open_sockets() > 0; ++i) {
        net::Timer bound([](void*) {}, nullptr);
        bound.arm(loop.timers(), net::after(loop.now(), last_turn));
        loop.resume();
        loop.turn(true);
    }
}

void Server::run() {
    is_running_ = true;
    for (auto& worker : cores_)
        worker->thread = std::thread([loop = worker->loop.get()] { serve_until_stopped(*loop); });
    if (snapshot_) check_health();
}

void Server::publish(std::shared_ptr<const Snapshot> snapshot) {
    if (snapshot_) retired_.push_back(std::move(snapshot_));
    snapshot_ = std::move(snapshot);
    for (auto& worker : cores_) {
        if (!is_running_)
            worker->core->use(snapshot_);
        else
            worker->loop->post([core = worker->core.get(), shared = snapshot_] { core->use(shared); });
    }
    check_health();
}

// The probes and comparisons that the present snapshot asks for, from the moment on when it serves.
void Server::check_health() {
    if (!is_running_) return;
    std::vector<std::shared_ptr<LiveUpstream>> wanted;
    for (const ServedUpstream& upstream : snapshot_->upstreams)
        if (upstream.live->needs_checker()) wanted.push_back(upstream.live);
    if (!checking_) {
        if (wanted.empty()) return;
        std::string why_not;
        auto loop = net::make_loop(wanted_kind(settings_.loop), why_not);
        if (!loop) {
            observe::log(observe::Level::error, "health", "no probes, and no ejection ends: " + loop.error().detail);
            return;
        }
        std::uint64_t seed = 0;
        observe::system_entropy(std::as_writable_bytes(std::span(&seed, 1)));
        checking_ = std::make_unique<Checking>();
        checking_->loop = std::move(*loop);
        checking_->checker = std::make_unique<HealthChecker>(*checking_->loop, seed);
        checking_->thread = std::thread([loop = checking_->loop.get()] { serve_until_stopped(*loop); });
    }
    checking_->loop->post([checker = checking_->checker.get(), wanted = std::move(wanted)] { checker->use(wanted); });
}

void Server::tidy() {
    std::size_t gone = std::erase_if(
        retired_, [](const std::shared_ptr<const Snapshot>& snapshot) { return snapshot.use_count() == 1; });
    if (gone == 0 || !is_running_) return;
    for (auto& worker : cores_) worker->loop->post([core = worker->core.get()] { core->worker.tidy(); });
}

void Server::drain() {
    if (checking_) checking_->loop->post([checker = checking_->checker.get()] { checker->use({}); });
    for (auto& worker : cores_) {
        Worker* self = worker.get();
        self->server = this;
        self->loop->post([this, self] {
            self->drain_timer.set(
                [](void* worker) {
                    auto& due = *static_cast<Worker*>(worker);
                    due.server->check_drained(due);
                },
                self);
            for (Listening& listening : self->listeners) listening.listener->stop();
            self->core->drain(std::min(longest_grace, settings_.drain_timeout / 2));
            check_drained(*self);
        });
    }
}

void Server::drain_again(Worker& worker) {
    worker.drain_timer.arm(worker.loop->timers(), net::after(worker.loop->now(), drain_check));
}

void Server::check_drained(Worker& worker) {
    if (worker.is_drained) return;
    bool has_stopped = std::all_of(worker.listeners.begin(), worker.listeners.end(),
                                   [](const Listening& listening) { return listening.listener->is_stopped(); });
    if (has_stopped && !worker.core->has_connections()) {
        worker.is_drained = true;
        drained_cores_.fetch_add(1, std::memory_order_release);
        return;
    }
    drain_again(worker);
}

void Server::stop() {
    if (checking_) {
        checking_->loop->post([checking = checking_.get()] {
            checking->checker.reset();
            checking->loop->stop();
        });
        checking_->thread.join();
        checking_.reset();
    }
    for (auto& worker : cores_) {
        if (!worker->thread.joinable()) continue;
        worker->loop->post([self = worker.get()] {
            self->listeners.clear();
            self->core->close_all();
            self->loop->stop();
        });
    }
    for (auto& worker : cores_)
        if (worker->thread.joinable()) worker->thread.join();
    process_.page_maker.reset();
    for (auto& worker : cores_) {
        worker->listeners.clear();
        worker->core.reset();
    }
    cores_.clear();
}

std::vector<InheritedListener> Server::listeners() const {
    std::vector<InheritedListener> out;
    for (const auto& worker : cores_)
        for (const Listening& listening : worker->listeners)
            out.push_back({listening.wanted, listening.listener->descriptor(), listening.entrance});
    return out;
}

std::vector<Server::Address> Server::addresses() const {
    std::vector<Address> out;
    for (const auto& worker : cores_)
        for (const Listening& listening : worker->listeners) {
            net::SocketAddress address = listening.listener->address();
            if (std::none_of(out.begin(), out.end(), [&](const Address& seen) { return seen.address == address; }))
                out.push_back({address, listening.entrance, listening.is_tls});
        }
    return out;
}

}  // namespace gateway
