// What the operator says about a Redis, and the limits we keep with it. Plain values: equal Settings share one Client a
// core. Filled by plugins from their own configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/time.h"

namespace redis {

struct Node {
    std::string host = "127.0.0.1";  // a name or an address, without brackets
    std::uint16_t port = 6379;
    bool operator==(const Node&) const = default;
    [[nodiscard]] std::string text() const;
    // It can be connected to at all: a port, and a host name or an address.
    [[nodiscard]] bool is_possible() const;
};

// Which server of a Sentinel's group is wanted.
enum class SentinelRole : std::uint8_t { master, replica, any };

struct Limits {
    std::size_t commands = 16 * 1024;             // outstanding on one connection; more fail at once
    std::size_t unsent_bytes = 64 * 1024 * 1024;  // of commands the server does not take off our hands
    std::size_t command_bytes = 32 * 1024 * 1024;
    std::size_t reply_bytes = 32 * 1024 * 1024;
    std::size_t reply_elements = 256 * 1024;  // of arrays, nested ones included
    std::size_t cluster_nodes = 1024;
    net::Milliseconds least_back_off{50};  // between two attempts to connect; doubled, up to...
    net::Milliseconds most_back_off{5'000};
    net::Milliseconds ping_every{15'000};     // on an idle connection, so that a dead one is noticed before a request
    net::Milliseconds idle_timeout{300'000};  // without commands; then the connection is closed until the next one
    bool operator==(const Limits&) const = default;
};

struct Settings {
    Node server;  // unless one of sentinel_master and cluster_nodes is given

    // Of an attempt to connect (names, Sentinels and TCP), of a send, and of the wait for a reply.
    net::Milliseconds connect_timeout{2'000};
    net::Milliseconds send_timeout{2'000};
    net::Milliseconds read_timeout{2'000};

    std::string username;  // of an ACL user; empty: the default one
    std::string password;
    std::uint32_t database = 0;

    bool tls = false;             // to the servers and to the Sentinels
    bool tls_verify = false;      // the chain, and the name: server_name, else the host
    std::string server_name;      // SNI; empty: the host
    std::string tls_authorities;  // a file of PEM certificates; empty: those of the system

    std::string sentinel_master;
    SentinelRole sentinel_role = SentinelRole::master;
    std::vector<Node> sentinel_nodes;
    std::string sentinel_username;
    std::string sentinel_password;

    std::vector<Node> cluster_nodes;  // where to ask first
    unsigned cluster_max_redirections = 5;

    Limits limits;

    bool operator==(const Settings&) const = default;
    [[nodiscard]] bool is_sentinel() const { return !sentinel_master.empty(); }
    [[nodiscard]] bool is_cluster() const { return !cluster_nodes.empty(); }
    // One timeout for all three.
    void set_timeout(net::Milliseconds timeout) { connect_timeout = send_timeout = read_timeout = timeout; }
    // For logs and errors: the place, never a secret.
    [[nodiscard]] std::string where() const;
    // What contradicts itself or can never work. Reads the file of authorities: not on a thread that serves.
    [[nodiscard]] base::Result<void> check() const;
};

}  // namespace redis
