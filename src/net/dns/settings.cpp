#include "net/dns/settings.h"

#include <algorithm>

#include "net/dns/names.h"

namespace net::dns {

namespace {
constexpr std::uint16_t dns_port = 53;

// The comma-separated parts without surrounding blanks; empty parts are dropped.
std::vector<std::string_view> parts_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        std::size_t comma = text.find(',');
        std::string_view part = text.substr(0, comma);
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
        while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
        while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
        if (!part.empty()) out.push_back(part);
    }
    return out;
}
}  // namespace

base::Result<std::vector<RecordType>> parse_order(std::string_view text) {
    std::vector<RecordType> out;
    for (std::string_view part : parts_of(text)) {
        std::string name = normal_name(part);
        RecordType type;
        if (name == "last")
            type = RecordType::last;
        else if (name == "srv")
            type = RecordType::srv;
        else if (name == "a")
            type = RecordType::a;
        else if (name == "aaaa")
            type = RecordType::aaaa;
        else if (name == "cname")
            type = RecordType::cname;
        else
            return base::Error::us(base::Code::invalid, "invalid entry '" + std::string(part) +
                                                            "' in dns_order: LAST, SRV, A, AAAA or CNAME");
        if (std::find(out.begin(), out.end(), type) == out.end()) out.push_back(type);
    }
    if (out.empty()) return base::Error::us(base::Code::invalid, "dns_order must have at least one entry");
    return out;
}

base::Result<std::vector<SocketAddress>> parse_servers(std::string_view text) {
    std::vector<SocketAddress> out;
    for (std::string_view part : parts_of(text)) {
        std::string_view bare = part;
        if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
        if (auto ip = IpAddress::parse(bare)) {
            out.push_back({*ip, dns_port});
            continue;
        }
        auto address = SocketAddress::parse(part);
        if (!address || address->port == 0)
            return base::Error::us(base::Code::invalid,
                                   "invalid entry '" + std::string(part) + "' in dns_resolver: ip or ip:port");
        out.push_back(*address);
    }
    return out;
}

}  // namespace net::dns
