// What the simulated loop has beyond the other loops: its clock, its faults, its bounds. What all loops share is in
// net/loop_test.cpp, whole exchanges in every weather are in streams_test.cpp.
#include "net/simulated/loop.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/task.h"

namespace net::simulated {
namespace {

using base::Detached;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Accepted : AcceptSink {
    std::vector<SocketPtr> sockets;
    std::vector<SocketAddress> locals;
    int failures = 0;
    void accepted(SocketPtr socket, const SocketAddress& local) override {
        sockets.push_back(std::move(socket));
        locals.push_back(local);
    }
    void accept_failed(IoStatus) override { ++failures; }
};

struct Dialled {
    SocketPtr socket;
    IoStatus status = IoStatus::ok;
    bool is_done = false;
    Instant at = 0;
};

SocketAddress address_of(const char* text) { return SocketAddress::parse(text).value(); }

Detached dial(SimulatedLoop& loop, SocketAddress address, Dialled& out, Instant deadline = never) {
    Connected connected = co_await loop.connect(address, deadline);
    out.socket = std::move(connected.socket);
    out.status = connected.status;
    out.is_done = true;
    out.at = loop.now();
}

Detached send_much(Socket& socket, std::size_t size, std::size_t& sent) {
    const std::string text(1'000, 'x');
    while (sent < size) {
        if (co_await socket.send(Slice::constant(text), never) != IoStatus::ok) co_return;
        sent += text.size();
    }
}

Detached read_all(Socket& socket, std::size_t& got, IoStatus& end) {
    while (end == IoStatus::ok) {
        Received received = co_await socket.receive(never);
        end = received.status;
        got += received.slice.size();
    }
}

auto count_of(const std::vector<Dialled>& clients, IoStatus status) {
    return std::count_if(clients.begin(), clients.end(), [&](const Dialled& each) { return each.status == status; });
}
bool all_done(const std::vector<Dialled>& clients) {
    return std::all_of(clients.begin(), clients.end(), [](const Dialled& each) { return each.is_done; });
}

class Simulated : public testing::Test {
  protected:
    explicit Simulated(const Weather& weather = {}) : loop(7, weather) {}
    void SetUp() override { listener = listen("127.0.0.1:8000"); }
    std::unique_ptr<Listener> listen(const char* address, ListenOptions options = {}) {
        return std::move(loop.listen(address_of(address), options, sink)).value();
    }
    void connect(Dialled& client) {
        std::size_t before = sink.sockets.size();
        dial(loop, listener->address(), client);
        ASSERT_TRUE(loop.run_until([&] { return client.is_done && sink.sockets.size() > before; }, seconds(5)));
        ASSERT_TRUE(client.socket);
    }

    SimulatedLoop loop;
    Accepted sink;
    std::unique_ptr<Listener> listener;
};

TEST_F(Simulated, AnHourPassesInAFewTurns) {
    Instant start = loop.now();
    std::int64_t wall = loop.wall_now();
    loop.run_for(hours(1));
    EXPECT_EQ(loop.now() - start, 3'600'000);
    EXPECT_EQ(loop.wall_now() - wall, 3'600'000);
    int ticks = 0;
    auto tick = [](SimulatedLoop& on, int& count) -> Detached {
        for (; count < 60; ++count) co_await sleep_until(on, on.now() + 60'000);
    };
    tick(loop, ticks);
    EXPECT_TRUE(loop.run_until([&] { return ticks == 60; }, hours(1)));
    EXPECT_EQ(loop.now() - start, 7'200'000);
}

TEST_F(Simulated, AConditionThatNeverHoldsEndsOnTime) {
    Instant start = loop.now();
    EXPECT_FALSE(loop.run_until([] { return false; }, seconds(10)));
    EXPECT_EQ(loop.now() - start, 10'000);
    EXPECT_TRUE(loop.is_quiet());
}

TEST_F(Simulated, AProgramThatNeverWaitsCannotHoldTheClock) {
    struct Spinning {
        SimulatedLoop& loop;
        void again() {
            loop.post([this] { again(); });
        }
    } spinning{loop};
    spinning.again();
    bool fired = false;
    Timer timer([](void* flag) { *static_cast<bool*>(flag) = true; }, &fired);
    timer.arm(loop.timers(), loop.now() + 100);
    EXPECT_TRUE(loop.run_until([&] { return fired; }, seconds(1)));
}

TEST_F(Simulated, PostRunsInTheNextTurnAndOnce) {
    int ran = 0;
    loop.post([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    EXPECT_FALSE(loop.is_quiet());
    for (int i = 0; i < 3; ++i) loop.turn(false);
    EXPECT_EQ(ran, 1);
}

TEST_F(Simulated, AddressesAreThoseOfTheTwoSides) {
    auto anywhere = listen("0.0.0.0:0");
    EXPECT_NE(anywhere->address().port, 0);
    Dialled client;
    SocketAddress target{IpAddress::parse("10.1.2.3").value(), anywhere->address().port};
    auto dial_from = [](SimulatedLoop& on, SocketAddress to, Dialled& out) -> Detached {
        Connected connected = co_await on.connect_from(IpAddress::parse("192.0.2.9").value(), to, never);
        out.socket = std::move(connected.socket);
    };
    dial_from(loop, target, client);
    ASSERT_TRUE(loop.run_until([&] { return client.socket && !sink.sockets.empty(); }, seconds(5)));
    EXPECT_EQ(client.socket->remote(), target);
    EXPECT_EQ(sink.sockets[0]->remote().ip.text(), "192.0.2.9");
    EXPECT_EQ(sink.locals[0], anywhere->address());
    Dialled other;
    connect(other);  // the source was for one connection
    EXPECT_EQ(sink.sockets[1]->remote().ip, IpAddress::loopback_v4());
    EXPECT_NE(sink.sockets[1]->remote().port, sink.sockets[0]->remote().port);
}

TEST_F(Simulated, APortIsSharedOnlyIfBothAgree) {
    ListenOptions alone;
    alone.reuse_port = false;
    auto refused = loop.listen(listener->address(), alone, sink);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::invalid);
    Accepted second;
    auto shared = std::move(loop.listen(listener->address(), {}, second)).value();
    std::vector<Dialled> clients(50);
    for (Dialled& client : clients) dial(loop, listener->address(), client);
    ASSERT_TRUE(loop.run_until([&] { return all_done(clients) && loop.is_quiet(); }, seconds(5)));
    EXPECT_EQ(sink.sockets.size() + second.sockets.size(), 50u);
    EXPECT_GT(sink.sockets.size(), 5u);
    EXPECT_GT(second.sockets.size(), 5u);
    second.sockets.clear();
}

TEST_F(Simulated, ASlowReaderBlocksTheSender) {
    Weather weather;
    weather.least_capacity = weather.most_capacity = 10'000;
    loop.set_weather(weather);
    Dialled client;
    connect(client);
    Socket& server = *sink.sockets[0];
    std::size_t sent = 0;
    send_much(*client.socket, 10'000'000, sent);
    server.on_input({[](void*) {}, nullptr}, never);  // wakes once; then nobody reads
    loop.run_for(minutes(10));
    EXPECT_LE(sent, Socket::most_queued + BufferPool::large_size + 2 * 10'000);
    EXPECT_LE(loop.statistics().most_queued, 10'000u);
    EXPECT_TRUE(loop.is_quiet());
    std::size_t got = 0;
    IoStatus end{};
    read_all(server, got, end);
    ASSERT_TRUE(loop.run_until([&] { return sent == 10'000'000; }, hours(1)));
    client.socket->shutdown_write();
    ASSERT_TRUE(loop.run_until([&] { return end != IoStatus::ok; }, seconds(10)));
    EXPECT_EQ(got, 10'000'000u);
    EXPECT_LE(loop.statistics().most_queued, 10'000u);
}

TEST_F(Simulated, RefusedUntilHealed) {
    loop.refuse(listener->address());
    Dialled first;
    dial(loop, listener->address(), first);
    ASSERT_TRUE(loop.run_until([&] { return first.is_done; }, seconds(5)));
    EXPECT_EQ(first.status, IoStatus::refused);
    loop.heal(listener->address());
    Dialled second;
    connect(second);
}

TEST_F(Simulated, ABlackHoleSwallowsConnectsAndBytesUntilHealed) {
    Dialled old;
    connect(old);
    std::size_t sent = 0;
    std::size_t got = 0;
    IoStatus end{};
    read_all(*sink.sockets[0], got, end);
    loop.blackhole(listener->address());
    send_much(*old.socket, 2'000, sent);
    Dialled impatient;
    Dialled patient;
    Dialled endless;
    Instant start = loop.now();
    dial(loop, listener->address(), impatient, start + 1'000);
    dial(loop, listener->address(), patient, never);
    loop.run_for(seconds(60));
    EXPECT_EQ(impatient.status, IoStatus::timed_out);
    EXPECT_EQ(impatient.at, start + 1'000);
    EXPECT_FALSE(patient.is_done);
    EXPECT_EQ(got, 0u);
    loop.heal(listener->address());
    EXPECT_TRUE(loop.run_until([&] { return patient.is_done && got == 2'000; }, seconds(5)));
    EXPECT_EQ(patient.status, IoStatus::ok);
    loop.blackhole(listener->address());
    dial(loop, listener->address(), endless, never);
    EXPECT_TRUE(loop.run_until([&] { return endless.is_done; }, minutes(3)));
    EXPECT_EQ(endless.status, IoStatus::timed_out);
    loop.heal(listener->address());
    old.socket.reset();
    EXPECT_TRUE(loop.run_until([&] { return end == IoStatus::ended; }, seconds(5)));
}

TEST_F(Simulated, ResetAllBreaksBothSidesAndSparesOthers) {
    auto other = listen("127.0.0.1:8001");
    Dialled broken;
    Dialled spared;
    connect(broken);
    dial(loop, other->address(), spared);
    ASSERT_TRUE(loop.run_until([&] { return spared.is_done && sink.sockets.size() == 2; }, seconds(5)));
    std::size_t got = 0;
    std::array<IoStatus, 3> ends{};
    read_all(*broken.socket, got, ends[0]);
    read_all(*sink.sockets[0], got, ends[1]);
    read_all(*spared.socket, got, ends[2]);
    loop.reset_all(listener->address());
    loop.run_for(seconds(5));
    EXPECT_EQ(ends, (std::array{IoStatus::reset, IoStatus::reset, IoStatus::ok}));
    loop.abort(*spared.socket);
    loop.run_for(seconds(5));
    EXPECT_EQ(ends[2], IoStatus::reset);
    Dialled again;
    connect(again);
}

TEST(SimulatedSeeds, WhatComesAfterAnAbortIsNeverRead) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SimulatedLoop loop(seed);
        Accepted sink;
        auto listener = std::move(loop.listen(address_of("127.0.0.1:80"), {}, sink)).value();
        Dialled client;
        dial(loop, listener->address(), client);
        ASSERT_TRUE(loop.run_until([&] { return client.is_done && !sink.sockets.empty(); }, seconds(5)));
        loop.abort(*sink.sockets[0]);
        std::size_t sent = 0;
        send_much(*client.socket, 1'000'000, sent);  // does not know yet, and is told by the reset
        loop.run_for(std::chrono::milliseconds(seed % 4));
        std::size_t got = 0;
        IoStatus end{};
        read_all(*sink.sockets[0], got, end);
        loop.run_for(seconds(5));
        EXPECT_EQ(got, 0u) << seed;
        EXPECT_EQ(end, IoStatus::reset);
        EXPECT_LT(sent, 1'000'000u);
        EXPECT_EQ(loop.statistics().queued, 0u);
    }
}

TEST_F(Simulated, AFullQueueOfTheListenerMakesClientsWait) {
    listener.reset();
    ListenOptions options;
    options.backlog = 1;
    listener = listen("127.0.0.1:8000", options);
    Weather weather;
    weather.accept = {50, 0, 0};
    loop.set_weather(weather);
    std::vector<Dialled> clients(10);
    for (Dialled& client : clients) dial(loop, listener->address(), client);
    ASSERT_TRUE(loop.run_until([&] { return all_done(clients) && loop.is_quiet(); }, minutes(2)));
    EXPECT_EQ(sink.sockets.size(), clients.size());
}

TEST_F(Simulated, OutOfDescriptorsIsToldOnBothSides) {
    Weather weather;
    weather.no_descriptors = 0.5;
    loop.set_weather(weather);
    std::vector<Dialled> clients(100);
    for (Dialled& client : clients) dial(loop, listener->address(), client);
    loop.run_for(seconds(10));
    long refused = count_of(clients, IoStatus::no_descriptors);
    EXPECT_GT(refused, 20);
    EXPECT_GT(sink.failures, 0);
    EXPECT_GT(sink.sockets.size(), 5u);
    EXPECT_LT(sink.sockets.size(), clients.size() - static_cast<std::size_t>(refused));
}

TEST_F(Simulated, TheWeatherDecidesHowManyConnectionsFail) {
    Weather weather;
    weather.refused = 0.3;
    weather.vanished = 0.2;
    loop.set_weather(weather);
    std::vector<Dialled> clients(1'000);
    for (Dialled& client : clients) dial(loop, listener->address(), client, loop.now() + 1'000);
    loop.run_for(seconds(10));
    EXPECT_NEAR(count_of(clients, IoStatus::refused), 240, 60);
    EXPECT_NEAR(count_of(clients, IoStatus::timed_out), 200, 60);
    EXPECT_NEAR(static_cast<double>(sink.sockets.size()), 560, 80);
}

TEST(SimulatedSeeds, OrderDiffersBySeedAndDrawsOfTheProgramDoNotChangeIt) {
    auto order_of = [](std::uint64_t seed, int draws) {
        SimulatedLoop loop(seed);
        Accepted sink;
        auto listener = std::move(loop.listen(address_of("[::1]:80"), {}, sink)).value();
        for (int i = 0; i < draws; ++i) (void)loop.random().next();
        std::vector<Dialled> clients(20);
        for (Dialled& client : clients) dial(loop, listener->address(), client);
        loop.run_for(seconds(5));
        std::vector<std::uint16_t> ports;
        for (SocketPtr& socket : sink.sockets) ports.push_back(socket->remote().port);
        return std::pair(ports, loop.trace());
    };
    EXPECT_EQ(order_of(1, 0), order_of(1, 5));
    EXPECT_NE(order_of(1, 0).first, order_of(2, 0).first);
    EXPECT_NE(order_of(1, 0).second, order_of(2, 0).second);
}

TEST(SimulatedSeeds, TheLoopMayGoBeforeItsListeners) {
    Accepted sink;
    std::unique_ptr<Listener> listener;
    {
        SimulatedLoop loop(1);
        listener = std::move(loop.listen(address_of("127.0.0.1:80"), {}, sink)).value();
        Dialled client;
        dial(loop, listener->address(), client);
        loop.run_until([&] { return client.is_done; }, seconds(5));
        sink.sockets.clear();
        client.socket.reset();  // its completion is still to come
        EXPECT_GT(loop.open_sockets(), 0u);
    }
    listener.reset();
}

TEST(WeatherDraws, StayInTheirRanges) {
    base::Random random(3);
    for (std::size_t least : {1u, 2u, 3u, 7u, 8u, 100u})
        for (std::size_t most : {100u, 127u, 128u, 5'000u, 1u << 30}) {
            bool has_small = false;
            bool has_large = false;
            for (int i = 0; i < 5'000; ++i) {
                std::size_t size = any_size(random, least, most);
                ASSERT_GE(size, least);
                ASSERT_LE(size, most);
                has_small = has_small || size <= 2 * least;
                has_large = has_large || size >= most / 4;
            }
            EXPECT_TRUE(has_small && has_large) << least << " to " << most;
        }
    Weather weather = Weather::stormy();
    for (std::size_t under_way = 1; under_way < 2'000; ++under_way) {
        std::size_t step = step_of(random, weather, under_way);
        ASSERT_GE(step, 1u);
        ASSERT_LE(step, under_way);
    }
}

}  // namespace
}  // namespace net::simulated
