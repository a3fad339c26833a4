// Overrides: the operator's own answers, `--resolve name:port:address[:port]` (curl's form). They win over hosts file
// and DNS for that name and port, and never expire. Built once from the command line; used where targets become
// addresses.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.h"

namespace net::dns {

class Overrides {
  public:
    // "example.com:443:10.0.0.1", "example.com:443:10.0.0.1:8443", "example.com:443:[::1]:8443", several addresses
    // joined by commas. Without a second port the first one is meant. A later text for the same name and port adds to
    // it.
    base::Result<void> add(std::string_view text);
    // Null if the operator said nothing about this name (any case) and port.
    [[nodiscard]] const std::vector<SocketAddress>* find(std::string_view name, std::uint16_t port) const;

  private:
    std::map<std::pair<std::string, std::uint16_t>, std::vector<SocketAddress>> addresses_;
};

}  // namespace net::dns
