#include "net/dns/overrides.h"

#include <algorithm>
#include <charconv>

#include "net/dns/names.h"

namespace net::dns {

namespace {
base::Error invalid(std::string_view text, std::string_view why) {
    return base::Error::us(base::Code::invalid, "cannot read \"" + std::string(text) +
                                                    "\" as name:port:address[:port]: " + std::string(why));
}

bool parse_port(std::string_view text, std::uint16_t& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return !text.empty() && error == std::errc() && end == text.data() + text.size() && out != 0;
}

// "10.0.0.1", "10.0.0.1:80", "::1", "[::1]", "[::1]:80".
base::Result<SocketAddress> parse_address(std::string_view text, std::uint16_t default_port) {
    if (auto bare = IpAddress::parse(text)) return SocketAddress{*bare, default_port};
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
        TRY(bracketed, IpAddress::parse(text.substr(1, text.size() - 2)));
        return SocketAddress{bracketed, default_port};
    }
    TRY(whole, SocketAddress::parse(text));
    if (whole.port == 0) return base::Error::us(base::Code::invalid, "port 0");
    return whole;
}
}  // namespace

base::Result<void> Overrides::add(std::string_view text) {
    std::size_t first = text.find(':');
    if (first == text.npos || first == 0) return invalid(text, "no name");
    std::size_t second = text.find(':', first + 1);
    if (second == text.npos) return invalid(text, "no address");
    std::string name = normal_name(text.substr(0, first));
    if (!is_host_name(name)) return invalid(text, "not a host name");
    std::uint16_t port = 0;
    if (!parse_port(text.substr(first + 1, second - first - 1), port)) return invalid(text, "not a port");

    std::vector<SocketAddress> addresses;
    std::string_view rest = text.substr(second + 1);
    for (bool more = true; more;) {
        std::size_t comma = rest.find(',');
        more = comma != rest.npos;
        auto address = parse_address(rest.substr(0, comma), port);
        if (!address) return invalid(text, address.error().detail);
        addresses.push_back(*address);
        if (more) rest.remove_prefix(comma + 1);
    }
    auto& all = addresses_[{name, port}];
    all.insert(all.end(), addresses.begin(), addresses.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return base::success();
}

const std::vector<SocketAddress>* Overrides::find(std::string_view name, std::uint16_t port) const {
    auto found = addresses_.find({normal_name(name), port});
    return found == addresses_.end() ? nullptr : &found->second;
}

}  // namespace net::dns
