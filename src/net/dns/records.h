// What the resolver knows about one name: an immutable set of addresses that may be shared by all threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/address.h"

namespace net::dns {

// The kinds of record that a look-up tries, in the order of the setting dns_order (Kong: LAST,SRV,A,CNAME).
// `last` is the type that answered the name before. CNAMEs are followed inside the other answers, so `cname` asks
// nothing.
enum class RecordType : std::uint8_t { last, srv, a, aaaa, cname };

// Addresses of one name; beyond this many the rest of an answer is dropped.
inline constexpr std::size_t most_addresses = 512;

// One address of a service: an SRV record and an address of the host that it names.
struct ServiceAddress {
    IpAddress ip;
    std::uint16_t port = 0;    // 0: that of whoever asks
    std::uint32_t weight = 1;  // never 0
    std::string host;
    auto operator<=>(const ServiceAddress&) const = default;
};

struct Records {
    enum class State : std::uint8_t {
        resolved,   // at least one address
        not_found,  // the name does not exist or has no address of the wanted types
        failed,     // no resolver gave an answer
    };
    State state = State::failed;
    std::vector<IpAddress> addresses;  // sorted, without duplicates: resolvers rotate, our order must not
    std::string detail;                // why there is no address, or not each that the DNS gave, for the log
    // Of a name that has SRV records, those of the most preferred priority (the lowest): sorted, without duplicates;
    // their addresses are `addresses`.
    std::vector<ServiceAddress> services = {};

    [[nodiscard]] bool is_resolved() const { return state == State::resolved; }
    // Whether nobody who holds one needs the other.
    [[nodiscard]] bool says_the_same_as(const Records& other) const {
        return state == other.state && addresses == other.addresses && services == other.services;
    }
    // Where to connect to, for who has no use for weights; `port` is meant where the records say none.
    [[nodiscard]] std::vector<SocketAddress> places(std::uint16_t port) const {
        std::vector<SocketAddress> out;
        for (const ServiceAddress& service : services)
            out.push_back({service.ip, service.port == 0 ? port : service.port});
        if (services.empty())
            for (const IpAddress& address : addresses) out.push_back({address, port});
        return out;
    }
};

using RecordsPointer = std::shared_ptr<const Records>;

}  // namespace net::dns
