// ScriptedServer: a Redis for tests, on the loop of its client: a small store that reads commands with a reader of its
// own, and that a test can make do anything else: stay silent, be slow, answer nonsense, break. Keeps what it was told.
#pragma once

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "net/loop.h"

namespace redis {

using Words = std::vector<std::string>;

inline std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline std::string number(std::int64_t value) { return ":" + std::to_string(value) + "\r\n"; }
inline std::string list(const std::vector<std::string>& encoded) {
    std::string out = "*" + std::to_string(encoded.size()) + "\r\n";
    for (const std::string& each : encoded) out += each;
    return out;
}

class ScriptedServer final : net::AcceptSink {
  public:
    struct Session {
        net::SocketPtr socket;
        std::string input;
        std::string output;
        std::size_t number = 0;
        bool is_authenticated = false;
        bool is_asking = false;
        bool is_mute = false;  // from now on
        bool closes = false;   // once the output is sent
        bool is_closed = false;
        net::Milliseconds pause{0};  // before what comes next is sent
        std::vector<Words> said;
        base::Task<void> task;
    };
    // Bytes to send, which may be none; nothing: the store answers.
    using Intercept = std::function<std::optional<std::string>(Session&, const Words&)>;

    ScriptedServer(net::Loop& loop, const net::SocketAddress& address) : loop_(loop) {
        auto made = loop.listen(address, {}, *this);
        ensure(made.ok());
        listener_ = std::move(*made);
    }
    ScriptedServer(const ScriptedServer&) = delete;

    Intercept intercept;
    std::string username = "default";
    std::string password;  // asked for unless empty
    std::string role = "master";
    std::map<std::string, std::string> store;
    std::set<std::string> scripts;  // digests
    std::deque<std::unique_ptr<Session>> sessions;

    [[nodiscard]] net::SocketAddress address() const { return listener_->address(); }
    [[nodiscard]] std::uint16_t port() const { return listener_->address().port; }
    // All commands of that name, of every connection.
    [[nodiscard]] std::size_t count(std::string_view name) const {
        std::size_t out = 0;
        for (const auto& session : sessions)
            for (const Words& words : session->said) out += words[0] == name;
        return out;
    }
    void close_all() {
        for (auto& session : sessions) close(*session);
    }
    void stop() {
        listener_.reset();
        close_all();
    }
    // Words of a command that the store has answered.
    std::string answer(Session& session, const Words& words) {
        const std::string& name = words[0];
        if (name == "AUTH") return authenticate(session, words);
        if (!password.empty() && !session.is_authenticated) return "-NOAUTH Authentication required.\r\n";
        if (name == "PING") return "+PONG\r\n";
        if (name == "SELECT") return words.at(1).size() > 1 ? "-ERR DB index is out of range\r\n" : "+OK\r\n";
        if (name == "ROLE") return list({bulk(role), number(0), "*0\r\n"});
        if (name == "ECHO") return bulk(words.at(1));
        if (name == "SET") return (store[words.at(1)] = words.at(2), "+OK\r\n");
        if (name == "GET") return store.contains(words.at(1)) ? bulk(store[words[1]]) : "$-1\r\n";
        if (name == "INCR") return increment(words.at(1));
        if (name == "EVAL" || name == "EVALSHA") return run(words);
        return "-ERR unknown command '" + name + "', with args beginning with: " + (words.size() > 1 ? words[1] : "") +
               "\r\n";
    }
    static void close(Session& session) {
        session.is_closed = true;
        session.task = {};
        session.socket.reset();
    }

  private:
    void accepted(net::SocketPtr socket, const net::SocketAddress&) override {
        Session& session = *sessions.emplace_back(std::make_unique<Session>());
        session.socket = std::move(socket);
        session.number = sessions.size();
        session.task = serve(session);
        session.task.start();
    }
    void accept_failed(net::IoStatus) override {}

    base::Task<void> serve(Session& session) {
        while (true) {
            net::Received received = co_await session.socket->receive(net::never);
            if (received.status != net::IoStatus::ok) break;
            session.input += received.slice.text();
            while (std::optional<Words> words = next(session.input)) {
                session.said.push_back(*words);
                if (session.is_mute) continue;
                std::optional<std::string> said = intercept ? intercept(session, *words) : std::nullopt;
                session.output += said ? *said : answer(session, *words);
                if (session.closes) break;
                if (session.pause.count() > 0) {
                    net::Instant until = net::after(loop_.now(), std::exchange(session.pause, net::Milliseconds(0)));
                    co_await net::sleep_until(loop_, until);
                }
            }
            if (!session.output.empty()) {
                net::Draft draft(loop_.buffers().at_least(session.output.size()));
                draft.append(std::exchange(session.output, {}));
                net::IoStatus status = co_await session.socket->send(std::move(draft).finish(), net::never);
                if (status != net::IoStatus::ok) break;
            }
            if (session.closes) break;
        }
        session.is_closed = true;
        session.socket.reset();
    }

    // One whole command, taken off the input.
    static std::optional<Words> next(std::string& input) {
        std::size_t at = 0;
        auto length = [&](char mark) -> std::optional<std::size_t> {
            std::size_t end = input.find("\r\n", at);
            if (end == std::string::npos) return std::nullopt;
            ensure(input[at] == mark, input);
            std::size_t value = std::strtoul(input.c_str() + at + 1, nullptr, 10);
            at = end + 2;
            return value;
        };
        std::optional<std::size_t> count = length('*');
        if (!count) return std::nullopt;
        Words out;
        for (std::size_t i = 0; i < *count; ++i) {
            std::optional<std::size_t> size = length('$');
            if (!size || input.size() < at + *size + 2) return std::nullopt;
            out.push_back(input.substr(at, *size));
            ensure(input.compare(at + *size, 2, "\r\n") == 0, input);
            at += *size + 2;
        }
        input.erase(0, at);
        return out;
    }

    std::string authenticate(Session& session, const Words& words) {
        std::string user = words.size() == 3 ? words[1] : "default";
        session.is_authenticated = user == username && words.back() == password && !password.empty();
        return session.is_authenticated ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n";
    }
    std::string increment(const std::string& key) {
        std::string& value = store[key];
        value = std::to_string(std::strtoll(value.c_str(), nullptr, 10) + 1);
        return ":" + value + "\r\n";
    }
    // Every script increments its keys and gives what they are then.
    std::string run(const Words& words) {
        if (words[0] == "EVALSHA" && !scripts.contains(words.at(1)))
            return "-NOSCRIPT No matching script. Please use EVAL.\r\n";
        std::vector<std::string> out;
        for (std::size_t i = 0; i < std::strtoul(words.at(2).c_str(), nullptr, 10); ++i)
            out.push_back(increment(words.at(3 + i)));
        if (words[0] == "EVAL" && on_eval) on_eval(words[1]);
        return list(out);
    }

  public:
    std::function<void(const std::string& source)> on_eval;

  private:
    net::Loop& loop_;
    std::unique_ptr<net::Listener> listener_;
};

}  // namespace redis
