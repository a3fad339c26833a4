// Scenario: a few clients, upstreams and configurations on one simulated core, all drawn from one seed, run to the end
// of time. The upstreams and clients keep to their plans; judge.h says afterwards whether all was right.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gateway/plan_for_tests.h"
#include "gateway/world_for_tests.h"

namespace gateway {

enum class Leaving : std::uint8_t { waits, closes, half_closes, aborts };

struct ScenarioClient {
    std::vector<Plan*> plans;
    Peer* peer = nullptr;
    WireReader reader{WireReader::Kind::responses};
    bool is_pipelining = false;
    bool waits_for_continue = false;
    bool is_slow = false;
    Leaving leaving = Leaving::waits;
    std::size_t abort_at = 0;  // bytes sent
    net::Instant begins = 0;

    std::size_t sent_bytes = 0;
    std::size_t sent = 0;      // plans
    std::size_t answered = 0;  // final messages seen
    std::size_t seen = 0;      // messages seen
    bool has_left = false;
    std::string held_body;  // until 100
    std::string tunnel_sent;
};

struct ScenarioLink {
    Peer* peer = nullptr;
    WireReader reader{WireReader::Kind::requests};
    std::size_t at = 0;  // message being dealt with
    bool has_begun = false;
    bool is_given_up = false;  // it did something bad: what else comes does not matter
};

class Scenario {
  public:
    enum class Kind : std::uint8_t { calm, ordinary, stormy };
    static constexpr unsigned retries = 2;
    static constexpr net::Milliseconds most_time = std::chrono::minutes(30);
    // What one client's exchange may hold, both sockets' queues and sends included, with the test's own peers beside.
    static constexpr std::size_t blocks_per_connection = 160;

    explicit Scenario(std::uint64_t number) : seed(number), random(number * 3 + 1), kind(kind_of(number)) {
        world = std::make_unique<World>(settings(), seed, weather());
        draw();
        listen();
        publish();
    }

    void run() {
        std::vector<base::Task<void>> tasks;
        for (auto& client : clients) tasks.push_back(begin(*client));
        unsigned events = kind == Kind::calm ? random.below(2) : random.below(4);
        for (unsigned i = 0; i < events; ++i) tasks.push_back(disturb());
        for (auto& task : tasks) task.start();
        is_stuck = !world->run_until(
            [&] {
                most_blocks = std::max(most_blocks, world->loop.buffers().in_use());
                return std::ranges::all_of(tasks, [](auto& task) { return task.is_done(); }) &&
                       std::ranges::all_of(clients, [](auto& client) { return client->peer->is_over(); }) &&
                       world->process.connections() == 0;
            },
            most_time);
        tasks.clear();
    }

    std::uint64_t seed;
    base::Random random;
    Kind kind;
    std::unique_ptr<World> world;
    std::vector<std::unique_ptr<Plan>> plans;
    std::vector<std::unique_ptr<ScenarioClient>> clients;
    std::vector<std::unique_ptr<ScenarioLink>> links;
    std::vector<std::string> faults;  // found on the way
    std::size_t most_blocks = 0;
    bool is_stuck = false;
    bool was_disturbed = false;  // by faults: calm no more
    bool was_drained = false;
    bool was_closed = false;
    bool has_unsaid_closes = false;

  private:
    static Kind kind_of(std::uint64_t number) { return static_cast<Kind>(number % 3); }
    [[nodiscard]] net::simulated::Weather weather() const {
        using net::simulated::Weather;
        return kind == Kind::calm ? Weather::calm() : kind == Kind::ordinary ? Weather::ordinary() : Weather::stormy();
    }
    Settings settings() {
        Settings out;
        out.limits.header_timeout = std::chrono::seconds(10);
        out.limits.body_timeout = std::chrono::seconds(10);
        out.limits.idle_timeout = std::chrono::seconds(15);
        out.limits.send_timeout = std::chrono::seconds(10);
        out.limits.linger_timeout = std::chrono::seconds(2);
        if (random.below(4) == 0) out.limits.keepalive_requests = 1 + random.below(4);
        out.upstream_keepalive.idle_timeout = std::chrono::seconds(random.below(2) == 0 ? 60 : 1);
        out.upstream_keepalive.requests = random.below(3) == 0 ? 2 : 10'000;
        out.upstream_keepalive.idle = random.below(4);
        return out;
    }
    void draw() {
        std::size_t most_size = kind == Kind::stormy ? 40'000 : 300'000;
        unsigned count = 1 + random.below(4);
        for (unsigned i = 0; i < count; ++i) {
            auto client = std::make_unique<ScenarioClient>();
            client->is_pipelining = random.below(3) == 0;
            client->waits_for_continue = !client->is_pipelining && random.below(2) == 0;
            client->is_slow = random.below(6) == 0;
            client->leaving = static_cast<Leaving>(random.below(kind == Kind::calm && random.below(4) != 0 ? 3 : 4));
            client->abort_at = drawn_size(random, most_size);
            client->begins = random.below(200);
            unsigned requests = 1 + random.below(5);
            for (unsigned j = 0; j < requests; ++j) {
                auto plan = std::make_unique<Plan>();
                plan->id = static_cast<unsigned>(plans.size() + 1);
                draw_request(*plan, random, most_size);
                draw_response(*plan, random, most_size);
                // Before die_at the answer goes out: in the head as often as in the body.
                plan->die_at = random.below(3) == 0 ? 0 : drawn_size(random, plan->size + 400);
                has_unsaid_closes = has_unsaid_closes || plan->upstream_closes_unsaid;
                client->plans.push_back(plan.get());
                client->reader.expect(plan->method);
                plans.push_back(std::move(plan));
                if (client->plans.back()->is_last_word()) break;
            }
            clients.push_back(std::move(client));
        }
    }
    void listen() {
        for (std::string_view at : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"})
            world->upstream(at).on_peer = [this](Peer& peer) { accept(peer); };
        net::dns::Records records;
        records.state = net::dns::Records::State::resolved;
        records.addresses = {ip("10.0.0.4")};
        world->resolver.set("name.example", records);
        world->resolver.set("nowhere.example", {net::dns::Records::State::not_found, {}, "no such name"});
    }
    void publish() {
        Document document;
        std::string path = "/v" + std::to_string(world->version + 1);
        auto add = [&](std::string_view name, std::string_view host) {
            Index index = add_service(document, name, host, path);
            Service& service = document.services[index];
            service.retries = retries;
            service.connect_timeout = std::chrono::seconds(3);
            service.read_timeout = service.write_timeout = std::chrono::seconds(5);
            return index;
        };
        Upstream& pair = add_upstream(document, "pair", {"10.0.0.2:80", "10.0.0.3:80"});
        pair.algorithm = static_cast<Algorithm>(random.below(5));
        if (pair.algorithm == Algorithm::consistent_hashing) pair.hash = {HashOn::header, "X-Plan"};
        pair.slots = 100;
        for (auto [name, host] : std::initializer_list<std::pair<const char*, const char*>>{
                 {"solo", "10.0.0.1"}, {"pair", "pair"}, {"named", "name.example"}, {"dead", "10.0.0.9"}})
            add_route(document, "/" + std::string(name), add(name, host));
        add_route(document, "/unresolved", add("unresolved", "nowhere.example"));
        add_route(document, "/bare", none);
        add_route(document, "/malformed", add("malformed", "10.0.0.1"));
        Route& secure = add_route(document, "/secure", add("secure", "10.0.0.1"));
        secure.protocols.reset();
        secure.protocols.set(static_cast<std::size_t>(Protocol::https));
        world->publish(std::move(document));
        world->snapshots.clear();  // whoever is still served by one keeps it
    }

    // ---- what happens meanwhile

    base::Task<void> disturb() {
        net::Instant when = random.below(kind == Kind::calm ? 300 : 3'000);
        co_await net::sleep_until(world->loop, world->loop.now() + when);
        std::uint32_t roll = random.below(kind == Kind::calm ? 10 : 20);
        net::SocketAddress at =
            random.below(5) == 0 ? world->gateway_address : world->upstreams[random.below(4)]->address();
        if (roll < 8) {
            publish();
        } else if (roll == 8) {
            was_drained = true;
            world->listener.reset();
            world->core->drain();
        } else if (roll == 9) {
            was_closed = true;
            world->core->close_all();
        } else {
            was_disturbed = true;
            if (roll < 13) co_return world->loop.reset_all(at);
            if (roll < 16)
                world->loop.refuse(at);
            else
                world->loop.blackhole(at);
            co_await net::sleep_until(world->loop, world->loop.now() + random.below(20'000));
            world->loop.heal(at);
        }
    }

    // ---- upstreams

    void fault(std::string what) { faults.push_back(std::move(what)); }

    void accept(Peer& peer) {
        links.push_back(std::make_unique<ScenarioLink>());
        ScenarioLink& link = *links.back();
        link.peer = &peer;
        peer.keeps_received = false;
        peer.closes_at_end = true;
        if (random.below(8) == 0) peer.reading_pause = [this] { return net::Milliseconds(random.below(40)); };
        peer.on_input = [this, &link](std::string_view bytes) { take(link, bytes); };
    }
    void take(ScenarioLink& link, std::string_view bytes) {
        link.reader.feed(bytes);
        if (!link.reader.fault.empty()) return fault("at an upstream: " + link.reader.fault);
        while (link.at < link.reader.messages.size() && !link.is_given_up) {
            WireMessage& message = link.reader.messages[link.at];
            Plan* plan = plan_of(message);
            if (plan == nullptr) return;
            if (!std::exchange(link.has_begun, true)) begin_exchange(link, message, *plan);
            if (!message.is_complete || link.is_given_up) return;
            link.has_begun = false;
            ++link.at;
            finish_exchange(link, message, *plan);
        }
    }
    Plan* plan_of(const WireMessage& message) {
        auto id = static_cast<unsigned>(std::atoi(message.field("X-Plan").c_str()));
        if (id == 0 || id > plans.size()) {
            fault("a request that no client has sent: " + message.first);
            return nullptr;
        }
        return plans[id - 1].get();
    }
    void begin_exchange(ScenarioLink& link, const WireMessage& message, Plan& plan) {
        if (!link.peer->has_played()) fault("a request before the answer to the one before it");
        ++plan.heads;
        std::string target = message.target();
        std::string wanted = "/" + std::to_string(plan.id) + "?q=" + std::to_string(plan.id);
        auto version = static_cast<std::uint64_t>(std::atoi(target.c_str() + 2));
        plan.versions.insert(version);
        if (target != "/v" + std::to_string(version) + wanted) fault("wrong target " + target);
        if (version < plan.asked_version || version > world->version) fault("wrong configuration " + target);
        if (message.method() != plan.method || !plan.reaches_upstream()) fault("wrong request " + message.first);
        if (message.count("X-Kong-Request-Id") != 1) fault("no request id");
        if (plan.manner == Plan::Manner::early) {
            respond(link, plan);
            if (plan.after_early == Plan::AfterEarly::reads_on) return;
            link.is_given_up = true;
            if (plan.after_early == Plan::AfterEarly::stops_reading) link.peer->stop_reading();
            if (plan.after_early == Plan::AfterEarly::closes) link.peer->close();
        } else if (plan.manner == Plan::Manner::duplex) {
            link.peer->send(response_text(plan, random).head);
        } else if (is_bad_now(plan) && plan.acts_on_head) {
            misbehave(link, plan);
        }
    }
    void finish_exchange(ScenarioLink& link, const WireMessage& message, Plan& plan) {
        ++plan.copies;
        if (message.body != request_body(plan)) fault("wrong body of " + message.first);
        bool wants_trailers = plan.request_has_trailers;
        if (wants_trailers != (message.trailers.size() == 1)) fault("wrong trailers of " + message.first);
        switch (plan.manner) {
            case Plan::Manner::early:
                return;  // has answered
            case Plan::Manner::duplex:
                link.peer->send(duplex_body(plan));
                return end_response(link, plan);
            case Plan::Manner::tunnel:
                return open_tunnel(link, plan);
            default:
                return is_bad_now(plan) ? misbehave(link, plan) : respond(link, plan);
        }
    }
    std::string duplex_body(const Plan& plan) { return response_text(plan, random).body; }
    [[nodiscard]] static bool is_bad_now(const Plan& plan) { return plan.is_bad() && plan.heads <= plan.bad_attempts; }

    void respond(ScenarioLink& link, Plan& plan) {
        ResponseText text = response_text(plan, random);
        send_in_parts(*link.peer, text.head + text.body, 300);
        end_response(link, plan);
    }
    void end_response(ScenarioLink& link, Plan& plan) {
        if (plan.upstream_closes_unsaid) link.peer->pause(net::Milliseconds(random.below(10)));
        bool holds_on = plan.manner == Plan::Manner::early && plan.after_early == Plan::AfterEarly::stops_reading;
        if (holds_on || (!plan.upstream_closes && !plan.upstream_closes_unsaid)) return;
        link.is_given_up = true;
        link.peer->close();
    }
    void misbehave(ScenarioLink& link, Plan& plan) {
        link.is_given_up = true;
        if (plan.manner == Plan::Manner::die) {
            ResponseText text = response_text(plan, random);
            send_in_parts(*link.peer, (text.head + text.body).substr(0, plan.die_at), 300);
            return plan.dies_by_reset ? link.peer->abort() : link.peer->close();
        }
        if (plan.manner == Plan::Manner::garbage) {
            link.peer->send(plan.id % 2 == 0 ? "this is not http\r\n\r\n" : std::string("\x16\x03\x01\x00\x01\x00", 6));
        } else if (plan.manner == Plan::Manner::endless_head) {
            link.peer->send("HTTP/1.1 200 OK\r\n");
            for (int i = 0; i < 100; ++i) link.peer->send("X-More: " + std::string(1'000, 'm') + "\r\n");
        }
    }
    void open_tunnel(ScenarioLink& link, Plan& plan) {
        link.is_given_up = true;
        Peer& peer = *link.peer;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Answer: " +
                  std::to_string(plan.id) + "\r\n\r\n");
        peer.closes_at_end = false;
        peer.on_input = [&peer](std::string_view bytes) { peer.send(std::string(bytes)); };
        peer.on_end = [&peer] {
            if (peer.end == net::IoStatus::ended) peer.finish();
            peer.close();
        };
        // What came behind the request, which only a tunnel may have.
        if (!link.reader.rest().empty()) peer.send(std::string(link.reader.rest()));
    }
    // With pauses that together stay below every timeout.
    void send_in_parts(Peer& peer, std::string_view text, net::Instant most_pause) {
        unsigned parts = random.below(3) == 0 ? random.below(6) : 0;
        while (parts-- > 0 && text.size() > 1) {
            std::size_t size = net::simulated::any_size(random, 1, text.size() - 1);
            peer.send(std::string(text.substr(0, size)));
            text.remove_prefix(size);
            if (random.below(2) == 0) peer.pause(net::Milliseconds(random.below(most_pause)));
        }
        peer.send(std::string(text));
    }

    // ---- clients

    base::Task<void> begin(ScenarioClient& client) {
        co_await net::sleep_until(world->loop, world->loop.now() + client.begins);
        client.peer = &world->client("192.0.2." + std::to_string(1 + random.below(3)));
        Peer& peer = *client.peer;
        peer.keeps_received = false;
        peer.closes_at_end = true;
        peer.on_input = [this, &client](std::string_view bytes) { take(client, bytes); };
        peer.on_end = [&client] { client.reader.end(); };
        if (client.is_slow)
            peer.reading_pause = [this, left = 40]() mutable {
                return net::Milliseconds(left-- > 0 ? random.below(100) : 0);
            };
        send_next(client);
        while (client.is_pipelining && client.sent < client.plans.size() && !client.has_left) send_next(client);
    }
    void send_next(ScenarioClient& client) {
        if (client.has_left || client.sent == client.plans.size()) return;
        Plan& plan = *client.plans[client.sent++];
        plan.is_asked = true;
        plan.asked_version = world->version;
        std::string payload = request_payload(plan, random);
        if (plan.expects && client.waits_for_continue) {
            client.held_body = std::move(payload);
            payload.clear();
        }
        say(client, request_head(plan) + payload);
        if (client.sent == client.plans.size() && client.held_body.empty()) say_goodbye(client);
    }
    void say(ScenarioClient& client, std::string text) {
        if (client.has_left) return;
        bool is_cut = client.leaving == Leaving::aborts && client.sent_bytes + text.size() > client.abort_at;
        if (is_cut) text.resize(client.abort_at - client.sent_bytes);
        client.sent_bytes += text.size();
        send_in_parts(*client.peer, text, 200);
        if (!is_cut) return;
        client.has_left = true;
        if (random.below(2) == 0) client.peer->pause(net::Milliseconds(random.below(100)));
        random.below(2) == 0 ? client.peer->abort() : client.peer->close();
    }
    // When all requests are out.
    void say_goodbye(ScenarioClient& client) {
        if (client.leaving == Leaving::half_closes && client.plans.back()->manner != Plan::Manner::tunnel)
            client.peer->finish();
    }
    void take(ScenarioClient& client, std::string_view bytes) {
        client.reader.feed(bytes);
        if (!client.reader.fault.empty()) return fault("at a client: " + client.reader.fault);
        auto& messages = client.reader.messages;
        while (client.seen < messages.size() && messages[client.seen].is_complete) {
            const WireMessage& message = messages[client.seen++];
            if (message.status() == 100) {
                say(client, std::exchange(client.held_body, {}));
                if (client.sent == client.plans.size()) say_goodbye(client);
            } else if (message.status() == 101) {
                ++client.answered;
                enter_tunnel(client);
            } else if (message.status() >= 200) {
                ++client.answered;
                // The body was never asked for: then the connection is of no more use to either side.
                bool is_unasked = !client.held_body.empty();
                if (is_unasked || message.says_close()) client.has_left = true;
                if (!client.is_pipelining) send_next(client);
                if (client.answered == client.plans.size() && client.leaving == Leaving::closes) client.peer->close();
                if (is_unasked) client.peer->close();
            }
        }
        if (!client.tunnel_sent.empty() && client.reader.tunnel.size() >= client.tunnel_sent.size())
            client.peer->finish();
    }
    void enter_tunnel(ScenarioClient& client) {
        client.tunnel_sent = pattern(client.plans.back()->id * 5, 1 + client.plans.back()->size);
        send_in_parts(*client.peer, client.tunnel_sent, 100);
    }
};

}  // namespace gateway
