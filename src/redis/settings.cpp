#include "redis/settings.h"

#include <fmt/format.h>

#include "net/address.h"
#include "net/dns/names.h"
#include "net/tls/context.h"

namespace redis {

namespace {

using base::Code;
using base::Error;

base::Result<void> check_node(const Node& node) {
    if (node.port == 0) return Error::us(Code::invalid, "a Redis node needs a port");
    if (!node.is_possible())
        return Error::us(Code::invalid, fmt::format("not a host name or an address: {}", node.host));
    return {};
}

}  // namespace

std::string Node::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

bool Node::is_possible() const {
    return port != 0 && (net::IpAddress::parse(host).ok() || net::dns::is_host_name(host));
}

std::string Settings::where() const {
    if (is_sentinel()) return fmt::format("sentinel {}", sentinel_master);
    if (is_cluster()) return fmt::format("cluster of {}", cluster_nodes.front().text());
    return server.text();
}

base::Result<void> Settings::check() const {
    for (net::Milliseconds timeout : {connect_timeout, send_timeout, read_timeout})
        if (timeout.count() <= 0) return Error::us(Code::invalid, "a timeout of Redis must be above zero");
    if (is_sentinel() && is_cluster())
        return Error::us(Code::invalid, "sentinel_master and cluster_nodes exclude each other");
    if (is_sentinel() && sentinel_nodes.empty())
        return Error::us(Code::invalid, "sentinel_master needs sentinel_nodes");
    if (!is_sentinel() && !sentinel_nodes.empty())
        return Error::us(Code::invalid, "sentinel_nodes need sentinel_master");
    if (is_cluster() && database != 0) return Error::us(Code::invalid, "a Redis Cluster has only database 0");
    if (!username.empty() && password.empty()) return Error::us(Code::invalid, "a Redis user needs a password");
    if (!sentinel_username.empty() && sentinel_password.empty())
        return Error::us(Code::invalid, "a Sentinel user needs a password");
    for (const Node& node : sentinel_nodes) TRY_VOID(check_node(node));
    for (const Node& node : cluster_nodes) TRY_VOID(check_node(node));
    if (!is_sentinel() && !is_cluster()) TRY_VOID(check_node(server));
    if (!server_name.empty() && !net::IpAddress::parse(server_name) && !net::dns::is_host_name(server_name))
        return Error::us(Code::invalid, fmt::format("not a host name or an address: {}", server_name));
    if (!tls) return {};
    TRY(context, net::tls::ClientContext::make(tls_authorities));
    (void)context;
    return {};
}

}  // namespace redis
