// A DNS server over UDP whose answers a test makes up, and the pieces of DNS messages to make them of.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/address.h"
#include "net/dns/settings.h"

namespace net::dns {

// A UDP server whose answers are the test's.
class LyingServer {
  public:
    using Answers = std::function<std::vector<std::string>(const std::string& query)>;
    explicit LyingServer(Answers answers)
        : answers_(std::move(answers)), socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_storage native;
        std::uint32_t size = SocketAddress{IpAddress::loopback_v4(), 0}.to(native);
        EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&native), size), 0);
        socklen_t length = sizeof native;
        getsockname(socket_, reinterpret_cast<sockaddr*>(&native), &length);
        port_ = SocketAddress::from(native).port;
        thread_ = std::thread([this] { serve(); });
    }
    ~LyingServer() {
        is_stopping_ = true;
        sockaddr_storage native;
        std::uint32_t size = SocketAddress{IpAddress::loopback_v4(), port_}.to(native);
        sendto(socket_, "", 0, 0, reinterpret_cast<sockaddr*>(&native), size);
        thread_.join();
        close(socket_);
    }
    [[nodiscard]] Settings settings() const {
        Settings out;
        out.servers = {{IpAddress::loopback_v4(), port_}};
        out.resolv_conf = "/dev/null";
        out.hosts_file = "";
        out.timeout = std::chrono::milliseconds(200);
        out.tries = 1;
        return out;
    }
    [[nodiscard]] int asked() const { return asked_; }

  private:
    void serve() {
        char query[4096];
        while (true) {
            sockaddr_storage from;
            socklen_t length = sizeof from;
            ssize_t got = recvfrom(socket_, query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &length);
            if (is_stopping_) return;
            if (got < 12) continue;
            ++asked_;
            for (const std::string& answer : answers_(std::string(query, static_cast<std::size_t>(got))))
                sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
        }
    }
    Answers answers_;
    int socket_;
    std::uint16_t port_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::atomic<int> asked_ = 0;
    std::thread thread_;
};

// Pieces of DNS messages (RFC 1035 4.1).
inline std::string question_of(const std::string& query) {
    std::size_t end = query.find('\0', 12);
    return query.substr(12, end + 5 - 12);
}
inline std::string number(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
inline std::string reply(const std::string& query, unsigned flags, const std::vector<std::string>& records) {
    std::string out = query.substr(0, 2) + number(flags) + number(1) + number(static_cast<unsigned>(records.size())) +
                      number(0) + number(0);
    out += question_of(query);
    for (const std::string& record : records) out += record;
    return out;
}
inline std::string a_record(std::string_view owner, std::string_view address, unsigned ttl = 60) {
    std::uint32_t ip = IpAddress::parse(address)->as_v4();
    return std::string(owner) + number(1) + number(1) + number(0) + number(ttl) + number(4) + number(ip >> 16) +
           number(ip & 0xffff);
}
inline std::string cname_record(std::string_view owner, std::string_view target) {
    return std::string(owner) + number(5) + number(1) + number(0) + number(60) +
           number(static_cast<unsigned>(target.size())) + std::string(target);
}
inline std::string wire_name(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        std::string_view label = name.substr(0, name.find('.'));
        name.remove_prefix(std::min(name.size(), label.size() + 1));
        out += static_cast<char>(label.size()) + std::string(label);
    }
    return out + '\0';
}
inline std::string srv_record(std::string_view owner, std::string_view host, unsigned port, unsigned priority = 0,
                              unsigned weight = 1, unsigned ttl = 60) {
    std::string data = number(priority) + number(weight) + number(port) + wire_name(host);
    return std::string(owner) + number(33) + number(1) + number(ttl >> 16) + number(ttl & 0xffff) +
           number(static_cast<unsigned>(data.size())) + data;
}
inline const std::string asked_name = "\xc0\x0c";  // a pointer to the question
inline constexpr unsigned good = 0x8180;

}  // namespace net::dns
