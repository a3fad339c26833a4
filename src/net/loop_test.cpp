// What every loop promises, tried on each that this machine allows and on the simulated one under several seeds, so
// that the simulation is held to what the kernel does.
#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "base/task.h"
#include "net/epoll/loop.h"
#include "net/posix.h"
#include "net/simulated/loop.h"
#include "net/uring/loop.h"

namespace net {
namespace {

using base::Detached;
using base::Task;

struct Accepted : AcceptSink {
    std::vector<SocketPtr> sockets;
    int failures = 0;
    void accepted(SocketPtr socket, const SocketAddress&) override { sockets.push_back(std::move(socket)); }
    void accept_failed(IoStatus) override { ++failures; }
};

struct Tried {
    Loop::Kind kind;
    std::uint64_t seed = 0;  // of the simulated one
};
std::string name_of(const testing::TestParamInfo<Tried>& info) {
    std::string out(name(info.param.kind));
    if (info.param.kind == Loop::Kind::simulated) out += "_" + std::to_string(info.param.seed);
    return out;
}

class LoopTest : public testing::TestWithParam<Tried> {
  protected:
    void SetUp() override {
        if (is_simulated()) {
            loop = std::make_unique<simulated::SimulatedLoop>(GetParam().seed);
        } else {
            auto made = GetParam().kind == Loop::Kind::epoll ? epoll::make() : uring::make();
            if (!made) GTEST_SKIP() << made.error().detail;
            loop = std::move(*made);
        }
        auto listening = loop->listen({IpAddress::loopback_v4(), 0}, {}, sink);
        ASSERT_TRUE(listening) << listening.error().detail;
        listener = std::move(*listening);
    }
    void TearDown() override {
        if (!loop) return;
        sink.sockets.clear();
        listener.reset();
        for (int i = 0; i < 100 && loop->open_sockets() > 0; ++i) loop->turn(false);
        EXPECT_EQ(loop->open_sockets(), 0u);
    }
    template <typename Condition>
    void run_until(Condition condition) {
        Instant end = clock() + 10'000;
        while (!condition() && clock() < end) {
            // A timer bounds the wait, so that a lost event is a failure and not a hang.
            Timer bound([](void*) {}, nullptr);
            bound.arm(loop->timers(), loop->now() + 50);
            loop->turn(true);
        }
        ASSERT_TRUE(condition());
    }
    Instant soon() { return loop->now() + 5'000; }
    [[nodiscard]] bool is_simulated() const { return GetParam().kind == Loop::Kind::simulated; }
    [[nodiscard]] Instant clock() const { return is_simulated() ? loop->now() : posix::monotonic_now(); }
    void reset(SocketPtr socket) {
        if (is_simulated()) return static_cast<simulated::SimulatedLoop&>(*loop).abort(*socket);
        linger abort{1, 0};
        setsockopt(socket->descriptor, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    }
    // Until what was sent has come as far as it can.
    void settle() {
        Instant end = clock() + 30;
        while (clock() < end) {
            Timer bound([](void*) {}, nullptr);
            bound.arm(loop->timers(), loop->now() + 5);
            loop->turn(true);
        }
    }
    // A connection with both of its ends in the test's hands.
    void connect_pair(SocketPtr& client, SocketPtr& server);

    std::unique_ptr<Loop> loop;
    Accepted sink;
    std::unique_ptr<Listener> listener;
};

Slice copied(Loop& loop, std::string_view text) {
    Draft draft(loop.buffers().at_least(text.size()));
    draft.append(text);
    return std::move(draft).finish();
}

void begin_send(Socket& socket, Slice slice, Instant deadline) {
    Pieces pieces;
    pieces.push(std::move(slice));
    socket.start_send(pieces, deadline);
}

Task<std::string> read_all(Socket& socket, Instant deadline, IoStatus& end) {
    std::string out;
    while (true) {
        Received piece = co_await socket.receive(deadline);
        end = piece.status;
        if (piece.status != IoStatus::ok) co_return out;
        out += piece.slice.text();
    }
}

Detached echo(Socket& socket, Instant deadline) {
    while (true) {
        Received piece = co_await socket.receive(deadline);
        if (piece.status != IoStatus::ok) break;
        if (co_await socket.send(std::move(piece.slice), deadline) != IoStatus::ok) break;
    }
    socket.shutdown_write();
}

// Reads everything, then sends it back in as few sends as it takes.
Detached give_back(Socket& socket, Instant deadline) {
    IoStatus end{};
    Task<std::string> reading = read_all(socket, deadline, end);
    std::string all = co_await std::move(reading);
    co_await socket.send(copied(socket.loop(), all), deadline);
    socket.shutdown_write();
}

Detached ask(Loop& loop, SocketAddress address, std::string text, std::string& answer, IoStatus& end, bool& done) {
    Instant deadline = loop.now() + 5'000;
    Connected connected = co_await loop.connect(address, deadline);
    end = connected.status;
    if (connected.socket) {
        end = co_await connected.socket->send(copied(loop, text), deadline);
        connected.socket->shutdown_write();
        Task<std::string> reading = read_all(*connected.socket, deadline, end);
        answer = co_await std::move(reading);
    }
    done = true;
}

TEST_P(LoopTest, EchoesThroughHalfClose) {
    std::string answer;
    IoStatus end{};
    bool done = false;
    ask(*loop, listener->address(), "hello", answer, end, done);
    run_until([&] { return !sink.sockets.empty(); });
    EXPECT_TRUE(sink.sockets[0]->remote().ip == IpAddress::loopback_v4());
    echo(*sink.sockets[0], soon());
    run_until([&] { return done; });
    EXPECT_EQ(answer, "hello");
    EXPECT_EQ(end, IoStatus::ended);
}

TEST_P(LoopTest, ConnectRefused) {
    SocketAddress address = listener->address();
    listener.reset();
    loop->turn(false);
    std::string answer;
    IoStatus end{};
    bool done = false;
    ask(*loop, address, "hello", answer, end, done);
    run_until([&] { return done; });
    EXPECT_EQ(end, IoStatus::refused);
}

TEST_P(LoopTest, ALargeTransferArrivesWholeAndABusyReaderStopsIt) {
    std::string answer;
    IoStatus end{};
    bool done = false;
    std::string text;
    for (int i = 0; text.size() < 24'000'000; ++i) text += std::to_string(i) + " ";
    ask(*loop, listener->address(), text, answer, end, done);
    run_until([&] { return !sink.sockets.empty(); });
    Socket& server = *sink.sockets[0];
    bool woken = false;
    server.on_input({[](void* flag) { *static_cast<bool*>(flag) = true; }, &woken}, soon());
    run_until([&] { return woken; });
    for (int i = 0; i < 200; ++i) loop->turn(false);  // nobody reads: the queue stays bounded
    EXPECT_LE(server.queued(), Socket::most_queued + 64 * BufferPool::large_size);
    give_back(server, soon());
    run_until([&] { return done; });
    EXPECT_EQ(end, IoStatus::ended);
    EXPECT_TRUE(answer == text);
}

TEST_P(LoopTest, ADeadlineEndsTheWaitAndTheSocketLives) {
    std::string answer;
    IoStatus end{};
    bool done = false;
    ask(*loop, listener->address(), "x", answer, end, done);
    run_until([&] { return !sink.sockets.empty(); });
    IoStatus first{};
    auto wait = [](Socket& socket, Instant deadline, IoStatus& out) -> Detached {
        Received ignored = co_await socket.receive(deadline);
        ignored = co_await socket.receive(never);  // the end of the client's half
        Received late = co_await socket.receive(deadline);
        out = late.status;
    };
    // Here the input has ended, so the status repeats and no deadline is waited for.
    wait(*sink.sockets[0], loop->now() + 30, first);
    run_until([&] { return first != IoStatus::ok; });
    EXPECT_EQ(first, IoStatus::ended);
    sink.sockets.clear();
    run_until([&] { return done; });
}

TEST_P(LoopTest, ReceiveTimesOutWhenNothingComes) {
    IoStatus status{};
    bool done = false;
    auto client = [](Loop& on, SocketAddress address, IoStatus& out, bool& finished) -> Detached {
        Connected connected = co_await on.connect(address, on.now() + 5'000);
        Received received = co_await connected.socket->receive(on.now() + 20);
        out = received.status;
        finished = true;
    };
    client(*loop, listener->address(), status, done);
    run_until([&] { return done; });
    EXPECT_EQ(status, IoStatus::timed_out);
}

TEST_P(LoopTest, ASendThatNobodyReadsTimesOut) {
    IoStatus status{};
    bool done = false;
    auto client = [](Loop& on, SocketAddress address, IoStatus& out, bool& finished) -> Detached {
        Connected connected = co_await on.connect(address, on.now() + 5'000);
        out = co_await connected.socket->send(copied(on, std::string(64'000'000, 'x')), on.now() + 50);
        finished = true;
    };
    client(*loop, listener->address(), status, done);
    run_until([&] { return done; });
    EXPECT_EQ(status, IoStatus::timed_out);
}

TEST_P(LoopTest, AResetIsTold) {
    std::string answer;
    IoStatus end{};
    bool done = false;
    ask(*loop, listener->address(), "x", answer, end, done);
    run_until([&] { return !sink.sockets.empty(); });
    reset(std::move(sink.sockets[0]));
    run_until([&] { return done; });
    EXPECT_EQ(end, IoStatus::reset);
}

TEST_P(LoopTest, DroppingATaskCancelsItsWait) {
    std::string answer;
    IoStatus end{};
    bool done = false;
    ask(*loop, listener->address(), "x", answer, end, done);
    run_until([&] { return !sink.sockets.empty(); });
    IoStatus server_end{};
    {
        Task<std::string> reading = read_all(*sink.sockets[0], soon(), server_end);
        reading.start();
        loop->turn(false);
    }
    sink.sockets.clear();
    run_until([&] { return done; });
    EXPECT_EQ(answer, "");
}

TEST_P(LoopTest, ClosingInTheMiddleOfASendLeaksNothing) {
    for (int turns = 0; turns < 10; ++turns) {
        bool connected = false;
        SocketPtr kept;
        auto client = [](Loop& on, SocketAddress address, SocketPtr& out, bool& is_there) -> Detached {
            Connected made = co_await on.connect(address, on.now() + 5'000);
            out = std::move(made.socket);
            is_there = true;
        };
        client(*loop, listener->address(), kept, connected);
        run_until([&] { return connected && !sink.sockets.empty(); });
        Slice much = copied(*loop, std::string(8'000'000, 'x'));
        begin_send(*kept, std::move(much), soon());
        sink.sockets.back()->on_input({[](void*) {}, nullptr}, soon());
        for (int i = 0; i < turns; ++i) loop->turn(false);
        if (turns % 2 == 0) kept.reset();
        sink.sockets.clear();
    }
    run_until([&] { return loop->open_sockets() == 0; });
}

TEST_P(LoopTest, TheEndOfATurnComesBeforeTheNextWaitAndOnce) {
    std::string ran;
    TurnEnd later([](void* to) { *static_cast<std::string*>(to) += 'l'; }, &ran);
    struct Again {
        Loop& loop;
        std::string& ran;
        TurnEnd& other;
    } again{*loop, ran, later};
    TurnEnd first(
        [](void* argument) {
            auto& self = *static_cast<Again*>(argument);
            self.ran += 'f';
            self.loop.at_turn_end(self.other);
        },
        &again);
    {
        TurnEnd dropped([](void*) { FAIL(); }, nullptr);
        loop->at_turn_end(dropped);
        loop->at_turn_end(first);
        loop->at_turn_end(first);
    }
    // What one of them links belongs to the next turn, so this one does not wait.
    loop->turn(true);
    EXPECT_EQ(ran, "f");
    loop->turn(false);
    EXPECT_EQ(ran, "fl");
    loop->post([&] { loop->at_turn_end(later); });
    loop->turn(true);
    EXPECT_EQ(ran, "fll");
}

TEST_P(LoopTest, ManyConnectionsAtOnce) {
    constexpr int count = 300;
    std::vector<std::string> answers(count);
    std::vector<IoStatus> ends(count);
    std::unique_ptr<bool[]> done(new bool[count]{});
    for (int i = 0; i < count; ++i)
        ask(*loop, listener->address(), std::string(1 + i * 37, 'a' + i % 26), answers[i], ends[i], done[i]);
    run_until([&] { return sink.sockets.size() == count; });
    for (auto& socket : sink.sockets) echo(*socket, soon());
    run_until([&] {
        for (int i = 0; i < count; ++i)
            if (!done[i]) return false;
        return true;
    });
    for (int i = 0; i < count; ++i) EXPECT_EQ(answers[i], std::string(1 + i * 37, 'a' + i % 26));
}

// ---- how connections end: the simulation is built on these, and the kernel confirms them

Detached read_to_end(Socket& socket, Instant deadline, std::string& all, IoStatus& end) {
    Task<std::string> reading = read_all(socket, deadline, end);
    std::string read = co_await std::move(reading);
    all = std::move(read);
}

void LoopTest::connect_pair(SocketPtr& client, SocketPtr& server) {
    bool done = false;
    auto dial = [](Loop& on, SocketAddress address, SocketPtr& out, bool& is_there) -> Detached {
        Connected made = co_await on.connect(address, on.now() + 5'000);
        out = std::move(made.socket);
        is_there = true;
    };
    dial(*loop, listener->address(), client, done);
    run_until([&] { return done && !sink.sockets.empty(); });
    server = std::move(sink.sockets.back());
    sink.sockets.pop_back();
    ASSERT_TRUE(client && server);
}

TEST_P(LoopTest, WhatASendTookArrivesThoughTheSocketIsClosed) {
    SocketPtr client;
    SocketPtr server;
    connect_pair(client, server);
    Slice text = copied(*loop, std::string(10'000, 'x'));
    begin_send(*server, std::move(text), soon());
    run_until([&] { return server->is_send_settled(); });
    server.reset();
    std::string all;
    IoStatus end{};
    read_to_end(*client, soon(), all, end);
    run_until([&] { return end != IoStatus::ok; });
    EXPECT_EQ(all, std::string(10'000, 'x'));
    EXPECT_EQ(end, IoStatus::ended);
}

TEST_P(LoopTest, ClosingWithUnreadInputResets) {
    SocketPtr client;
    SocketPtr server;
    connect_pair(client, server);
    Slice text = copied(*loop, "unread");
    begin_send(*client, std::move(text), soon());
    settle();
    server.reset();  // which has never received
    std::string all;
    IoStatus end{};
    read_to_end(*client, soon(), all, end);
    run_until([&] { return end != IoStatus::ok; });
    EXPECT_EQ(end, IoStatus::reset);
}

TEST_P(LoopTest, BytesThatReachAClosedSocketComeBackAsAReset) {
    SocketPtr client;
    SocketPtr server;
    connect_pair(client, server);
    server.reset();
    settle();
    IoStatus first{};
    IoStatus later{};
    auto send_twice = [](Socket& socket, Instant until, IoStatus& one, IoStatus& two) -> Detached {
        one = co_await socket.send(Slice::constant("first"), until);
        co_await sleep_until(socket.loop(), socket.loop().now() + 30);
        two = co_await socket.send(Slice::constant("second"), until);
    };
    send_twice(*client, soon(), first, later);
    run_until([&] { return later != IoStatus::ok; });
    EXPECT_EQ(first, IoStatus::ok);
    EXPECT_EQ(later, IoStatus::reset);
    EXPECT_EQ(client->input_end(), IoStatus::ended);  // the close itself was an orderly one
}

TEST_P(LoopTest, BytesThatCameBeforeAResetAreReadBeforeIt) {
    SocketPtr client;
    SocketPtr server;
    connect_pair(client, server);
    Slice text = copied(*loop, "before");
    begin_send(*client, std::move(text), soon());
    settle();
    reset(std::move(client));
    settle();
    std::string all;
    IoStatus end{};
    read_to_end(*server, soon(), all, end);
    run_until([&] { return end != IoStatus::ok; });
    EXPECT_EQ(all, "before");
    EXPECT_EQ(end, IoStatus::reset);
}

TEST_P(LoopTest, ConnectionsThatNobodyAcceptedEndWithTheListener) {
    IoStatus end{};
    std::string answer;
    bool done = false;
    ask(*loop, listener->address(), "hello", answer, end, done);
    listener.reset();
    run_until([&] { return done; });
    EXPECT_TRUE(end == IoStatus::refused || end == IoStatus::reset) << name(end);
}

INSTANTIATE_TEST_SUITE_P(All, LoopTest,
                         testing::Values(Tried{Loop::Kind::io_uring}, Tried{Loop::Kind::epoll},
                                         Tried{Loop::Kind::simulated, 1}, Tried{Loop::Kind::simulated, 2},
                                         Tried{Loop::Kind::simulated, 3}, Tried{Loop::Kind::simulated, 4}),
                         name_of);

// ---- what only a loop of a kernel does

class KernelLoopTest : public LoopTest {};

// Between the kernel's wake-up and the loop's next turn: a listener that is shared with a successor loses none.
TEST_P(KernelLoopTest, AListenerThatStopsStillTakesWhatHadCome) {
    loop->turn(false);
    sockaddr_storage native;
    socklen_t size = listener->address().to(native);
    int shared = ::dup(listener->descriptor());  // the successor's: else closing would end what nobody has accepted
    std::vector<int> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(::socket(AF_INET, SOCK_STREAM, 0));
        ASSERT_EQ(::connect(clients.back(), reinterpret_cast<sockaddr*>(&native), size), 0);
    }
    listener->stop();
    run_until([&] { return listener->is_stopped(); });
    EXPECT_EQ(sink.sockets.size(), clients.size());
    for (int client : clients) ::close(client);
    ::close(shared);
}

TEST_P(KernelLoopTest, PostFromAnotherThreadWakesTheLoop) {
    std::atomic<int> ran = 0;
    std::thread other([&] {
        for (int i = 0; i < 1000; ++i) loop->post([&] { ran.fetch_add(1); });
    });
    run_until([&] { return ran == 1000; });
    other.join();
}

INSTANTIATE_TEST_SUITE_P(All, KernelLoopTest, testing::Values(Tried{Loop::Kind::io_uring}, Tried{Loop::Kind::epoll}),
                         name_of);

}  // namespace
}  // namespace net
