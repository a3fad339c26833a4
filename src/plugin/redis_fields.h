// The `redis` record of plugins' settings, in Kong's names with Sentinel and Cluster beside them, and the connection
// that a core keeps for such settings.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/states.h"
#include "plugin/type.h"
#include "redis/client.h"
#include "schema/field.h"

namespace plugin {

// Kong's other ones, `slave` and `any`, could not be written to.
enum class RedisRole : std::uint8_t { master };

}  // namespace plugin

template <>
struct schema::Names<plugin::RedisRole> {
    static constexpr std::array<std::string_view, 1> list{"master"};
};

namespace plugin {

struct RedisNode {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    static constexpr auto fields() {
        return schema::fields(schema::field("host", &RedisNode::host, "Name or address."),
                              schema::field("port", &RedisNode::port, "Port."));
    }
};

struct RedisFields {
    std::optional<std::string> host;
    std::uint16_t port = 6379;
    std::chrono::milliseconds timeout{2000};
    std::optional<std::string> username;
    std::optional<std::string> password;
    std::uint32_t database = 0;
    bool ssl = false;
    bool ssl_verify = false;
    std::optional<std::string> server_name;
    std::optional<std::string> sentinel_master;
    RedisRole sentinel_role = RedisRole::master;
    std::vector<RedisNode> sentinel_nodes;
    std::optional<std::string> sentinel_username;
    std::optional<std::string> sentinel_password;
    std::vector<RedisNode> cluster_nodes;
    std::uint16_t cluster_max_redirections = 5;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("host", &RedisFields::host, "Name or address of the server."),
            field("port", &RedisFields::port, "Its port."),
            field("timeout", &RedisFields::timeout, "Longest wait for a connection, and for an answer.")
                .between(1, 600'000),
            field("username", &RedisFields::username, "Of an ACL user; absent: the default one.").referenceable(),
            field("password", &RedisFields::password, "Its password.").secret().referenceable(),
            field("database", &RedisFields::database, "Number of the database."),
            field("ssl", &RedisFields::ssl, "Speak TLS."),
            field("ssl_verify", &RedisFields::ssl_verify, "Check the certificate and its name."),
            field("server_name", &RedisFields::server_name, "Name in TLS; absent: the host."),
            field("sentinel_master", &RedisFields::sentinel_master,
                  "Name of the group at the Sentinels. Beyond Kong OSS."),
            field("sentinel_role", &RedisFields::sentinel_role, "Which server of the group is used."),
            field("sentinel_nodes", &RedisFields::sentinel_nodes, "The Sentinels. Beyond Kong OSS."),
            field("sentinel_username", &RedisFields::sentinel_username, "For the Sentinels.").referenceable(),
            field("sentinel_password", &RedisFields::sentinel_password, "For the Sentinels.").secret().referenceable(),
            field("cluster_nodes", &RedisFields::cluster_nodes, "Nodes of a Cluster to ask first. Beyond Kong OSS."),
            field("cluster_max_redirections", &RedisFields::cluster_max_redirections,
                  "How often one command may be sent on within the Cluster."));
    }

    // Rules that hold whoever uses them; the rest when the plugin is prepared (redis::Settings::check).
    void check(schema::Checks& checks) const {
        if (sentinel_master.has_value() != !sentinel_nodes.empty())
            checks.entity("all or none of these fields must be set: 'sentinel_master', 'sentinel_nodes'");
        int places = (host ? 1 : 0) + (sentinel_master ? 1 : 0) + (cluster_nodes.empty() ? 0 : 1);
        if (places > 1)
            checks.entity("only one of these fields may be set: 'host', 'sentinel_master', 'cluster_nodes'");
        if (!cluster_nodes.empty() && database != 0) checks.field("database", "a Redis Cluster has only database 0");
        if (username && !username->empty() && password.value_or("").empty())
            checks.field("password", "required field missing");
        if (sentinel_username && !sentinel_username->empty() && sentinel_password.value_or("").empty())
            checks.field("sentinel_password", "required field missing");
    }

    // Whether it says where Redis is.
    [[nodiscard]] bool is_given() const {
        return host.has_value() || sentinel_master.has_value() || !cluster_nodes.empty();
    }
    [[nodiscard]] redis::Settings settings() const {
        redis::Settings out;
        out.server = {host.value_or("127.0.0.1"), port};
        out.set_timeout(timeout);
        out.username = username.value_or("");
        out.password = password.value_or("");
        out.database = database;
        out.tls = ssl;
        out.tls_verify = ssl_verify;
        out.server_name = server_name.value_or("");
        out.sentinel_master = sentinel_master.value_or("");
        for (const RedisNode& node : sentinel_nodes) out.sentinel_nodes.push_back({node.host, node.port});
        out.sentinel_username = sentinel_username.value_or("");
        out.sentinel_password = sentinel_password.value_or("");
        for (const RedisNode& node : cluster_nodes) out.cluster_nodes.push_back({node.host, node.port});
        out.cluster_max_redirections = cluster_max_redirections;
        return out;
    }
};

// Older names that the traffic plugins of Kong had for these.
inline constexpr Alias redis_aliases[] = {{"redis_host", "redis.host"},
                                          {"redis_port", "redis.port"},
                                          {"redis_password", "redis.password"},
                                          {"redis_username", "redis.username"},
                                          {"redis_ssl", "redis.ssl"},
                                          {"redis_ssl_verify", "redis.ssl_verify"},
                                          {"redis_server_name", "redis.server_name"},
                                          {"redis_timeout", "redis.timeout"},
                                          {"redis_database", "redis.database"}};

// The core's client for these settings; equal ones share it.
[[nodiscard]] inline redis::Lease redis_client(Worker& worker, const redis::Settings& settings) {
    auto& clients = worker.state<redis::Clients>("", [&] {
        return std::make_unique<redis::Clients>(worker.loop, redis::Surroundings{worker.resolver, worker.overrides},
                                                worker.index + 1);
    });
    return clients.of(settings);
}

}  // namespace plugin
