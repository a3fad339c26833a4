// Many fetches on one thread, against a server that answers, waits or says too much.
#include "net/fetches.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "net/address.h"

namespace net {

namespace {
// One connection a request; a request for /wait is never answered.
class Server {
  public:
    Server() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage native;
        std::uint32_t size = SocketAddress{IpAddress::loopback_v4(), 0}.to(native);
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&native), size), 0);
        EXPECT_EQ(listen(listener_, 16), 0);
        socklen_t length = sizeof native;
        getsockname(listener_, reinterpret_cast<sockaddr*>(&native), &length);
        port = SocketAddress::from(native).port;
        thread_ = std::thread([this] { serve(); });
    }
    ~Server() {
        shutdown(listener_, SHUT_RDWR);
        thread_.join();
        for (int held : held_) close(held);
        close(listener_);
    }
    [[nodiscard]] std::string url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(port) + path;
    }
    std::uint16_t port = 0;

  private:
    void serve() {
        for (int client = 0; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
            std::string request;
            char piece[4096];
            ssize_t got = 0;
            while (request.find("\r\n\r\n") == request.npos && (got = read(client, piece, sizeof piece)) > 0)
                request.append(piece, static_cast<std::size_t>(got));
            if (request.starts_with("GET /wait")) {
                held_.push_back(client);
                continue;
            }
            std::string status = request.starts_with("GET /not-modified") ? "304 Not Modified" : "200 OK";
            std::string body = status[0] == '3' ? "" : request;
            std::string answer = "HTTP/1.1 " + status + "\r\nConnection: close\r\nETag: \"7\"\r\nContent-Length: " +
                                 std::to_string(body.size()) + "\r\n\r\n" + body;
            EXPECT_EQ(write(client, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
            close(client);
        }
    }
    int listener_;
    std::vector<int> held_;
    std::thread thread_;
};

FetchRequest request(std::string url, std::vector<std::string> fields = {}) {
    FetchRequest out;
    out.url = std::move(url);
    out.limits.whole = std::chrono::seconds(30);
    out.limits.is_direct = true;
    out.limits.fields = std::move(fields);
    out.wanted = {"ETag", "X-Absent"};
    return out;
}

Fetches::Done next(Fetches& fetches) {
    for (;;) {
        auto done = fetches.wait(std::chrono::seconds(30));
        if (!done.empty()) return std::move(done.front());
    }
}
}  // namespace

TEST(Fetches, WhatComesAndWhatDoesNot) {
    Server server;
    auto fetches = *Fetches::open();
    fetches->start(1, request(server.url("/wait")));
    fetches->start(2, request(server.url("/hello"), {"X-Token: abc"}));
    auto hello = next(*fetches);
    ASSERT_EQ(hello.id, 2U);
    ASSERT_TRUE(hello.answer) << hello.answer.error().detail;
    EXPECT_EQ(hello.answer->status, 200);
    EXPECT_EQ(hello.answer->header("ETag"), "\"7\"");
    EXPECT_EQ(hello.answer->header("X-Absent"), "");
    EXPECT_NE(hello.answer->body.find("X-Token: abc\r\n"), std::string::npos);

    fetches->start(3, request(server.url("/not-modified")));
    EXPECT_EQ(next(*fetches).answer->status, 304);

    FetchRequest small = request(server.url("/hello"));
    small.limits.bytes = 10;
    fetches->start(4, std::move(small));
    EXPECT_EQ(next(*fetches).answer.error().code, base::Code::too_large);

    fetches->cancel(1);
    fetches->cancel(99);
    fetches->start(1, request("http://127.0.0.1:1/"));
    auto refused = next(*fetches);
    EXPECT_EQ(refused.id, 1U);
    EXPECT_EQ(refused.answer.error().code, base::Code::refused);
}

TEST(Fetches, ItIsWokenAndItsDeadlinesHold) {
    Server server;
    auto fetches = *Fetches::open();
    fetches->start(1, request(server.url("/wait")));
    std::thread waker([&] { fetches->wake(); });
    while (!fetches->wait(std::chrono::seconds(60)).empty()) ADD_FAILURE();
    waker.join();
    FetchRequest brief = request(server.url("/wait"));
    brief.limits.whole = std::chrono::milliseconds(50);
    fetches->start(2, std::move(brief));
    auto late = next(*fetches);
    EXPECT_EQ(late.id, 2U);
    EXPECT_EQ(late.answer.error().code, base::Code::timed_out);
}

}  // namespace net
