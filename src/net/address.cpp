#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace net {

namespace {
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t longest_text = INET6_ADDRSTRLEN;

base::Error invalid(std::string_view what, std::string_view text) {
    return base::Error::us(base::Code::invalid,
                           std::string("not a valid ") + std::string(what) + ": " + std::string(text));
}

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
    if (text.empty()) return false;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}
}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
    IpAddress out;
    std::memcpy(out.bytes_.data(), mapped_prefix.data(), mapped_prefix.size());
    for (int i = 0; i < 4; ++i) out.bytes_[15 - i] = static_cast<std::uint8_t>(host_order >> (8 * i));
    return out;
}

base::Result<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.size() >= longest_text || text.find('\0') != text.npos) return invalid("IP address", text);
    char terminated[longest_text] = {};
    std::memcpy(terminated, text.data(), text.size());
    in_addr four{};
    if (inet_pton(AF_INET, terminated, &four) == 1) return v4(ntohl(four.s_addr));
    in6_addr six{};
    if (inet_pton(AF_INET6, terminated, &six) == 1) {
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &six, 16);
        return v6(bytes);
    }
    return invalid("IP address", text);
}

bool IpAddress::is_v4() const { return std::memcmp(bytes_.data(), mapped_prefix.data(), mapped_prefix.size()) == 0; }

std::uint32_t IpAddress::as_v4() const {
    std::uint32_t out = 0;
    for (int i = 12; i < 16; ++i) out = out << 8 | bytes_[i];
    return out;
}

std::string IpAddress::text() const {
    char out[longest_text] = {};
    if (!is_v4()) {
        inet_ntop(AF_INET6, bytes_.data(), out, sizeof out);
        return out;
    }
    // Every request that is forwarded prints one: a tenth of the time that inet_ntop takes.
    char* at = out;
    for (int i = 12; i < 16; ++i) {
        if (i > 12) *at++ = '.';
        at = std::to_chars(at, out + sizeof out, bytes_[i]).ptr;
    }
    return {out, static_cast<std::size_t>(at - out)};
}

base::Result<Cidr> Cidr::parse(std::string_view text) {
    std::size_t slash = text.find('/');
    TRY(address, IpAddress::parse(text.substr(0, slash)));
    Cidr out;
    out.address_ = address;
    if (slash == text.npos) return out;
    unsigned prefix = 0;
    // ::ffff:10.0.0.0/104 is written in IPv6, whatever the address is.
    unsigned most = text.substr(0, slash).find(':') == text.npos ? 32 : 128;
    if (!parse_number(text.substr(slash + 1), prefix) || prefix > most) return invalid("CIDR block", text);
    out.prefix_ = static_cast<std::uint8_t>(prefix + (128 - most));
    return out;
}

bool Cidr::contains(const IpAddress& address) const {
    // A block that is wider than the mapped form is one of IPv6: ::/0 says nothing of IPv4, as in nginx.
    if (prefix_ < 8 * mapped_prefix.size() && address.is_v4()) return false;
    const auto& ours = address_.bytes();
    const auto& theirs = address.bytes();
    unsigned whole = prefix_ / 8;
    if (std::memcmp(ours.data(), theirs.data(), whole) != 0) return false;
    unsigned rest = prefix_ % 8;
    return rest == 0 || ((ours[whole] ^ theirs[whole]) >> (8 - rest)) == 0;
}

namespace {
// `address` with all bits behind the prefix off or on.
IpAddress filled(const IpAddress& address, unsigned prefix, std::uint8_t with) {
    std::array<std::uint8_t, 16> bytes = address.bytes();
    for (unsigned i = 0; i < bytes.size(); ++i) {
        unsigned kept = prefix > 8 * i ? std::min(prefix - 8 * i, 8u) : 0;
        auto mask = static_cast<std::uint8_t>(0xff00u >> kept);
        bytes[i] = static_cast<std::uint8_t>((bytes[i] & mask) | (with & static_cast<std::uint8_t>(~mask)));
    }
    return IpAddress::v6(bytes);
}
}  // namespace

IpAddress Cidr::first() const { return filled(address_, prefix_, 0); }
IpAddress Cidr::last() const { return filled(address_, prefix_, 0xff); }

base::Result<SocketAddress> SocketAddress::parse(std::string_view text) {
    std::size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return invalid("address with port", text);
    std::string_view host = text.substr(0, colon);
    bool bracketed = host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!bracketed && host.find(':') != host.npos) return invalid("address with port (IPv6 goes in brackets)", text);
    TRY(ip, IpAddress::parse(host));
    std::uint16_t port = 0;
    if (!parse_number(text.substr(colon + 1), port)) return invalid("address with port", text);
    return SocketAddress{ip, port};
}

SocketAddress SocketAddress::from(const sockaddr_storage& native) {
    if (native.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(native);
        return {IpAddress::v4(ntohl(four.sin_addr.s_addr)), ntohs(four.sin_port)};
    }
    if (native.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(native);
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &six.sin6_addr, 16);
        return {IpAddress::v6(bytes), ntohs(six.sin6_port)};
    }
    return {};
}

std::uint32_t SocketAddress::to(sockaddr_storage& native) const {
    std::memset(&native, 0, sizeof native);
    if (ip.is_v4()) {
        auto& four = reinterpret_cast<sockaddr_in&>(native);
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        four.sin_addr.s_addr = htonl(ip.as_v4());
        return sizeof four;
    }
    auto& six = reinterpret_cast<sockaddr_in6&>(native);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, ip.bytes().data(), 16);
    return sizeof six;
}

std::string SocketAddress::text() const {
    return (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port);
}

}  // namespace net
