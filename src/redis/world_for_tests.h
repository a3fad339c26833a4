// A simulated loop, a ScriptedServer on it and what a test says to a Client: results are kept until they are looked at.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "net/simulated/loop.h"
#include "redis/client.h"
#include "redis/scripted_server_for_tests.h"

namespace redis {

// One call and how it ended.
struct Outcome {
    std::optional<base::Result<Reply>> result;
    net::Instant at = 0;
    base::Task<void> task;

    [[nodiscard]] bool is_done() const { return result.has_value(); }
    [[nodiscard]] bool is_reply() const { return is_done() && result->ok(); }
    [[nodiscard]] std::string text() const {
        if (!is_done()) return "(nothing yet)";
        if (!*result) return "(" + std::string(base::name(result->error().code)) + ") " + result->error().detail;
        if (auto integer = (*result)->integer()) return std::to_string(*integer);
        return std::string((*result)->text());
    }
    [[nodiscard]] base::Code code() const { return result->ok() ? base::Code::internal : result->error().code; }
};

inline base::Task<void> ask(Client& client, Words words, net::Instant deadline, Outcome& out) {
    std::vector<std::string_view> arguments(words.begin(), words.end());
    base::Result<Reply> result = co_await client.command(Arguments(arguments), deadline);
    out.at = client.loop().now();
    out.result.emplace(std::move(result));
}
inline base::Task<void> run_script(Client& client, const Script& script, Words keys, Outcome& out) {
    std::vector<std::string_view> views(keys.begin(), keys.end());
    base::Result<Reply> result = co_await client.run(script, Arguments(views), {});
    out.at = client.loop().now();
    out.result.emplace(std::move(result));
}

struct World {
    explicit World(std::uint64_t seed, const net::simulated::Weather& weather = {}) : loop(seed, weather) {
        settings.server = {"127.0.0.1", 6379};
    }
    ~World() {
        outcomes.clear();
        client.reset();
        server.reset();
        // Nothing of a connection may be left over once both sides are gone.
        loop.run_for(std::chrono::seconds(1));
        EXPECT_EQ(loop.open_sockets(), 0u);
        EXPECT_EQ(loop.buffers().in_use(), 0u);
    }
    void serve() { server = std::make_unique<ScriptedServer>(loop, here()); }
    void connect() {
        ASSERT_TRUE(settings.check()) << settings.check().error().detail;
        client = std::make_unique<Client>(loop, settings, surroundings, 1);
    }
    [[nodiscard]] net::SocketAddress here() const { return {net::IpAddress::loopback_v4(), settings.server.port}; }

    Outcome& begin(Words words, net::Instant deadline = net::never) {
        Outcome& out = *outcomes.emplace_back(std::make_unique<Outcome>());
        out.task = ask(*client, std::move(words), deadline, out);
        out.task.start();
        return out;
    }
    Outcome& begin_script(const Script& script, Words keys) {
        Outcome& out = *outcomes.emplace_back(std::make_unique<Outcome>());
        out.task = run_script(*client, script, std::move(keys), out);
        out.task.start();
        return out;
    }
    // Waits for its end.
    Outcome& say(Words words) {
        Outcome& out = begin(std::move(words));
        finish(out);
        return out;
    }
    void finish(const Outcome& outcome) {
        EXPECT_TRUE(loop.run_until([&] { return outcome.is_done(); }, std::chrono::minutes(1)));
    }
    void finish_all() {
        for (const auto& outcome : outcomes) finish(*outcome);
    }

    net::simulated::SimulatedLoop loop;
    Settings settings;
    Surroundings surroundings;
    std::unique_ptr<ScriptedServer> server;
    std::unique_ptr<Client> client;
    std::vector<std::unique_ptr<Outcome>> outcomes;
};

}  // namespace redis
