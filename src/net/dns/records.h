// What the resolver knows about one name: an immutable set of addresses that may be shared by all threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/address.h"

namespace net::dns {

// The kinds of record that a look-up tries, in the order of the setting dns_order (Kong: LAST,SRV,A,CNAME).
// `last` is the type that answered the name before. CNAMEs are followed inside A and AAAA answers, so `cname` asks
// nothing; `srv` will: its ports, weights and priorities belong beside `addresses`.
enum class RecordType : std::uint8_t { last, srv, a, aaaa, cname };

// Addresses of one name; beyond this many the rest of an answer is dropped.
inline constexpr std::size_t most_addresses = 512;

struct Records {
    enum class State : std::uint8_t {
        resolved,   // at least one address
        not_found,  // the name does not exist or has no address of the wanted types
        failed,     // no resolver gave an answer
    };
    State state = State::failed;
    std::vector<IpAddress> addresses;  // sorted, without duplicates: resolvers rotate, our order must not
    std::string detail;                // why there is no address, for the log

    [[nodiscard]] bool is_resolved() const { return state == State::resolved; }
    // Whether nobody who holds one needs the other.
    [[nodiscard]] bool says_the_same_as(const Records& other) const {
        return state == other.state && addresses == other.addresses;
    }
};

using RecordsPointer = std::shared_ptr<const Records>;

}  // namespace net::dns
