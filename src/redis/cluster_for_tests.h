// FakeCluster: a Redis Cluster of ScriptedServers on a simulated loop: who owns what, slots on their way from one node
// to another key by key, nodes that stop. As the Redis Cluster specification has it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "redis/scripted_server_for_tests.h"
#include "redis/slots.h"

namespace redis {

class FakeCluster {
  public:
    static constexpr std::uint16_t first_port = 7000;

    FakeCluster(net::Loop& loop, std::size_t count) : loop_(loop) {
        for (std::size_t i = 0; i < count; ++i) start(i);
        for (std::size_t slot = 0; slot < slot_count; ++slot) owner[slot] = slot * count / slot_count;
    }
    void start(std::size_t number) {
        if (nodes.size() <= number) nodes.resize(number + 1);
        nodes[number] =
            std::make_unique<ScriptedServer>(loop_, net::SocketAddress{net::IpAddress::loopback_v4(), port(number)});
        nodes[number]->intercept = [this, number](auto& session, const Words& words) {
            return answer(number, session, words);
        };
    }
    void stop(std::size_t number) { nodes[number]->stop(); }
    [[nodiscard]] static std::uint16_t port(std::size_t number) {
        return static_cast<std::uint16_t>(first_port + number);
    }
    [[nodiscard]] static Node node(std::size_t number) { return {"127.0.0.1", port(number)}; }

    // ---- a slot on its way
    void begin_move(std::uint16_t slot, std::size_t to) { moving[slot] = to; }
    void move_key(const std::string& key) {
        std::uint16_t slot = slot_of(key);
        auto& from = nodes[owner[slot]]->store;
        auto found = from.find(key);
        if (found == from.end() || !moving.contains(slot)) return;
        nodes[moving[slot]]->store[key] = found->second;
        from.erase(found);
    }
    void end_move(std::uint16_t slot) {
        std::vector<std::string> keys;
        for (const auto& [key, value] : nodes[owner[slot]]->store)
            if (slot_of(key) == slot) keys.push_back(key);
        for (const std::string& key : keys) move_key(key);
        owner[slot] = moving.at(slot);
        moving.erase(slot);
    }
    [[nodiscard]] std::size_t count(std::string_view name) const {
        std::size_t out = 0;
        for (const auto& each : nodes) out += each->count(name);
        return out;
    }

    std::vector<std::unique_ptr<ScriptedServer>> nodes;
    std::array<std::size_t, slot_count> owner;
    std::map<std::uint16_t, std::size_t> moving;
    ScriptedServer::Intercept intercept;  // before all else
    bool says_hosts = true;
    int try_again = 0;  // so many times

  private:
    [[nodiscard]] std::string place(std::size_t number) const {
        return (says_hosts ? "127.0.0.1:" : ":") + std::to_string(port(number));
    }
    std::optional<std::string> answer(std::size_t number, ScriptedServer::Session& session, const Words& words) {
        if (intercept)
            if (auto said = intercept(session, words)) return said;
        if (words[0] == "CLUSTER") return slots();
        if (words[0] == "ASKING") {
            session.is_asking = true;
            return "+OK\r\n";
        }
        bool is_asking = std::exchange(session.is_asking, false);
        std::vector<std::string_view> views(words.begin(), words.end());
        std::optional<std::string_view> key = key_of(views);
        if (!key || words[0] == "SELECT" || words[0] == "AUTH" || words[0] == "ECHO") return std::nullopt;
        std::uint16_t slot = slot_of(*key);
        auto target = moving.find(slot);
        std::string at = std::to_string(slot) + " ";
        if (owner[slot] == number) {
            if (target == moving.end() || nodes[number]->store.contains(std::string(*key))) return std::nullopt;
            return "-ASK " + at + place(target->second) + "\r\n";
        }
        if (is_asking && target != moving.end() && target->second == number) {
            if (try_again > 0 && try_again-- > 0) return "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
            return std::nullopt;
        }
        return "-MOVED " + at + place(owner[slot]) + "\r\n";
    }
    [[nodiscard]] std::string slots() const {
        std::vector<std::string> ranges;
        for (std::size_t first = 0; first < slot_count;) {
            std::size_t last = first;
            while (last + 1 < slot_count && owner[last + 1] == owner[first]) ++last;
            std::string host = says_hosts ? bulk("127.0.0.1") : "$-1\r\n";
            std::string id = bulk("0123456789012345678901234567890123456789");
            std::string master = list({host, redis::number(port(owner[first])), id, "*0\r\n"});
            std::string replica = list({host, redis::number(9'999), id, "*0\r\n"});
            ranges.push_back(list({redis::number(static_cast<std::int64_t>(first)),
                                   redis::number(static_cast<std::int64_t>(last)), master, replica}));
            first = last + 1;
        }
        return list(ranges);
    }
    net::Loop& loop_;
};

}  // namespace redis
