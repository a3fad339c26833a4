// Live: a loop of this machine, Clients on it and what a test says to them, for tests with real servers.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/epoll/loop.h"
#include "net/loop.h"
#include "net/posix.h"
#include "net/uring/loop.h"
#include "redis/client.h"
#include "redis/world_for_tests.h"

namespace redis {

class Live {
  public:
    Live() {
        std::string why_not;
        auto made = net::make_loop(std::nullopt, why_not);
        if (made) loop = std::move(*made);
    }
    explicit Live(net::Loop::Kind kind) {
        auto made = kind == net::Loop::Kind::epoll ? net::epoll::make() : net::uring::make();
        if (made) loop = std::move(*made);
    }
    ~Live() {
        outcomes.clear();
        clients.clear();
        if (!loop) return;
        for (int i = 0; i < 1'000 && loop->open_sockets() > 0; ++i) turn();
        EXPECT_EQ(loop->open_sockets(), 0u);
    }
    Client& connect(const Settings& settings) {
        base::Result<void> checked = settings.check();
        EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().detail);
        return *clients.emplace_back(std::make_unique<Client>(*loop, settings, Surroundings{}, 1));
    }
    void turn() {
        net::Timer bound([](void*) {}, nullptr);
        bound.arm(loop->timers(), loop->now() + 10);
        loop->turn(true);
    }
    bool run_until(const std::function<bool()>& condition, net::Milliseconds most) {
        net::Instant end = net::posix::monotonic_now() + most.count();
        while (!condition()) {
            if (net::posix::monotonic_now() > end) return false;
            turn();
        }
        return true;
    }
    Outcome& begin(Client& client, Words words, net::Instant deadline = net::never) {
        Outcome& out = *outcomes.emplace_back(std::make_unique<Outcome>());
        out.task = ask(client, std::move(words), deadline, out);
        out.task.start();
        return out;
    }
    Outcome& say(Client& client, Words words) {
        Outcome& out = begin(client, std::move(words));
        EXPECT_TRUE(run_until([&] { return out.is_done(); }, std::chrono::seconds(30)));
        return out;
    }
    // Again and again until it is answered so.
    bool says_at_last(Client& client, const Words& words, const std::string& text, net::Milliseconds most) {
        net::Instant end = net::posix::monotonic_now() + most.count();
        while (say(client, words).text() != text) {
            if (net::posix::monotonic_now() > end) return false;
            outcomes.clear();
            turn();
        }
        return true;
    }

    std::unique_ptr<net::Loop> loop;
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<std::unique_ptr<Outcome>> outcomes;
};

}  // namespace redis
