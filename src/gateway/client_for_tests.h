// What the directed tests of the gateway share: a world with one upstream that the test answers for, a client that
// reads answers one by one, and the gateway's usual settings made short enough to reason about.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gateway/world_for_tests.h"

namespace gateway {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A client connection and its answers.
class Client {
  public:
    explicit Client(World& world, std::string_view from = "192.0.2.7") : world_(world), peer_(world.client(from)) {
        peer_.on_input = [this](std::string_view bytes) { reader_.feed(bytes); };
        peer_.on_end = [this] { reader_.end(); };
    }
    ~Client() { peer_.close_now(); }

    Client& send(std::string_view bytes) {
        peer_.send(std::string(bytes));
        return *this;
    }
    // A whole head (and body), whose answer is waited for later.
    Client& request(std::string_view text) {
        reader_.expect(std::string(text.substr(0, text.find(' '))));
        return send(text);
    }
    Client& expect(std::string_view method) {
        reader_.expect(std::string(method));
        return *this;
    }
    // The next message, interim ones included; an incomplete one if the connection ended or `most` has passed.
    WireMessage answer(net::Milliseconds most = std::chrono::minutes(10)) {
        world_.run_until([this] { return has_answer() || peer_.is_over(); }, most);
        EXPECT_EQ(reader_.fault, "");
        if (reader_.messages.size() <= taken_) return {};
        return reader_.messages[taken_++];
    }
    [[nodiscard]] bool has_answer() const {
        return reader_.messages.size() > taken_ && reader_.messages[taken_].is_complete;
    }
    // Whether the gateway closes within that time.
    bool is_closed(net::Milliseconds most = std::chrono::minutes(10)) {
        world_.run_until([this] { return peer_.is_over(); }, most);
        return peer_.is_over();
    }
    Peer& peer() { return peer_; }
    WireReader& reader() { return reader_; }

  private:
    World& world_;
    Peer& peer_;
    WireReader reader_{WireReader::Kind::responses};
    std::size_t taken_ = 0;
};

// One upstream at 10.0.0.1:80 behind /, which the test answers for.
class GatewayTest : public testing::Test {
  protected:
    static constexpr std::string_view upstream_at = "10.0.0.1:80";

    void start(Settings settings = {}, net::simulated::Weather weather = net::simulated::Weather::calm()) {
        world_ = std::make_unique<World>(std::move(settings), 1, weather);
        is_published_ = false;
        upstream_ = &world_->upstream(upstream_at);
        upstream_->on_peer = [this](Peer& peer) {
            auto reader = std::make_shared<WireReader>(WireReader::Kind::requests);
            peer.on_input = [this, &peer, reader](std::string_view bytes) {
                std::size_t before = complete(*reader);
                reader->feed(bytes);
                EXPECT_EQ(reader->fault, "");
                for (std::size_t i = before; i < complete(*reader); ++i) {
                    requests.push_back(reader->messages[i]);
                    if (respond) respond(peer, requests.back());
                }
            };
            peer.on_end = [&peer] { peer.close(); };
        };
        document = Document();
        service = add_service(document, "main", "10.0.0.1");
        add_route(document, "/", service);
    }
    World& world() {
        if (!world_) start();
        if (!is_published_) {
            is_published_ = true;
            Document copy;
            copy.services = document.services;
            copy.routes = document.routes;
            copy.upstreams = document.upstreams;
            world_->publish(std::move(copy));
        }
        return *world_;
    }
    // Before anything is published.
    World& world_of() { return *world_; }
    Service& main_service() { return document.services[service]; }
    Peer& upstream_peer(std::size_t index) {
        EXPECT_TRUE(world().run_until([&] { return upstream_->peers.size() > index; }));
        return *upstream_->peers.at(index);
    }
    bool await_requests(std::size_t count) {
        return world().run_until([&] { return requests.size() >= count; });
    }
    void TearDown() override {
        if (world_) EXPECT_EQ(world_->leftovers(), "");
    }
    net::Instant now() { return world().loop.now(); }

    std::vector<WireMessage> requests;  // complete ones, of all upstream connections
    // The answer to each complete request.
    std::function<void(Peer&, const WireMessage&)> respond = [](Peer& peer, const WireMessage& request) {
        peer.send(request.method() == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                                             : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    };
    Document document;
    Index service = 0;
    PeerListener* upstream_ = nullptr;

  private:
    static std::size_t complete(const WireReader& reader) {
        if (reader.messages.empty()) return 0;
        return reader.messages.size() - (reader.messages.back().is_complete ? 0 : 1);
    }
    std::unique_ptr<World> world_;
    bool is_published_ = false;
};

}  // namespace gateway
