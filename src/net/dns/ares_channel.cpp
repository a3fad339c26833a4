#include "net/dns/ares_channel.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "net/dns/srv_reply.h"

namespace net::dns {

namespace {
constexpr int udp_answer_bytes = 1232;  // DNS flag day 2020: larger answers would be fragmented, so they come by TCP

base::Error failure(std::string_view what, int status) {
    return base::Error::us(base::Code::resolver_failed, std::string(what) + ": " + ares_strerror(status));
}

template <typename AddressTtl, typename Parse, typename ToAddress>
Answer parsed(const unsigned char* bytes, int size, Parse parse, ToAddress to_address) {
    std::array<AddressTtl, most_addresses> found;
    int count = most_addresses;
    int status = parse(bytes, size, nullptr, found.data(), &count);
    Answer out;
    if (status == ARES_ENODATA || (status == ARES_SUCCESS && count <= 0)) {
        out.kind = Answer::Kind::nothing;
        out.detail = "the name has no address of this type";
        return out;
    }
    if (status != ARES_SUCCESS) {
        out.detail = ares_strerror(status);
        return out;
    }
    out.kind = Answer::Kind::found;
    int ttl = found[0].ttl;
    for (int i = 0; i < count; ++i) {
        out.addresses.push_back(to_address(found[i]));
        ttl = std::min(ttl, found[i].ttl);
    }
    out.ttl = std::chrono::seconds(std::max(ttl, 0));  // RFC 2181 8: a TTL with the top bit set is 0
    return out;
}

Answer parsed(const Query& query, const unsigned char* bytes, int size) {
    if (query.type == RecordType::srv) return parse_srv_reply({bytes, static_cast<std::size_t>(size)});
    if (query.type == RecordType::aaaa) {
        return parsed<ares_addr6ttl>(bytes, size, ares_parse_aaaa_reply, [](const ares_addr6ttl& record) {
            std::array<std::uint8_t, 16> address;
            std::memcpy(address.data(), &record.ip6addr, address.size());
            return IpAddress::v6(address);
        });
    }
    return parsed<ares_addrttl>(bytes, size, ares_parse_a_reply,
                                [](const ares_addrttl& record) { return IpAddress::v4(ntohl(record.ipaddr.s_addr)); });
}

int set_servers(ares_channel channel, const std::vector<SocketAddress>& servers) {
    std::vector<ares_addr_port_node> nodes(servers.size());
    for (std::size_t i = 0; i < servers.size(); ++i) {
        ares_addr_port_node& node = nodes[i];
        node.next = i + 1 < servers.size() ? &nodes[i + 1] : nullptr;
        node.udp_port = node.tcp_port = servers[i].port;
        const auto& bytes = servers[i].ip.bytes();
        if (servers[i].ip.is_v4()) {
            node.family = AF_INET;
            std::memcpy(&node.addr.addr4, bytes.data() + 12, 4);
        } else {
            node.family = AF_INET6;
            std::memcpy(&node.addr.addr6, bytes.data(), 16);
        }
    }
    return ares_set_servers_ports(channel, nodes.data());
}
}  // namespace

base::Result<std::unique_ptr<AresChannel>> AresChannel::open(const Settings& settings, OnAnswer on_answer) {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    if (library != ARES_SUCCESS) return failure("c-ares cannot be started", library);

    std::unique_ptr<AresChannel> out(new AresChannel(std::move(on_answer)));
    ares_options options{};
    options.flags = ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;  // no aliases from a file that an environment variable names
    options.ednspsz = udp_answer_bytes;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.tries;
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = out.get();
    std::string resolv_conf = settings.resolv_conf;
    options.resolvconf_path = resolv_conf.data();
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF;
    int status = ares_init_options(&out->channel_, &options, mask);
    if (status != ARES_SUCCESS) {
        out->channel_ = nullptr;
        return failure("the resolver cannot be set up", status);
    }
    if (!settings.servers.empty() && (status = set_servers(out->channel_, settings.servers)) != ARES_SUCCESS)
        return failure("the DNS servers cannot be set", status);
    return out;
}

AresChannel::~AresChannel() {
    if (channel_ != nullptr) ares_destroy(channel_);
}

void AresChannel::ask(const Query& query) {
    int type = query.type == RecordType::srv ? ns_t_srv : query.type == RecordType::aaaa ? ns_t_aaaa : ns_t_a;
    auto* pending = new Pending{this, query};
    std::string name = query.is_service_host ? query.name + "." : query.name;
    ares_search(channel_, name.c_str(), ns_c_in, type, on_reply, pending);
}

void AresChannel::on_reply(void* argument, int status, int, unsigned char* bytes, int size) {
    std::unique_ptr<Pending> pending(static_cast<Pending*>(argument));
    Answer answer;
    if (status == ARES_SUCCESS) {
        answer = parsed(pending->query, bytes, size);
    } else {
        bool is_nothing = status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME;
        answer.kind = is_nothing ? Answer::Kind::nothing : Answer::Kind::failed;
        answer.detail = ares_strerror(status);
        // c-ares 1.18 says "connection refused" for a server's failure or refusal as well.
        answer.is_declined = status == ARES_ECONNREFUSED || status == ARES_ESERVFAIL || status == ARES_EREFUSED ||
                             status == ARES_ENOTIMP || status == ARES_EFORMERR;
        // The operator can leave it out of dns_order.
        if (!is_nothing && pending->query.type == RecordType::srv) answer.detail = "SRV: " + answer.detail;
    }
    pending->channel->on_answer_(pending->query, std::move(answer));
}

// c-ares tells which sockets it waits for. (ares_fds() would need an fd_set, and descriptors here exceed FD_SETSIZE.)
void AresChannel::on_socket(void* argument, ares_socket_t socket, int readable, int writable) {
    auto& sockets = static_cast<AresChannel*>(argument)->sockets_;
    auto at = std::find_if(sockets.begin(), sockets.end(), [&](const pollfd& each) { return each.fd == socket; });
    auto events = static_cast<short>((readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0));
    if (events == 0) {
        if (at != sockets.end()) sockets.erase(at);
    } else if (at == sockets.end()) {
        sockets.push_back({socket, events, 0});
    } else {
        at->events = events;
    }
}

int AresChannel::wait_milliseconds() const {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) return -1;
    return static_cast<int>(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
}

void AresChannel::process(const std::vector<pollfd>& polled) {
    bool any = false;
    for (const pollfd& each : polled) {
        if (each.revents == 0) continue;
        // A socket reported here may be gone by now, closed on behalf of the one before; c-ares ignores unknown ones.
        bool readable = (each.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writable = (each.revents & (POLLOUT | POLLERR)) != 0;
        ares_process_fd(channel_, readable ? each.fd : ARES_SOCKET_BAD, writable ? each.fd : ARES_SOCKET_BAD);
        any = true;
    }
    if (!any) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // deadlines only
}

}  // namespace net::dns
