// Hosts: the names of a hosts file (hosts(5)) as an immutable table. Lines that cannot be read are skipped, as every
// other reader of this file does. Parsed by the resolver's thread when the file changes.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/address.h"

namespace net::dns {

class Hosts {
  public:
    static constexpr std::size_t most_bytes = 16 << 20;  // of the file; the rest is not read

    static Hosts parse(std::string_view text);
    // `name` in its normal form; null if it is not listed.
    [[nodiscard]] const std::vector<IpAddress>* find(std::string_view name) const;
    [[nodiscard]] std::size_t size() const { return names_.size(); }

  private:
    std::unordered_map<std::string, std::vector<IpAddress>> names_;
};

}  // namespace net::dns
