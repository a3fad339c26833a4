// IP addresses, CIDR blocks and socket addresses as plain values. Text forms follow RFC 4291 and RFC 5952.
// Used by listeners, resolver, balancer, trusted_ips and route sources; nothing here touches the network.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr_storage;

namespace net {

// An IPv4 address is kept in its IPv4-mapped form (::ffff:a.b.c.d), so that one comparison serves both families.
class IpAddress {
  public:
    IpAddress() = default;
    static IpAddress v4(std::uint32_t host_order);
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes) { return IpAddress(bytes); }
    static IpAddress loopback_v4() { return v4(0x7f000001); }
    // "1.2.3.4", "::1"; no brackets, no port, no zone.
    static base::Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] std::uint32_t as_v4() const;  // host order; only if is_v4()
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    [[nodiscard]] std::string text() const;
    auto operator<=>(const IpAddress&) const = default;

  private:
    explicit IpAddress(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}
    std::array<std::uint8_t, 16> bytes_{};
};

class Cidr {
  public:
    // "10.0.0.0/8", "::1", "10.1.2.3" (a bare address is the block of itself).
    static base::Result<Cidr> parse(std::string_view text);
    [[nodiscard]] bool contains(const IpAddress& address) const;
    [[nodiscard]] bool is_single() const { return prefix_ == 128; }
    // The lowest and the highest address in it.
    [[nodiscard]] IpAddress first() const;
    [[nodiscard]] IpAddress last() const;
    auto operator<=>(const Cidr&) const = default;

  private:
    IpAddress address_;
    std::uint8_t prefix_ = 128;  // over the mapped 128-bit form
};

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    // "1.2.3.4:80", "[::1]:80".
    static base::Result<SocketAddress> parse(std::string_view text);
    static SocketAddress from(const sockaddr_storage& native);
    // Returns the length to hand to the kernel.
    [[nodiscard]] std::uint32_t to(sockaddr_storage& native) const;
    [[nodiscard]] std::string text() const;
    auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace net
