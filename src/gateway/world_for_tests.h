// World: one core of the gateway on a simulated loop with everything it needs, in memory: settings, names, snapshots,
// upstreams and clients. Tests of this folder and the connection's fuzz target build on it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/acceptor.h"
#include "gateway/core.h"
#include "gateway/document.h"
#include "gateway/peer_for_tests.h"
#include "gateway/serve.h"
#include "gateway/wire_for_tests.h"
#include "net/simulated/loop.h"
#include "observe/log.h"

namespace gateway {

// Names as the test says; a name it says nothing about is being looked up forever.
class SimulatedResolver final : public net::dns::Resolver {
  public:
    void set(const std::string& name, net::dns::Records records) {
        known_[name] = std::make_shared<const net::dns::Records>(std::move(records));
        for (auto& [number, watched] : *watched_)
            if (watched.first == name) watched.second(known_[name]);
    }
    std::unique_ptr<Watch> watch(std::string_view name, OnRecords on_change) override {
        int number = ++last_;
        if (auto known = known_.find(std::string(name)); known != known_.end()) on_change(known->second);
        watched_->emplace(number, std::pair(std::string(name), std::move(on_change)));
        return std::make_unique<Watching>(watched_, number);
    }
    void resolve(std::string_view name, OnRecords on_records) override {
        on_records(known_.contains(std::string(name)) ? known_[std::string(name)]
                                                      : std::make_shared<const net::dns::Records>());
    }
    net::dns::RecordsPointer known(std::string_view name) override {
        auto found = known_.find(std::string(name));
        return found == known_.end() ? nullptr : found->second;
    }

  private:
    using Watched = std::map<int, std::pair<std::string, OnRecords>>;
    struct Watching final : Watch {
        Watching(std::shared_ptr<Watched> all, int mine) : watched(std::move(all)), number(mine) {}
        ~Watching() override { watched->erase(number); }
        std::shared_ptr<Watched> watched;
        int number;
    };
    std::map<std::string, net::dns::RecordsPointer> known_;
    std::shared_ptr<Watched> watched_ = std::make_shared<Watched>();
    int last_ = 0;
};

inline net::IpAddress ip(std::string_view text) { return net::IpAddress::parse(text).value(); }
inline net::SocketAddress address(std::string_view text) { return net::SocketAddress::parse(text).value(); }

// ---- documents

inline Index add_service(Document& document, std::string_view name, std::string_view host, std::string_view path = {}) {
    Service service;
    service.name = name;
    service.host = host;
    service.path = path;
    document.services.push_back(std::move(service));
    return static_cast<Index>(document.services.size() - 1);
}

// One that takes the prefix `path`, longer ones first.
inline Route& add_route(Document& document, std::string_view path, Index service) {
    Route route;
    route.name = path.substr(1);
    route.service = service;
    route.protocols.set(static_cast<std::size_t>(Protocol::http));
    route.protocols.set(static_cast<std::size_t>(Protocol::https));
    route::Rule rule;
    rule.prefixes = {std::string(path)};
    rule.priority = path.size();
    route.rules.push_back(std::move(rule));
    document.routes.push_back(std::move(route));
    return document.routes.back();
}

inline Upstream& add_upstream(Document& document, std::string_view name, const std::vector<std::string>& targets) {
    Upstream upstream;
    upstream.id.bytes[0] = static_cast<std::uint8_t>(document.upstreams.size() + 1);
    upstream.name = name;
    for (const std::string& text : targets) {
        Target target;
        std::size_t colon = text.rfind(':');
        target.host = text.substr(0, colon);
        target.port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
        upstream.targets.push_back(std::move(target));
    }
    document.upstreams.push_back(std::move(upstream));
    return document.upstreams.back();
}

// ---- upstreams

// Listens; each connection becomes a Peer, given to `on_peer`.
class PeerListener final : public net::AcceptSink {
  public:
    PeerListener(net::simulated::SimulatedLoop& loop, const net::SocketAddress& at) : loop_(loop) {
        listener_ = loop.listen(at, {}, *this).value();
    }
    void accepted(net::SocketPtr socket, const net::SocketAddress&) override {
        peers.push_back(std::make_unique<Peer>(loop_, std::move(socket)));
        if (on_peer) on_peer(*peers.back());
    }
    void accept_failed(net::IoStatus) override {}
    [[nodiscard]] const net::SocketAddress& address() const { return listener_->address(); }
    void stop() { listener_.reset(); }

    std::vector<std::unique_ptr<Peer>> peers;
    std::function<void(Peer&)> on_peer;

  private:
    net::simulated::SimulatedLoop& loop_;
    std::unique_ptr<net::Listener> listener_;
};

class World {
  public:
    explicit World(Settings with = {}, std::uint64_t seed = 1,
                   net::simulated::Weather weather = net::simulated::Weather::calm())
        : settings(std::move(with)), loop(seed, weather), process(settings) {
        observe::set_level(observe::Level::emerg);  // what goes wrong here is meant to
        process.set_most_connections(settings.limits.max_connections);
        core = std::make_unique<Core>(loop, settings, process, metrics.core(0), observe::AccessLog(nullptr, nullptr),
                                      observe::RequestIds(seed, seed), seed);
        acceptor = std::make_unique<Acceptor>(*core, &serve);
        listener = loop.listen(gateway_address, {}, *acceptor).value();
    }
    ~World() {
        // Peers first, then the gateway, then the loop: who uses goes before what is used.
        clients.clear();
        upstreams.clear();
        listener.reset();
        core.reset();
    }

    void publish(Document document) {
        auto snapshot = Snapshot::compile(std::move(document), live, {++version, process.shared, 1}).value();
        snapshots.push_back(snapshot);
        served.emplace_back(snapshot);
        core->use(std::move(snapshot));
    }
    PeerListener& upstream(std::string_view at) {
        upstreams.push_back(std::make_unique<PeerListener>(loop, address(at)));
        return *upstreams.back();
    }
    Peer& client(std::string_view from = "192.0.2.7") {
        clients.push_back(std::make_unique<Peer>(loop, ip(from), gateway_address));
        return *clients.back();
    }
    template <typename Condition>
    bool run_until(Condition condition, net::Milliseconds most = std::chrono::minutes(10)) {
        return loop.run_until(std::move(condition), most);
    }
    [[nodiscard]] std::uint64_t counter(observe::Counter which) { return metrics.core(0).value(which); }

    // Requests that the balancers of all snapshots so far believe to be under way.
    [[nodiscard]] std::uint64_t active_attempts() const {
        std::uint64_t total = 0;
        for (const auto& weak : served)
            if (auto snapshot = weak.lock())
                for (const ServedUpstream& upstream : snapshot->upstreams) {
                    auto plan = upstream.live->plan();
                    for (std::uint32_t i = 0; i < plan->endpoints().size(); ++i) total += plan->state(i).active;
                }
        return total;
    }
    // Ends all that is left and says what then still is there, which should be nothing.
    std::string leftovers() {
        listener.reset();
        core->close_all();
        for (auto& client : clients) client->close_now();
        for (auto& each : upstreams) {
            each->stop();
            for (auto& peer : each->peers) peer->close_now();
        }
        loop.run_until([this] { return loop.is_quiet() && loop.open_sockets() == 0; }, std::chrono::minutes(5));
        std::string out;
        auto note = [&out](const char* what, auto count) {
            if (count != 0) out += std::string(what) + " " + std::to_string(count) + "; ";
        };
        observe::CoreMetrics& numbers = metrics.core(0);
        note("open sockets", loop.open_sockets());
        note("buffers", loop.buffers().in_use());
        note("connections", process.connections());
        note("active attempts", active_attempts());
        note("gauge connections", numbers.value(observe::Gauge::connections_active));
        note("gauge requests", numbers.value(observe::Gauge::requests_active));
        note("gauge tunnels", numbers.value(observe::Gauge::tunnels_active));
        note("queued", loop.statistics().queued);
        return out;
    }

    const net::SocketAddress gateway_address = address("198.51.100.1:8000");
    const Settings settings;
    net::simulated::SimulatedLoop loop;
    SimulatedResolver resolver;
    net::dns::Overrides overrides;
    LiveUpstreams live{resolver, overrides};
    Process process;
    observe::Metrics metrics{1};
    std::unique_ptr<Core> core;
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<net::Listener> listener;
    std::vector<std::unique_ptr<Peer>> clients;
    std::vector<std::unique_ptr<PeerListener>> upstreams;
    std::vector<std::shared_ptr<const Snapshot>> snapshots;  // kept by the test; drop them to see who else does
    std::vector<std::weak_ptr<const Snapshot>> served;
    std::uint64_t version = 0;
};

}  // namespace gateway
