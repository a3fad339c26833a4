// Dialer: from a host and a port to a connection or an address, for senders: as written, as the operator overrides it,
// or as the resolver knows it. Each further attempt takes the next address there is.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "net/loop.h"

namespace delivery {

// What senders need of the program; it outlives them. Without a resolver only addresses can be reached.
struct Surroundings {
    net::dns::Resolver* resolver = nullptr;
    const net::dns::Overrides* overrides = nullptr;
};

struct Place {
    std::string host;
    std::uint16_t port = 0;
    [[nodiscard]] std::string text() const;
    bool operator==(const Place&) const = default;
};

class Dialer {
  public:
    Dialer(net::Loop& loop, const Surroundings& surroundings, Place place)
        : loop_(loop), surroundings_(surroundings), place_(std::move(place)) {}

    base::Task<base::Result<net::SocketAddress>> find(net::Instant deadline);
    base::Task<base::Result<net::SocketPtr>> connect(net::Instant deadline);
    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] net::Loop& loop() const { return loop_; }

  private:
    net::Loop& loop_;
    Surroundings surroundings_;
    const Place place_;
    std::size_t turn_ = 0;
};

// All of `text` (which may be larger than any buffer) as one slice of the loop's memory.
[[nodiscard]] net::Slice slice_of(net::Loop& loop, std::string_view text);
// A failure of the place, which may be another at the next try.
[[nodiscard]] base::Error lost(net::IoStatus status, std::string_view doing);

}  // namespace delivery
