#include "redis/sentinels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "redis/inquiry.h"

namespace redis {

namespace {

using base::Code;
using base::Error;

constexpr std::size_t most_replicas = 64;

struct NoListener final : ConnectionListener {
    void connected(Connection&) override {}
    void disconnected(Connection&, const base::Error&) override {}
};

base::Result<Node> read_node(std::string_view host, std::string_view port) {
    Reply number = Reply::of(Reply::Kind::bytes, port);
    std::optional<std::int64_t> value = number.integer();
    Node out{std::string(host),
             static_cast<std::uint16_t>(value && *value <= 65'535 ? std::max<std::int64_t>(0, *value) : 0)};
    // It will be asked for and logged in at.
    if (!out.is_possible()) return Error::us(Code::malformed, "Redis: not an answer of a Sentinel");
    return out;
}

// Pairs of a name and a value.
std::string_view value_of(const Reply& pairs, std::string_view name) {
    for (std::size_t i = 0; i + 1 < pairs.elements().size(); i += 2)
        if (pairs.elements()[i].text() == name) return pairs.elements()[i + 1].text();
    return {};
}

bool is_down(std::string_view flags) {
    return flags.find("down") != std::string_view::npos || flags.find("disconnected") != std::string_view::npos;
}

}  // namespace

base::Result<Node> read_master(const Reply& reply) {
    if (reply.is_nil()) return Error::us(Code::no_endpoint, "Redis: the Sentinel knows no master of that name");
    if (reply.elements().size() != 2) return Error::us(Code::malformed, "Redis: not an answer of a Sentinel");
    return read_node(reply.elements()[0].text(), reply.elements()[1].text());
}

base::Result<std::vector<Node>> read_replicas(const Reply& reply) {
    if (!reply.is_array()) return Error::us(Code::malformed, "Redis: not an answer of a Sentinel");
    std::vector<Node> out;
    for (const Reply& replica : reply.elements()) {
        if (is_down(value_of(replica, "flags")) || value_of(replica, "master-link-status") == "err") continue;
        TRY(node, read_node(value_of(replica, "ip"), value_of(replica, "port")));
        if (out.size() < most_replicas) out.push_back(std::move(node));
    }
    return out;
}

base::Task<base::Result<std::vector<net::SocketAddress>>> Sentinels::find(net::Instant deadline) {
    Error last = Error::us(Code::no_endpoint, "Redis: no Sentinel to ask");
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        net::Instant share = (deadline - loop_.now()) / static_cast<net::Instant>(nodes_.size() - i);
        if (share <= 0) break;
        base::Result<std::vector<Node>> servers = co_await ask(nodes_[i], loop_.now() + share);
        if (!servers) {
            last = std::move(servers).error();
            continue;
        }
        std::vector<net::SocketAddress> out;
        for (const Node& server : *servers) {
            auto addresses = co_await addresses_of(loop_, surroundings_, server, deadline);
            if (addresses)
                out.insert(out.end(), addresses->begin(), addresses->end());
            else
                last = std::move(addresses).error();
        }
        if (out.empty()) continue;
        std::rotate(nodes_.begin(), nodes_.begin() + static_cast<std::ptrdiff_t>(i),
                    nodes_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        co_return out;
    }
    co_return last;
}

base::Task<base::Result<std::vector<Node>>> Sentinels::ask(Node sentinel, net::Instant deadline) {
    net::Milliseconds span(std::max<net::Instant>(1, deadline - loop_.now()));
    ConnectionSettings settings = ConnectionSettings::from(settings_, sentinel.host);
    settings.username = settings_.sentinel_username;
    settings.password = settings_.sentinel_password;
    settings.database = 0;
    settings.role = ConnectionSettings::Role::any;
    settings.connect_timeout = settings.send_timeout = settings.read_timeout = span;
    settings.where = fmt::format("Sentinel {}", sentinel.text());
    NoListener listener;
    Counters counters;
    FixedPlace place(loop_, surroundings_, sentinel);
    Connection connection(loop_, std::move(settings), place, listener, counters, 0);
    Encoder encoder(loop_.buffers());
    std::vector<Node> out;
    Error nobody = Error::us(Code::no_endpoint, "Redis: the Sentinel knows no server of that role");
    if (settings_.sentinel_role != SentinelRole::replica) {
        std::array<std::string_view, 3> words{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings_.sentinel_master};
        Inquiry inquiry(loop_, connection, encoder.encode(words), deadline);
        base::Result<Reply> reply = co_await inquiry;
        if (!reply) co_return std::move(reply).error();
        base::Result<Node> master = read_master(*reply);
        if (!master) co_return std::move(master).error();
        out.push_back(std::move(*master));
    }
    if (settings_.sentinel_role != SentinelRole::master) {
        std::array<std::string_view, 3> words{"SENTINEL", "REPLICAS", settings_.sentinel_master};
        Inquiry inquiry(loop_, connection, encoder.encode(words), deadline);
        base::Result<Reply> reply = co_await inquiry;
        if (!reply) co_return std::move(reply).error();
        base::Result<std::vector<Node>> replicas = read_replicas(*reply);
        if (!replicas) co_return std::move(replicas).error();
        out.insert(out.end(), replicas->begin(), replicas->end());
    }
    if (out.empty()) co_return nobody;
    co_return out;
}

}  // namespace redis
