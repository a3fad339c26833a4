// Chaos: one upstream of several targets on one simulated core, under a load of many clients, while targets die, hang,
// flap, answer half, are cut off and renamed, names fail, and configurations change; drawn from one seed, with the
// features of an upstream on as drawn. The good targets stay good. chaos_test.cpp says what must hold all the while,
// and after all faults have ended.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gateway/health_checker.h"
#include "gateway/world_for_tests.h"

namespace gateway {

struct ChaosRequest {
    unsigned id = 0;
    bool is_post = false;
    bool is_abandoned = false;  // by its client
    bool is_after_all = false;  // asked when all faults had ended
    net::Instant sent_at = 0;
    std::uint64_t asked_version = 0;
    unsigned heads = 0;           // that reached a target
    bool has_own_answer = false;  // the gateway's
    bool is_whole = false;
    bool met_garbage = false;  // which is not tried again
    bool is_closed = false;    // the connection ended instead, or in the answer
    int status = 0;
};

struct ChaosClient {
    Peer* peer = nullptr;
    std::unique_ptr<WireReader> reader;
    std::size_t seen = 0;  // messages of the reader
    ChaosRequest* current = nullptr;
    unsigned left = 0;  // requests to ask
    std::uint32_t thinks = 0;
    std::uint32_t leaves = 0;  // with the chance of one in so many; 0: never
    bool is_after_all = false;
};

struct ChaosTarget {
    enum class Mode : std::uint8_t { good, error, silent, half_head, half_body, reset, garbage, slow };
    net::SocketAddress at;
    Mode mode = Mode::good;
    bool is_good = false;         // to the end
    bool is_out = false;          // when it was looked at last
    net::Instant dark_until = 0;  // what reaches it up to then may have been sent long before
    std::uint64_t probes = 0;
    std::uint64_t requests = 0;
    std::uint64_t requests_after_all = 0;
};

struct ChaosLink {
    ChaosTarget* target = nullptr;
    Peer* peer = nullptr;
    WireReader reader{WireReader::Kind::requests};
    std::size_t at = 0;  // message being dealt with
    bool has_begun = false;
    bool is_given_up = false;
};

class Chaos {
  public:
    static constexpr unsigned retries = 6;  // more than there are targets
    static constexpr net::Milliseconds faults_last{6'000};
    // All targets are back, and all requests are served, so long after the last fault has ended.
    static constexpr net::Milliseconds recovers_within{10'000};
    static constexpr net::Milliseconds connect_timeout{500};
    static constexpr net::Milliseconds read_timeout{1'000};
    // From the choice of a target to the arrival of the request: a kept connection that turns out to be dead at the
    // last moment, a new one, and the road.
    static constexpr net::Milliseconds longest_way{1'000 + 500 + 700};
    static constexpr net::Milliseconds sampled_every{25};

    explicit Chaos(std::uint64_t number) : seed(number), random(number * 7 + 3), is_calm(number % 3 != 0) {
        world = std::make_unique<World>(settings(), seed, weather());
        checker = std::make_unique<HealthChecker>(world->loop, seed);
        began_ = world->loop.now();
        draw();
        for (ChaosTarget& target : targets)
            world->upstream(target.at.text()).on_peer = [this, &target](Peer& peer) { accept(target, peer); };
        name_is(0);
        publish();
    }

    void run() {
        std::vector<base::Task<void>> tasks;
        for (auto& client : clients) tasks.push_back(come(*client, random.below(300)));
        for (unsigned left = 2 + random.below(8); left > 0; --left) tasks.push_back(disturb());
        if (random.below(2) == 0) tasks.push_back(flood());
        base::Task<void> sampling = sample();
        sampling.start();
        for (auto& task : tasks) task.start();
        world->loop.run_for(faults_last);
        end_faults();
        world->loop.run_for(recovers_within / 2);
        // What only requests find bad, only a person brings back (docs/health.md).
        if (needs_person)
            for (const upstream::Endpoint& endpoint : live->plan()->endpoints())
                live->set_health(endpoint, true, world->loop.wall_now());
        world->loop.run_for(recovers_within / 2);
        for (const upstream::Endpoint& endpoint : live->plan()->endpoints())
            if (!endpoint.state->is_in_service()) fault(endpoint.address.text() + " is not back in service");
        ask_after_all();
        world->loop.run_for(std::chrono::seconds(3));
        lasted = net::Milliseconds(world->loop.now() - began_);
        is_over = true;
        sampling = {};
        tasks.clear();
    }

    // What must be nothing now.
    std::string leftovers() {
        checker.reset();
        std::string out = world->leftovers();
        upstream::Load& load = live->load();
        if (load.requests + load.connections + load.pending + load.retries != 0) out += "load is still counted; ";
        for (const upstream::Endpoint& endpoint : live->plan()->endpoints())
            if (endpoint.state->active != 0) out += "active at " + endpoint.address.text() + "; ";
        live.reset();
        world->core.reset();
        for (auto& snapshot : world->served)
            if (!snapshot.expired()) out += "a snapshot is still held; ";
        return out;
    }

    std::uint64_t seed;
    base::Random random;
    bool is_calm;  // the network itself loses nothing
    std::unique_ptr<World> world;
    std::unique_ptr<HealthChecker> checker;
    std::shared_ptr<LiveUpstream> live;
    std::vector<ChaosTarget> targets;
    std::vector<std::unique_ptr<ChaosClient>> clients;
    std::vector<std::unique_ptr<ChaosRequest>> requests;
    std::vector<std::unique_ptr<ChaosLink>> links;
    std::vector<std::string> faults;
    Upstream drawn;  // without targets
    bool has_name = false;
    bool needs_person = false;
    bool is_hashed = false;
    std::size_t most_blocks = 0;
    std::size_t most_connections = 0;  // of clients at a time
    net::Milliseconds lasted{0};
    std::uint64_t panics = 0;
    std::uint64_t times_out = 0;  // a target went out of service

    [[nodiscard]] std::string described() const {
        const HealthChecks& checks = drawn.healthchecks;
        std::string out = is_calm ? "calm" : "ordinary weather";
        out += ", " + std::to_string(targets.size()) + " targets, good " +
               std::to_string(std::ranges::count_if(targets, &ChaosTarget::is_good)) + ", algorithm " +
               std::to_string(static_cast<int>(drawn.algorithm));
        if (checks.active.unhealthy_interval.count() > 0) out += ", active";
        if (checks.passive.tcp_failures > 0) out += ", passive";
        if (drawn.outlier_detection) out += ", outliers";
        if (drawn.max_fails > 0) out += ", max_fails";
        if (drawn.panic_threshold > 0) out += ", panic";
        if (checks.threshold > 0) out += ", threshold";
        if (drawn.slow_start) out += ", slow start";
        if (drawn.limits.max_requests > 0) out += ", limits";
        if (drawn.limits.max_retries > 0 || drawn.limits.has_retry_budget) out += ", limited retries";
        return out + (has_name ? ", a name" : "");
    }

  private:
    static Settings settings() {
        Settings out;
        out.limits.send_timeout = std::chrono::seconds(5);
        out.upstream_keepalive.idle = 4;
        return out;
    }
    [[nodiscard]] net::simulated::Weather weather() const {
        return is_calm ? net::simulated::Weather::calm() : net::simulated::Weather::ordinary();
    }
    bool one_in(std::uint32_t count) { return random.below(count) == 0; }

    // ---- the configuration

    void draw() {
        std::uint32_t count = 3 + random.below(4);
        good_ = 1 + random.below(count - 1);
        for (std::uint32_t i = 0; i < count; ++i) {
            ChaosTarget target;
            target.at = address("10.0.0." + std::to_string(i + 1) + ":80");
            target.is_good = i < good_;
            targets.push_back(target);
        }
        has_name = one_in(3);
        drawn.algorithm = static_cast<Algorithm>(random.below(5));
        is_hashed = drawn.algorithm == Algorithm::consistent_hashing;
        if (is_hashed) drawn.hash = {HashOn::header, "X-Plan"};
        drawn.slots = 100;
        draw_judges();
        if (one_in(3)) drawn.slow_start = SlowStart{.window = std::chrono::milliseconds(300)};
        if (one_in(3)) {
            drawn.limits.max_requests = 10 + random.below(30);
            drawn.limits.max_connections = 5 + random.below(20);
            drawn.limits.max_pending = random.below(20);
        }
        if (one_in(6)) drawn.limits.max_retries = 1 + random.below(4);
        drawn.limits.has_retry_budget = drawn.limits.max_retries == 0 && one_in(6);
        for (unsigned left = 3 + random.below(3); left > 0; --left) {
            auto client = std::make_unique<ChaosClient>();
            client->left = 1'000;
            client->thinks = 300 + random.below(600);
            client->leaves = one_in(2) ? 20 : 0;
            clients.push_back(std::move(client));
        }
    }
    void draw_judges() {
        using Seconds = std::chrono::duration<double>;
        ActiveCheck& active = drawn.healthchecks.active;
        PassiveCheck& passive = drawn.healthchecks.passive;
        active.healthy_statuses = passive.healthy_statuses = {200};
        active.unhealthy_statuses = passive.unhealthy_statuses = {503};
        active.http_path = "/health";
        active.timeout = Seconds(0.5);
        if (!one_in(3)) {
            active.healthy_interval = Seconds(one_in(3) ? 0 : 0.5);
            active.unhealthy_interval = Seconds(0.3);
            active.successes = 1 + random.below(2);
            active.tcp_failures = active.timeouts = active.http_failures = 1 + random.below(2);
        }
        if (!one_in(3)) {
            passive.tcp_failures = 1 + random.below(3);
            passive.timeouts = 1 + random.below(3);
            passive.http_failures = random.below(4);
        }
        needs_person = passive.tcp_failures > 0 && active.unhealthy_interval.count() == 0;
        if (one_in(2)) {
            OutlierDetection& outliers = drawn.outlier_detection.emplace();
            outliers.consecutive_5xx = 2 + random.below(4);
            outliers.consecutive_gateway_errors = random.below(3);
            outliers.interval = Seconds(1);
            outliers.base_ejection_time = Seconds(0.3 + 0.1 * random.below(8));
            outliers.max_ejection_time = Seconds(3);
            outliers.max_ejection_percent = 25 * (1 + random.below(4));
            outliers.success_rate_stdev_factor = one_in(2) ? 1.5 : 0;
            outliers.request_volume = 10;
            outliers.minimum_targets = 3;
        } else if (one_in(3)) {
            drawn.max_fails = 1 + random.below(3);
            drawn.fail_timeout = Seconds(1);
        }
        if (one_in(3))
            drawn.panic_threshold = 50;
        else if (one_in(6) && (passive.tcp_failures > 0 || active.unhealthy_interval.count() > 0))
            drawn.healthchecks.threshold = 30;
    }
    // `without`: a bad target that this version of the document does not have.
    void publish(std::size_t without = 0) {
        Document document;
        Index index = add_service(document, "app", "pool");
        Service& service = document.services[index];
        service.retries = retries;
        service.connect_timeout = connect_timeout;
        service.read_timeout = service.write_timeout = read_timeout;
        add_route(document, "/", index);
        std::vector<std::string> names;
        for (std::size_t i = 0; i < targets.size(); ++i) {
            bool is_last = i + 1 == targets.size();
            if (without == 0 || i != without || targets[i].is_good)
                names.push_back(has_name && is_last ? "name.example:80" : targets[i].at.text());
        }
        Upstream& made = add_upstream(document, "pool", names);
        Upstream wanted = drawn;
        wanted.id = made.id;
        wanted.name = made.name;
        wanted.targets = std::move(made.targets);
        made = std::move(wanted);
        world->publish(std::move(document));
        live = world->snapshots.back()->upstreams[0].live;
        world->snapshots.clear();  // whoever is still served by one keeps it
        checker->use({live});
    }
    // The name's address is that of the last target, or of one before it, or there is none.
    void name_is(std::size_t before, net::dns::Records::State state = net::dns::Records::State::resolved) {
        net::dns::Records records;
        records.state = state;
        if (state == net::dns::Records::State::resolved)
            records.addresses = {targets[targets.size() - 1 - before].at.ip};
        world->resolver.set("name.example", records);
    }

    // ---- what goes wrong

    base::Task<void> disturb() {
        net::Instant begin = random.below(5'000);
        net::Instant end = begin + 50 + random.below(static_cast<std::uint32_t>(faults_last.count() - begin - 50));
        net::Instant start = world->loop.now();
        std::uint32_t roll = random.below(16);
        auto bad = static_cast<std::uint32_t>(targets.size() - good_);
        std::size_t which = targets.size() - 1 - random.below(bad);
        ChaosTarget& target = targets[which];
        co_await net::sleep_until(world->loop, start + begin);
        if (roll < 2) {
            publish(random.below(2) == 0 ? 0 : which);
        } else if (roll < 4) {
            using State = net::dns::Records::State;
            constexpr State states[] = {State::resolved, State::not_found, State::failed};
            name_is(random.below(static_cast<std::uint32_t>(targets.size())), states[random.below(3)]);
            co_await net::sleep_until(world->loop, start + end);
            name_is(0);
        } else if (roll < 11) {
            target.mode = static_cast<ChaosTarget::Mode>(1 + random.below(7));
            co_await net::sleep_until(world->loop, start + end);
            target.mode = ChaosTarget::Mode::good;
        } else if (roll < 13) {  // it dies, and comes back
            world->loop.refuse(target.at);
            world->loop.reset_all(target.at);
            co_await net::sleep_until(world->loop, start + end);
            heal(target);
        } else if (roll == 13) {  // and again and again
            while (world->loop.now() < start + end) {
                world->loop.refuse(target.at);
                world->loop.reset_all(target.at);
                co_await net::sleep_until(world->loop, world->loop.now() + 50 + random.below(300));
                heal(target);
                co_await net::sleep_until(world->loop, world->loop.now() + 50 + random.below(300));
            }
        } else {  // a partition
            world->loop.blackhole(target.at);
            co_await net::sleep_until(world->loop, start + end);
            heal(target);
        }
    }
    // Also of a partition that another fault began: what waits is on its way now.
    void heal(ChaosTarget& target) {
        target.dark_until = world->loop.now() + longest_way.count();
        world->loop.heal(target.at);
    }
    void end_faults() {
        world->loop.set_weather(net::simulated::Weather::calm());
        for (ChaosTarget& target : targets) {
            heal(target);
            // What a connection has to suffer is drawn when it begins.
            if (!is_calm) world->loop.reset_all(target.at);
            target.mode = ChaosTarget::Mode::good;
        }
        for (auto& client : clients) client->left = 0;
        name_is(0);
        publish();
    }
    base::Task<void> flood() {
        co_await net::sleep_until(world->loop, world->loop.now() + random.below(5'000));
        std::size_t first = clients.size();
        for (unsigned left = 20 + random.below(40); left > 0; --left) {
            clients.push_back(std::make_unique<ChaosClient>());
            clients.back()->left = 1;
        }
        for (std::size_t i = first; i < clients.size(); ++i) begin(*clients[i]);
    }

    // ---- what must hold all the while

    void fault(std::string what) {
        faults.push_back("after " + std::to_string(world->loop.now() - began_) + " ms: " + std::move(what));
    }
    base::Task<void> sample() {
        while (!is_over) {
            look();
            co_await net::sleep_until(world->loop, world->loop.now() + sampled_every.count());
        }
    }
    void look() {
        most_blocks = std::max(most_blocks, world->loop.buffers().in_use());
        most_connections = std::max<std::size_t>(most_connections, world->process.connections());
        upstream::Load& load = live->load();
        const UpstreamLimits& limits = drawn.limits;
        auto within = [&](const char* what, std::uint32_t count, std::uint32_t most) {
            if (most > 0 && count > most) fault(std::string(what) + ": " + std::to_string(count) + " at a time");
        };
        within("requests", load.requests, limits.max_requests);
        within("connections", load.connections, limits.max_connections);
        within("pending", load.pending, limits.max_connections > 0 ? std::max(limits.max_pending, 1U) : 0);
        within("retries", load.retries, limits.max_retries);
        look_for_panic();
        for (ChaosTarget& target : targets) {
            bool is_out = out_for(target).count() > 0;
            if (is_out && !target.is_out) ++times_out;
            target.is_out = is_out;
            if (is_out && target.is_good && is_calm) fault("a good target is out of service: " + target.at.text());
        }
    }
    void look_for_panic() {
        std::uint64_t begun = live->load().panics;
        if (live->is_in_panic() || begun != panics) panic_at_ = world->loop.now();
        panics = begun;
    }
    void arrived(ChaosTarget& target, const WireMessage& message) {
        if (message.target() == "/health") {
            ++target.probes;
            return;
        }
        ++target.requests;
        auto id = static_cast<unsigned>(std::atoi(message.field("X-Plan").c_str()));
        if (id == 0 || id > requests.size()) return fault("a request that no client has sent: " + message.first);
        ChaosRequest& request = *requests[id - 1];
        ++request.heads;
        target.requests_after_all += request.is_after_all;
        net::Instant now = world->loop.now();
        net::Milliseconds out = out_for(target);
        look_for_panic();
        if (out > longest_way && panic_at_ < now - longest_way.count() && target.dark_until < now)
            fault("request " + std::to_string(id) + " went to " + target.at.text() + ", out of service for " +
                  std::to_string(out.count()) + " ms; sent " + std::to_string(now - request.sent_at) +
                  " ms ago, in configuration " + std::to_string(request.asked_version) + " of " +
                  std::to_string(world->version));
    }
    // How long it has been so without a break; 0: it is in service.
    net::Milliseconds out_for(const ChaosTarget& target) {
        std::int64_t now = world->loop.wall_now();
        std::int64_t out = 0;
        for (const upstream::Endpoint& endpoint : live->plan()->endpoints()) {
            if (endpoint.address != target.at) continue;
            const upstream::EndpointState& state = *endpoint.state;
            if (state.has(upstream::Bar::unhealthy)) out = std::max(out, now - state.turned_at);
            if (state.has(upstream::Bar::ejected)) out = std::max(out, now - state.outlier.ejected_at);
        }
        return net::Milliseconds(out);
    }

    // ---- targets

    void accept(ChaosTarget& target, Peer& peer) {
        links.push_back(std::make_unique<ChaosLink>());
        ChaosLink& link = *links.back();
        link.target = &target;
        link.peer = &peer;
        peer.keeps_received = false;
        peer.closes_at_end = true;
        peer.on_input = [this, &link](std::string_view bytes) { take(link, bytes); };
    }
    void take(ChaosLink& link, std::string_view bytes) {
        link.reader.feed(bytes);
        if (!link.reader.fault.empty()) return fault("at a target: " + link.reader.fault);
        while (link.at < link.reader.messages.size() && !link.is_given_up) {
            const WireMessage& message = link.reader.messages[link.at];
            if (!std::exchange(link.has_begun, true)) arrived(*link.target, message);
            if (!message.is_complete) return;
            link.has_begun = false;
            ++link.at;
            respond(link, message);
        }
    }
    void respond(ChaosLink& link, const WireMessage& message) {
        using Mode = ChaosTarget::Mode;
        Peer& peer = *link.peer;
        std::string id = message.field("X-Plan");
        auto answer = [&](const char* status) {
            std::string body = "the answer to " + id;
            return std::string("HTTP/1.1 ") + status + "\r\nX-Answer: " + id +
                   "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        };
        Mode mode = link.target->mode;
        if (mode == Mode::garbage && !id.empty()) requests[std::stoul(id) - 1]->met_garbage = true;
        link.is_given_up = mode != Mode::good && mode != Mode::error && mode != Mode::slow;
        switch (mode) {
            case Mode::good:
                return peer.send(answer("200 OK"));
            case Mode::error:
                return peer.send(answer("503 Service Unavailable"));
            case Mode::slow:
                peer.pause(net::Milliseconds(random.below(1'200)));
                return peer.send(answer("200 OK"));
            case Mode::silent:
                return;
            case Mode::half_head:
                peer.send("HTTP/1.1 200 OK\r\nX-Ans");
                break;
            case Mode::half_body:
                peer.send("HTTP/1.1 200 OK\r\nX-Answer: " + id + "\r\nContent-Length: 1000\r\n\r\nthe ans");
                break;
            case Mode::garbage:
                peer.send("what a day\r\n\r\n");
                break;
            case Mode::reset:
                return peer.abort();
        }
        one_in(2) ? peer.close() : peer.abort();
    }

    // ---- clients

    base::Task<void> come(ChaosClient& client, net::Instant wait) {
        co_await net::sleep_until(world->loop, world->loop.now() + wait);
        begin(client);
    }
    void begin(ChaosClient& client) {
        if (client.left == 0) return;
        client.peer = &world->client("192.0.2." + std::to_string(1 + random.below(5)));
        client.reader = std::make_unique<WireReader>(WireReader::Kind::responses);
        client.seen = 0;
        Peer& peer = *client.peer;
        peer.keeps_received = false;
        peer.closes_at_end = true;
        peer.on_input = [this, &client](std::string_view bytes) { take(client, bytes); };
        peer.on_end = [this, &client] { lost(client); };
        ask(client);
    }
    void ask(ChaosClient& client) {
        requests.push_back(std::make_unique<ChaosRequest>());
        ChaosRequest& request = *requests.back();
        request.id = static_cast<unsigned>(requests.size());
        request.is_post = one_in(3);
        request.sent_at = world->loop.now();
        request.asked_version = world->version;
        request.is_after_all = client.is_after_all;
        client.current = &request;
        --client.left;
        std::string method = request.is_post ? "POST" : "GET";
        client.reader->expect(method);
        client.peer->send(method + " /x HTTP/1.1\r\nHost: gw.example\r\nX-Plan: " + std::to_string(request.id) +
                          (request.is_post ? "\r\nContent-Length: 5\r\n\r\nhello" : "\r\n\r\n"));
        if (client.leaves == 0 || !one_in(client.leaves)) return;
        request.is_abandoned = true;
        client.left = 0;
        client.peer->pause(net::Milliseconds(random.below(300)));
        client.peer->abort();
    }
    void take(ChaosClient& client, std::string_view bytes) {
        client.reader->feed(bytes);
        if (!client.reader->fault.empty()) return fault("at a client: " + client.reader->fault);
        auto& messages = client.reader->messages;
        while (client.seen < messages.size() && messages[client.seen].is_complete) {
            const WireMessage& message = messages[client.seen++];
            if (client.current == nullptr) return fault("an answer that nobody waits for");
            answered(*std::exchange(client.current, nullptr), message);
            if (message.says_close()) return;  // the end comes
            go_on(client);
        }
    }
    void answered(ChaosRequest& request, const WireMessage& message) {
        request.status = message.status();
        request.has_own_answer = message.count("X-Answer") == 0;
        request.is_whole = true;
        std::string id = std::to_string(request.id);
        if (request.has_own_answer) return;
        if (message.field("X-Answer") != id || message.body != "the answer to " + id)
            fault("request " + id + " got another answer: " + message.first + " " + message.field("X-Answer"));
    }
    void go_on(ChaosClient& client) {
        if (client.left == 0) return client.peer->close();
        if (client.thinks > 0) client.peer->pause(net::Milliseconds(random.below(client.thinks)));
        ask(client);
    }
    // The connection has ended, between two answers or in the midst of one.
    void lost(ChaosClient& client) {
        client.reader->end();
        if (ChaosRequest* request = std::exchange(client.current, nullptr)) {
            request->is_closed = true;
            if (client.seen < client.reader->messages.size())
                request->status = client.reader->messages[client.seen].status();
        }
        world->loop.post([this, &client] { begin(client); });
    }

    void ask_after_all() {
        for (ChaosTarget& target : targets) target.requests_after_all = 0;
        for (int i = 0; i < 3; ++i) {
            clients.push_back(std::make_unique<ChaosClient>());
            clients.back()->left = static_cast<unsigned>(4 * targets.size());
            clients.back()->thinks = 60;  // so that the last ones come when slow start is over
            clients.back()->is_after_all = true;
            begin(*clients.back());
        }
    }

    std::uint32_t good_ = 0;  // the first ones
    bool is_over = false;
    net::Instant panic_at_ = -1'000'000;
    net::Instant began_ = 0;
};

}  // namespace gateway
