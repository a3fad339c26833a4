#include "route/host.h"

#include <charconv>

namespace route {
namespace {

base::Error invalid(std::string_view why, std::string_view text) {
    return base::Error::us(base::Code::invalid, fmt::format("{}: '{}'", why, text));
}

// Splits ":port" off the end. An IPv6 address has its port only behind brackets.
base::Result<std::uint16_t> split_port(std::string_view& text) {
    std::size_t colon = text.rfind(':');
    bool bracketed = !text.empty() && text.front() == '[';
    if (colon == text.npos || (bracketed ? text[colon - 1] != ']' : text.find(':') != colon)) return std::uint16_t{0};
    std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port == 0) {
        return invalid("invalid port", text);
    }
    text = text.substr(0, colon);
    return port;
}

base::Result<HostPattern> parse_name(std::string_view name, std::string_view whole) {
    HostPattern pattern;
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > max_host_length) return invalid("invalid host", whole);
    if (name.starts_with("*.")) {
        pattern.kind = HostPattern::Kind::suffix;
        name.remove_prefix(1);
    } else if (name.ends_with(".*")) {
        pattern.kind = HostPattern::Kind::prefix;
        name.remove_suffix(1);
    }
    if (name == "." || name.find('*') != name.npos) return invalid("invalid wildcard", whole);
    pattern.text = lower(name);
    return pattern;
}

}  // namespace

base::Result<HostPattern> HostPattern::parse(std::string_view text) {
    std::string_view name = text;
    TRY(port, split_port(name));
    TRY(pattern, parse_name(name, text));
    pattern.port = port;
    return pattern;
}

base::Result<HostPattern> HostPattern::parse_server_name(std::string_view text) { return parse_name(text, text); }

std::string_view comparable_host(std::string_view host, HostBuffer& buffer) {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.size() > buffer.size()) return {};
    for (std::size_t i = 0; i < host.size(); ++i) buffer[i] = lower(host[i]);
    return {buffer.data(), host.size()};
}

bool accepts_name(const HostPattern& pattern, std::string_view host) {
    switch (pattern.kind) {
        case HostPattern::Kind::exact:
            return host == pattern.text;
        case HostPattern::Kind::suffix:
            return host.ends_with(pattern.text);
        case HostPattern::Kind::prefix:
            return host.starts_with(pattern.text);
    }
    return false;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = lower(c);
    return out;
}

bool equal_caseless(std::string_view text, std::string_view lower_text) {
    if (text.size() != lower_text.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower(text[i]) != lower_text[i]) return false;
    }
    return true;
}

}  // namespace route
