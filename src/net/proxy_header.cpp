#include "net/proxy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace net {

namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

constexpr std::string_view text_mark = "PROXY ";
constexpr std::size_t most_text = 107;  // of a line of version 1 with its end
constexpr std::string_view binary_mark = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t binary_head = 16;
constexpr std::uint8_t version_2 = 0x20;
constexpr std::uint8_t local = 0x0;
constexpr std::uint8_t proxied = 0x1;
constexpr std::uint8_t tcp_over_4 = 0x11;
constexpr std::uint8_t tcp_over_6 = 0x21;
constexpr std::uint8_t unix_stream = 0x31;

ProxyHeader malformed() { return {State::malformed, 0, {}}; }

// Decimal, without leading zeros.
bool read_port(std::string_view text, std::uint16_t& out) {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

std::string_view next_word(std::string_view& line) {
    std::size_t end = std::min(line.find(' '), line.size());
    std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

ProxyHeader read_text(std::string_view bytes) {
    std::size_t end = bytes.substr(0, most_text).find('\n');
    if (end == bytes.npos) return bytes.size() < most_text ? ProxyHeader() : malformed();
    if (bytes[--end] != '\r') return malformed();
    ProxyHeader out{State::whole, end + 2, {}};
    std::string_view line = bytes.substr(text_mark.size(), end - text_mark.size());
    std::string_view family = next_word(line);
    if (family == "UNKNOWN") return out;
    if (family != "TCP4" && family != "TCP6") return malformed();
    std::string_view from = next_word(line);
    std::string_view to = next_word(line);
    auto source = IpAddress::parse(from);
    auto destination = IpAddress::parse(to);
    ProxiedAddresses addresses;
    bool has_ports = read_port(next_word(line), addresses.source.port);
    has_ports = read_port(line, addresses.destination.port) && has_ports;
    if (!source || !destination || !has_ports) return malformed();
    // As it is written: an IPv4 address may come in IPv6's form (::ffff:10.0.0.1).
    bool is_v6 = family == "TCP6";
    if (from.contains(':') != is_v6 || to.contains(':') != is_v6) return malformed();
    addresses.source.ip = *source;
    addresses.destination.ip = *destination;
    out.addresses = addresses;
    return out;
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

IpAddress ip_at(std::string_view bytes, std::size_t at, bool is_v4) {
    if (is_v4) {
        std::uint32_t high = number_at(bytes, at);
        return IpAddress::v4(high << 16 | number_at(bytes, at + 2));
    }
    std::array<std::uint8_t, 16> all;
    std::memcpy(all.data(), bytes.data() + at, all.size());
    return IpAddress::v6(all);
}

ProxyHeader read_binary(std::string_view bytes) {
    if (bytes.size() < binary_head) return {};
    auto command = static_cast<std::uint8_t>(bytes[12]);
    auto family = static_cast<std::uint8_t>(bytes[13]);
    std::size_t length = number_at(bytes, 14);
    if ((command & 0xf0) != version_2 || (command & 0x0f) > proxied) return malformed();
    if (binary_head + length > ProxyHeader::most_bytes) return malformed();
    bool is_v4 = family == tcp_over_4;
    bool has_addresses = is_v4 || family == tcp_over_6;
    bool is_known = has_addresses || family == 0 || family == unix_stream;
    bool is_proxied = (command & 0x0f) != local;
    std::size_t ip = is_v4 ? 4 : 16;
    if (is_proxied && (!is_known || (has_addresses && length < 2 * ip + 4))) return malformed();
    if (bytes.size() < binary_head + length) return {};
    ProxyHeader out{State::whole, binary_head + length, {}};
    if (!is_proxied || !has_addresses) return out;
    std::size_t at = binary_head;
    out.addresses = {{ip_at(bytes, at, is_v4), number_at(bytes, at + 2 * ip)},
                     {ip_at(bytes, at + ip, is_v4), number_at(bytes, at + 2 * ip + 2)}};
    return out;
}

void append_number(std::string& out, std::uint16_t number) {
    out += static_cast<char>(number >> 8);
    out += static_cast<char>(number & 0xff);
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
    for (std::string_view mark : {text_mark, binary_mark}) {
        std::size_t compared = std::min(mark.size(), bytes.size());
        if (bytes.substr(0, compared) != mark.substr(0, compared)) continue;
        if (compared < mark.size()) return {};
        return mark == text_mark ? read_text(bytes) : read_binary(bytes);
    }
    return malformed();
}

std::string write_proxy_header(ProxyVersion version, const std::optional<ProxiedAddresses>& addresses) {
    bool is_said = addresses && addresses->source.ip.is_v4() == addresses->destination.ip.is_v4();
    bool is_v4 = is_said && addresses->source.ip.is_v4();
    if (version == ProxyVersion::v1) {
        if (!is_said) return "PROXY UNKNOWN\r\n";
        return fmt::format("PROXY {} {} {} {} {}\r\n", is_v4 ? "TCP4" : "TCP6", addresses->source.ip.text(),
                           addresses->destination.ip.text(), addresses->source.port, addresses->destination.port);
    }
    std::string out(binary_mark);
    out += static_cast<char>(version_2 | (is_said ? proxied : local));
    out += static_cast<char>(!is_said ? 0 : is_v4 ? tcp_over_4 : tcp_over_6);
    std::size_t size = is_v4 ? 4 : 16;
    append_number(out, static_cast<std::uint16_t>(is_said ? 2 * size + 4 : 0));
    if (!is_said) return out;
    for (const SocketAddress* each : {&addresses->source, &addresses->destination}) {
        const auto& bytes = each->ip.bytes();
        out.append(reinterpret_cast<const char*>(bytes.data()) + (bytes.size() - size), size);
    }
    append_number(out, addresses->source.port);
    append_number(out, addresses->destination.port);
    return out;
}

}  // namespace net
