#include "gateway/client_address.h"

#include <charconv>

#include "http/characters.h"

namespace gateway {

namespace {

// "1.2.3.4", "1.2.3.4:80", "[::1]:80", "::1".
bool parse_address(std::string_view text, net::SocketAddress& out) {
    if (auto ip = net::IpAddress::parse(text)) {
        out = {*ip, 0};
        return true;
    }
    if (auto address = net::SocketAddress::parse(text)) {
        out = *address;
        return true;
    }
    return false;
}

// nginx's real_ip: the last address of the list, or with `recursive` the last one that is not itself trusted.
net::SocketAddress real_address(const Transaction& transaction, const net::SocketAddress& remote) {
    const Settings& settings = transaction.core.settings;
    net::SocketAddress found = remote;
    std::string_view list;
    // Several fields of that name are one list (RFC 9110 5.3): the last one is the nearest proxy's.
    transaction.request.headers.all(settings.real_ip_header, [&](std::string_view value) { list = value; });
    while (!list.empty()) {
        std::size_t comma = list.rfind(',');
        std::string_view last = http::trim(comma == list.npos ? list : list.substr(comma + 1));
        net::SocketAddress address;
        if (!parse_address(last, address)) break;
        found = address;
        if (!settings.real_ip_recursive || !is_trusted(address.ip, settings) || comma == list.npos) break;
        list = list.substr(0, comma);
    }
    return found;
}

std::uint16_t public_port(std::uint16_t port, const Settings& settings) {
    for (const auto& [outside, inside] : settings.port_maps)
        if (inside == port) return outside;
    return port;
}

}  // namespace

bool is_trusted(const net::IpAddress& address, const Settings& settings) {
    for (const net::Cidr& block : settings.trusted_ips)
        if (block.contains(address)) return true;
    return false;
}

void identify_client(Transaction& transaction, const net::Socket& connection, const net::SocketAddress& local) {
    const net::SocketAddress& remote = connection.remote();
    const Settings& settings = transaction.core.settings;
    plugin::ClientSide& client = transaction.client;
    client.remote = remote;
    client.local = local;
    client.address = connection.client();
    // Behind the PROXY protocol it is the client's own fields that come through: it must be trusted as well.
    client.is_trusted = !settings.trusted_ips.empty() && is_trusted(remote.ip, settings) &&
                        is_trusted(connection.client().ip, settings);
    client.scheme = client.tls != nullptr ? "https" : "http";
    client.forwarded_host = transaction.request.host;
    client.forwarded_port = public_port(local.port, settings);
    if (!client.is_trusted) return;
    const http::Headers& headers = transaction.request.headers;
    // Then the connection has said it, and no field of a request says otherwise.
    if (!settings.has_proxied_clients()) client.address = real_address(transaction, remote);
    if (std::string_view proto = headers.first(http::Known::x_forwarded_proto); !proto.empty()) client.scheme = proto;
    if (std::string_view host = headers.first(http::Known::x_forwarded_host); !host.empty())
        client.forwarded_host = host;
    std::string_view port = headers.first(http::Known::x_forwarded_port);
    std::uint16_t number = 0;
    if (auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
        !port.empty() && error == std::errc() && end == port.data() + port.size())
        client.forwarded_port = number;
}

}  // namespace gateway
