// Connection: one pipelined connection to one Redis server. Commands of one turn leave together, replies are matched in
// order, one that is overdue closes the connection. It comes back by itself, with back-off; while it is known to be
// away commands fail at once. Owned by a Client; one thread. Whoever is told something here may issue commands and
// leave, but not destroy the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"
#include "redis/counters.h"
#include "redis/encoder.h"
#include "redis/outstanding.h"
#include "redis/place.h"
#include "redis/reply.h"
#include "redis/reply_reader.h"
#include "redis/settings.h"
#include "redis/wire.h"

namespace redis {

class Connection;

// A command under way. Destroying it forgets it: its reply is then taken from the wire and dropped.
class Pending {
  public:
    Pending() = default;
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    // Once, never from within issue(). Error replies are Replies here.
    virtual void settled(base::Result<Reply> result) = 0;
    [[nodiscard]] bool is_under_way() const { return connection_ != nullptr; }
    void forget();

  protected:
    ~Pending() { forget(); }

  private:
    friend class Connection;
    Connection* connection_ = nullptr;
    std::uint64_t number_ = 0;
};

// Told of a connection's fortunes, before the commands that depend on them are.
class ConnectionListener {
  public:
    virtual void connected(Connection& connection) = 0;
    // Lost, or could not be made.
    virtual void disconnected(Connection& connection, const base::Error& error) = 0;

  protected:
    ~ConnectionListener() = default;
};

// What one Connection is given; the references outlive it.
struct ConnectionSettings {
    // Of a server found through Sentinel: what ROLE must say.
    enum class Role : std::uint8_t { any, master, replica };
    std::string username;
    std::string password;
    std::uint32_t database = 0;
    Role role = Role::any;
    net::Milliseconds connect_timeout{2'000};
    net::Milliseconds send_timeout{2'000};
    net::Milliseconds read_timeout{2'000};
    Limits limits;
    bool tls = false;
    bool tls_verify = false;
    std::string tls_authorities;
    std::string tls_name;  // empty: the address that is connected to
    std::string where;     // for the log

    // Those of the servers that hold the data. `host`: as the operator or the cluster calls the server, if it has a
    // name.
    static ConnectionSettings from(const Settings& settings, const std::string& host);
};

class Connection {
  public:
    Connection(net::Loop& loop, ConnectionSettings settings, Place& place, ConnectionListener& listener,
               Counters& counters, std::uint64_t seed);
    Connection(const Connection&) = delete;
    // What is under way fails.
    ~Connection();

    // `bytes` is a whole command, or `leading` ones whose replies nobody wants and then it. An error: it was not taken
    // and never will be sent.
    base::Result<void> issue(Pending& pending, net::Slice bytes, std::uint8_t leading = 0);

    // No attempt to connect has failed since the last success: a command would be sent, now or once connected.
    [[nodiscard]] bool is_available() const { return state_ != State::resting && state_ != State::probing; }
    [[nodiscard]] bool is_ready() const { return state_ == State::ready; }
    [[nodiscard]] std::size_t outstanding() const { return commands_.size(); }
    // How long a command issued now may take, connecting included.
    [[nodiscard]] net::Milliseconds longest() const;
    // The server is not (any more) the one that is wanted: connect anew, once the reply being told is through.
    void distrust(base::Error why);
    [[nodiscard]] const std::string& where() const { return settings_.where; }
    // Of the last attempt; nothing before it.
    [[nodiscard]] const std::optional<net::SocketAddress>& address() const { return address_; }
    [[nodiscard]] base::Error away() const;

  private:
    friend class Pending;
    enum class State : std::uint8_t {
        idle,  // no connection; the next command makes one and waits for it
        dialling,
        ready,
        resting,  // an attempt has failed; the next one when the back-off is over
        probing,  // ...which is under way
    };
    enum class Step : std::uint8_t { auth, select, role, ping };
    struct Ping final : Pending {
        void settled(base::Result<Reply>) override {}  // what matters is that something came
    };

    // ---- opening
    void dial_soon(State state);
    base::Task<void> dial();
    std::optional<base::Error> begin_carrying(net::SocketPtr socket);
    void greet();
    std::optional<base::Error> greeted(const Reply& reply);
    [[nodiscard]] std::optional<base::Error> objection(Step step, const Reply& reply) const;
    void become_ready();

    // ---- carrying
    void push(Pending& pending, net::Slice bytes, std::uint8_t leading);
    void turn_ends();
    void send_commands();
    bool send(net::Pieces& pieces);
    void collect(net::Pieces& pieces);
    void sending_settled();
    void read();
    [[nodiscard]] base::Error broken(net::IoStatus status, std::string_view what) const;
    std::optional<base::Error> take_replies();
    std::optional<base::Error> take_reply(Reply reply);
    void drop_void();
    OutstandingCommand pop();
    void forget(std::uint64_t number);

    // ---- ending
    enum class Blame : std::uint8_t { nobody, server };
    void lose(base::Error error, Blame blame);
    void rest();
    void fail_all(const base::Error& error);
    void close();

    void watch(net::Instant at);
    void look();
    void look_at_commands();
    [[nodiscard]] net::Instant overdue_at();

    net::Loop& loop_;
    const ConnectionSettings settings_;
    Place& place_;
    ConnectionListener& listener_;
    Counters& counters_;
    base::Random random_;

    State state_ = State::idle;
    std::optional<Wire> wire_;
    std::optional<ReplyReader> reader_;
    Encoder encoder_;  // of what it says itself
    base::Task<void> dialling_;
    std::optional<net::SocketAddress> address_;
    std::vector<Step> greeting_;  // whose replies are to come, last one first
    std::optional<base::Error> distrusted_;
    bool is_dial_due_ = false;   // at the end of the turn
    bool has_answered_ = false;  // this connection, a command

    Outstanding commands_;
    std::uint64_t unsent_ = 0;  // the number of the first of commands_ that is not given to a socket yet
    std::size_t unsent_bytes_ = 0;
    Ping ping_;

    unsigned attempts_ = 0;
    unsigned failures_ = 0;  // since the last reply to a command
    net::Instant ready_since_ = 0;
    net::Instant last_command_ = 0;
    net::Instant last_heard_ = 0;
    net::Timer watch_;  // greeting, oldest command, ping or back-off, by state
    net::TurnEnd turn_end_;
};

}  // namespace redis
