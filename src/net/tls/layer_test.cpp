// TLS over simulated sockets in every weather: what is sent arrives, whoever is not who they should be is refused, and
// nobody's memory grows.
#include "net/tls/layer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/task.h"
#include "net/simulated/loop.h"
#include "net/tls/certificate_for_tests.h"

namespace net::tls {
namespace {

using simulated::Weather;
using std::chrono::minutes;
using std::chrono::seconds;

struct Accepted : AcceptSink {
    SocketPtr socket;
    void accepted(SocketPtr taken, const SocketAddress&) override { socket = std::move(taken); }
    void accept_failed(IoStatus) override {}
};

// One side: what it received, and a text it sends in pieces.
class Side {
  public:
    Side(Loop& loop, SocketPtr socket, Session session, base::Random& random) : loop_(loop), random_(random) {
        Secured secured = Layer::secure(std::move(socket), std::move(session));
        stream = std::move(secured.socket);
        layer = secured.layer;
        listen();
    }
    void send(std::string text) {
        to_send_ += text;
        if (!stream->is_sending()) send_some();
    }
    Loop& loop_;
    base::Random& random_;
    SocketPtr stream;
    Layer* layer = nullptr;
    std::string received;
    IoStatus end = IoStatus::ok;
    IoStatus send_end = IoStatus::ok;
    bool is_reading = true;

    void listen() {
        stream->on_input({[](void* self) { static_cast<Side*>(self)->read(); }, this}, never);
    }

  private:
    void read() {
        while (is_reading && stream->has_input()) received += stream->take_input().slice.text();
        if (!is_reading) return;
        if (stream->input_ended()) {
            end = stream->input_end();
            return;
        }
        listen();
    }
    void send_some() {
        while (!to_send_.empty() && !stream->is_sending() && send_end == IoStatus::ok) {
            Pieces pieces;
            for (int i = 0; i < 5 && !to_send_.empty(); ++i) {
                std::size_t size = std::min<std::size_t>(to_send_.size(), 1 + random_.below(40'000));
                Draft draft(loop_.buffers().at_least(size));
                draft.append(std::string_view(to_send_).substr(0, size));
                pieces.push(std::move(draft).finish());
                to_send_.erase(0, size);
            }
            stream->start_send(pieces, never);
            if (stream->is_sending())
                stream->on_sent({[](void* self) { static_cast<Side*>(self)->sent(); }, this});
            else
                send_end = stream->send_status();
        }
    }
    void sent() {
        send_end = stream->send_status();
        send_some();
    }
    std::string to_send_;
};

struct Weathers {
    std::uint64_t seed;
    Weather weather;
};

class LayerTest : public testing::TestWithParam<std::uint64_t> {
  protected:
    LayerTest() {
        path = testing::TempDir() + "cardea-authority-" + std::to_string(::getpid()) + ".pem";
        authority().write(path);
    }
    ~LayerTest() override {
        client.reset();
        server.reset();
        sink.socket.reset();
        loop.run_for(minutes(1));
        EXPECT_EQ(loop.open_sockets(), 0u);
        EXPECT_EQ(loop.buffers().in_use(), 0u);
        ::unlink(path.c_str());
    }
    static const Certificate& authority() {
        static const Certificate made = Certificate::authority("Test authority");
        return made;
    }
    static Weather weather_of(std::uint64_t seed) {
        Weather out = seed % 3 == 0 ? Weather::calm() : seed % 3 == 1 ? Weather::ordinary() : Weather::stormy();
        out.reset = out.refused = out.vanished = out.no_descriptors = 0;
        return out;
    }
    void connect(Session client_session, Session server_session) {
        listener = std::move(*loop.listen({IpAddress::loopback_v4(), 6379}, {}, sink));
        dial();
        ASSERT_TRUE(loop.run_until([&] { return dialled && sink.socket; }, minutes(1)));
        client = std::make_unique<Side>(loop, std::move(dialled), std::move(client_session), random);
        server = std::make_unique<Side>(loop, std::move(sink.socket), std::move(server_session), random);
    }
    base::Detached dial() {
        Connected connected = co_await loop.connect({IpAddress::loopback_v4(), 6379}, never);
        dialled = std::move(connected.socket);
    }
    [[nodiscard]] Session session(const std::string& name, Verify verify = Verify::chain_and_name) const {
        return ClientContext::make(path)->session(name, verify);
    }
    // Whether both come to terms; else how the client saw it fail.
    std::string greeting(const std::string& name, const Certificate& shown, Verify verify = Verify::chain_and_name) {
        connect(session(name, verify), shown.server_session());
        client->send("hello");
        loop.run_until([&] { return !server->received.empty() || client->end != IoStatus::ok; }, minutes(1));
        if (server->received == "hello") return "fine";
        EXPECT_EQ(server->received, "");
        EXPECT_EQ(client->end, IoStatus::failed);
        return client->layer->failure();
    }
    static std::string text_of(std::size_t size) {
        std::string out;
        for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(i * 2654435761u >> 13);
        return out;
    }

    simulated::SimulatedLoop loop{GetParam(), weather_of(GetParam())};
    base::Random random{GetParam()};
    std::string path;
    Accepted sink;
    std::unique_ptr<Listener> listener;
    SocketPtr dialled;
    std::unique_ptr<Side> client;
    std::unique_ptr<Side> server;
};
INSTANTIATE_TEST_SUITE_P(Seeds, LayerTest, testing::Range<std::uint64_t>(1, 13));

TEST_P(LayerTest, WhatIsSentArrivesBothWays) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    bool is_old = GetParam() % 2 == 0;
    connect(session("redis.example"), shown.server_session(TLS1_2_VERSION, is_old ? TLS1_2_VERSION : TLS1_3_VERSION));
    const std::string up = text_of(200'000 + GetParam());
    const std::string down = text_of(300'000 + GetParam());
    client->send(up);  // before the handshake
    server->send(down);
    EXPECT_TRUE(loop.run_until(
        [&] { return client->received.size() >= down.size() && server->received.size() >= up.size(); }, minutes(10)));
    EXPECT_TRUE(client->received == down);
    EXPECT_TRUE(server->received == up);
    EXPECT_TRUE(client->layer->is_greeted());
    EXPECT_FALSE(client->stream->is_sending());
    // Nobody holds a block while nothing is under way.
    loop.run_for(seconds(10));
    EXPECT_EQ(loop.buffers().in_use(), 0u);
    for (int i = 0; i < 3; ++i) {
        client->send("ping");
        server->send("pong");
    }
    EXPECT_TRUE(loop.run_until([&] { return client->received.ends_with("pongpongpong"); }, minutes(1)));
}

TEST_P(LayerTest, WhoeverReadsNothingIsSentABoundedAmount) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    connect(session("redis.example"), shown.server_session());
    client->send("hello");
    ASSERT_TRUE(loop.run_until([&] { return server->received == "hello"; }, minutes(1)));
    client->is_reading = false;
    const std::string much = text_of(3'000'000);
    server->send(much);
    loop.run_for(minutes(5));
    EXPECT_TRUE(server->stream->is_sending());
    client->is_reading = true;
    while (client->stream->has_input()) client->received += client->stream->take_input().slice.text();
    client->listen();
    EXPECT_TRUE(loop.run_until([&] { return client->received.size() >= much.size(); }, minutes(60)));
    EXPECT_TRUE(client->received == much);
}

TEST_P(LayerTest, CertificatesAreHeldToNameChainAndTime) {
    Certificate other = Certificate::authority("Another authority");
    switch (GetParam()) {
        case 1:
            EXPECT_EQ(greeting("redis.example", authority().sign("x", "DNS:redis.example")), "fine");
            break;
        case 2:
            EXPECT_EQ(greeting("127.0.0.1", authority().sign("x", "IP:127.0.0.1")), "fine");
            break;
        case 3:
            EXPECT_NE(greeting("redis.example", authority().sign("redis.example", "DNS:other.example")), "fine");
            break;
        case 4:
            EXPECT_NE(greeting("127.0.0.1", authority().sign("127.0.0.1", "DNS:127.0.0.1")), "fine");
            break;
        case 5:
            EXPECT_NE(greeting("redis.example", other.sign("x", "DNS:redis.example")), "fine");
            break;
        case 6:
            EXPECT_NE(greeting("redis.example", authority().sign("x", "DNS:redis.example", -7'200, -3'600)), "fine");
            break;
        case 7:
            EXPECT_NE(greeting("redis.example", authority().sign("x", "DNS:redis.example", 3'600)), "fine");
            break;
        case 8:
            EXPECT_EQ(greeting("redis.example", other.sign("x", "DNS:other.example"), Verify::nothing), "fine");
            break;
        case 9:
            EXPECT_EQ(greeting("a.redis.example", authority().sign("x", "DNS:*.redis.example")), "fine");
            break;
        case 10:
            EXPECT_NE(greeting("redis.example", other), "fine");
            break;
        case 11:
            // The dot says that the name is whole; it is no part of it (RFC 6066 3).
            EXPECT_EQ(greeting("redis.example.", authority().sign("x", "DNS:redis.example")), "fine");
            break;
        default:
            EXPECT_EQ(greeting("127.0.0.1", authority().sign("x", "DNS:redis.example"), Verify::nothing), "fine");
    }
}

TEST_P(LayerTest, NothingIsNegotiatedAnew) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    Session of_client = session("redis.example");
    Session of_server = shown.server_session(TLS1_2_VERSION, TLS1_2_VERSION);
    ssl_st* asked = of_client.get();
    ssl_st* asks = of_server.get();
    connect(std::move(of_client), std::move(of_server));
    client->send("hello");
    ASSERT_TRUE(loop.run_until([&] { return server->received == "hello"; }, minutes(1)));
    ASSERT_EQ(SSL_renegotiate(asks), 1);
    SSL_do_handshake(asks);
    server->send("pong");
    EXPECT_TRUE(loop.run_until([&] { return client->end != IoStatus::ok || server->end != IoStatus::ok; }, minutes(1)));
    EXPECT_EQ(SSL_total_renegotiations(asked), 0);
    EXPECT_EQ(SSL_is_init_finished(asked), 1);
}

TEST_P(LayerTest, OldVersionsAreRefused) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    Session old = shown.server_session(TLS1_VERSION, TLS1_1_VERSION);
    SSL_set_security_level(old.get(), 0);
    connect(session("redis.example"), std::move(old));
    EXPECT_TRUE(loop.run_until([&] { return client->end != IoStatus::ok; }, minutes(1)));
    EXPECT_FALSE(client->layer->is_greeted());
}

TEST_P(LayerTest, ClosingSaysSo) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    connect(session("redis.example"), shown.server_session());
    client->send("hello");
    ASSERT_TRUE(loop.run_until([&] { return server->received == "hello"; }, minutes(1)));
    server.reset();
    EXPECT_TRUE(loop.run_until([&] { return client->end != IoStatus::ok; }, minutes(1)));
    EXPECT_EQ(client->end, IoStatus::ended);
}

TEST_P(LayerTest, HalfAConnectionMayEnd) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    connect(session("redis.example"), shown.server_session());
    client->send("hello");
    ASSERT_TRUE(loop.run_until([&] { return server->received == "hello"; }, minutes(1)));
    ASSERT_TRUE(loop.run_until([&] { return !client->stream->is_sending(); }, minutes(1)));
    client->stream->shutdown_write();
    ASSERT_TRUE(loop.run_until([&] { return server->end == IoStatus::ended; }, minutes(1)));
    const std::string much = text_of(300'000);
    server->send(much);
    EXPECT_TRUE(loop.run_until([&] { return client->received.size() >= much.size(); }, minutes(10)));
    EXPECT_TRUE(client->received == much);
}

// Whoever is in between may cut the connection, and may not make that look like its end.
TEST_P(LayerTest, ACutWithoutAWordOfTlsIsNoOrderlyEnd) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    connect(session("redis.example"), shown.server_session());
    client->send("hello");
    ASSERT_TRUE(loop.run_until([&] { return server->received == "hello"; }, minutes(1)));
    server->is_reading = false;
    client->is_reading = false;
    server->send(text_of(3'000'000));
    loop.run_for(minutes(5));
    ASSERT_TRUE(server->stream->is_sending());
    server.reset();  // in the middle of sending
    client->is_reading = true;
    while (client->stream->has_input()) client->received += client->stream->take_input().slice.text();
    client->listen();
    EXPECT_TRUE(loop.run_until([&] { return client->end != IoStatus::ok; }, minutes(60)));
    EXPECT_EQ(client->end, IoStatus::reset);
}

TEST_P(LayerTest, GreetingTellsWhenBothHaveCome) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    Session silent = shown.server_session();
    connect(session("redis.example"), std::move(silent));
    IoStatus greeted = IoStatus::failed;
    bool is_over = false;
    client->stream->forget_input_waiter();
    auto wait = [](Layer& layer, Instant deadline, IoStatus& status, bool& over) -> base::Detached {
        status = co_await layer.greeting(deadline);
        over = true;
    };
    wait(*client->layer, after(loop.now(), minutes(2)), greeted, is_over);
    EXPECT_FALSE(is_over);
    EXPECT_TRUE(loop.run_until([&] { return is_over; }, minutes(3)));
    EXPECT_EQ(greeted, IoStatus::ok);
    EXPECT_TRUE(client->layer->is_greeted());
    // Nobody has said anything yet; what comes now comes as ever.
    client->listen();
    server->send("welcome");
    EXPECT_TRUE(loop.run_until([&] { return client->received == "welcome"; }, minutes(1)));
}

TEST_P(LayerTest, GreetingHasADeadline) {
    listener = std::move(*loop.listen({IpAddress::loopback_v4(), 6379}, {}, sink));
    dial();
    ASSERT_TRUE(loop.run_until([&] { return dialled && sink.socket; }, minutes(1)));
    Secured secured = Layer::secure(std::move(dialled), session("redis.example"));
    IoStatus greeted = IoStatus::ok;
    auto wait = [](Layer& layer, Instant deadline, IoStatus& status) -> base::Detached {
        status = co_await layer.greeting(deadline);
    };
    Instant begun = loop.now();
    wait(*secured.layer, after(begun, seconds(10)), greeted);
    EXPECT_TRUE(loop.run_until([&] { return greeted != IoStatus::ok; }, minutes(1)));
    EXPECT_EQ(greeted, IoStatus::timed_out);
    EXPECT_GE(loop.now() - begun, 10'000);
}

TEST_P(LayerTest, WhatIsNoTlsFails) {
    listener = std::move(*loop.listen({IpAddress::loopback_v4(), 6379}, {}, sink));
    dial();
    ASSERT_TRUE(loop.run_until([&] { return dialled && sink.socket; }, minutes(1)));
    client = std::make_unique<Side>(loop, std::move(dialled), session("redis.example"), random);
    Pieces pieces;
    pieces.push(Slice::constant("-ERR unknown command, with args beginning with: \r\n"));
    sink.socket->start_send(pieces, never);
    client->send("hello");
    EXPECT_TRUE(loop.run_until([&] { return client->end != IoStatus::ok; }, minutes(1)));
    EXPECT_EQ(client->end, IoStatus::failed);
    EXPECT_FALSE(client->stream->is_sending());
    EXPECT_NE(client->send_end, IoStatus::ok);
    EXPECT_FALSE(client->layer->failure().empty());
}

TEST_P(LayerTest, EitherSideMayGoAtAnyTime) {
    Certificate shown = authority().sign("redis", "DNS:redis.example");
    connect(session("redis.example"), shown.server_session());
    client->send(text_of(100'000));
    server->send(text_of(100'000));
    for (std::uint32_t i = random.below(60); i > 0; --i) loop.turn(true);
    if (GetParam() % 2 == 0)
        client.reset();
    else
        server.reset();
    loop.run_for(seconds(30));
}

TEST(ClientContext, FilesThatHoldNoCertificateAreRefused) {
    EXPECT_FALSE(ClientContext::make("no/such/file").ok());
    std::string path = testing::TempDir() + "cardea-nonsense-" + std::to_string(::getpid()) + ".pem";
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs("nonsense", file);
    std::fclose(file);
    EXPECT_FALSE(ClientContext::make(path).ok());
    ::unlink(path.c_str());
    EXPECT_TRUE(ClientContext::make("").ok());
}

}  // namespace
}  // namespace net::tls
