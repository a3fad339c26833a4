#include "command/settings_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>

namespace command {

namespace {
base::Error invalid(std::string detail) { return base::Error::us(base::Code::invalid, std::move(detail)); }

bool is_space(char letter) { return letter == ' ' || letter == '\t'; }

// Reads digits from the front of `text`; nothing if there are none or they overflow.
bool take_digits(View& text, std::uint64_t& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end == text.data()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool multiplied(std::uint64_t& value, std::uint64_t by) {
    if (by != 0 && value > std::numeric_limits<std::uint64_t>::max() / by) return false;
    value *= by;
    return true;
}

base::Result<std::uint64_t> in_range(std::uint64_t value, Range range) {
    if (value >= range.low && value <= range.high) return value;
    if (range.high == std::numeric_limits<std::uint64_t>::max())
        return invalid(fmt::format("must be at least {}", range.low));
    return invalid(fmt::format("must be between {} and {}", range.low, range.high));
}

// One flag of a listen address. Flags that change who may connect and how are refused, never ignored.
base::Result<void> read_listen_flag(View flag, gateway::ListenAddress& out) {
    View name = flag.substr(0, flag.find('='));
    View value = name.size() == flag.size() ? View() : flag.substr(name.size() + 1);
    bool has_value = name.size() != flag.size();
    if ((name == "ssl" || name == "http2") && !has_value) {
        (name == "ssl" ? out.ssl : out.http2) = true;
        return base::success();
    }
    if (name == "proxy_protocol" && !has_value) {
        out.proxied = true;
        return base::success();
    }
    if (name == "udp") return invalid("flag udp: streams are not served by this version");
    if (name == "bind" && !has_value) return base::success();  // every address is bound of its own here
    if (name == "deferred" && !has_value) {
        out.deferred = true;
        return base::success();
    }
    if (name == "reuseport" && !has_value) {
        out.reuse_port = true;
        return base::success();
    }
    if (name == "backlog") {
        auto backlog = read_number(value, {1, 1 << 20});
        if (!backlog) return invalid("flag backlog: " + backlog.error().detail);
        out.backlog = static_cast<int>(*backlog);
        return base::success();
    }
    if (name == "ipv6only" || name == "so_keepalive") {
        if (value != "on" && value != "off") return invalid(fmt::format("flag {}: only on and off are served", name));
        (name == "ipv6only" ? out.ipv6_only : out.keep_alive) = value == "on";
        return base::success();
    }
    return invalid(fmt::format(
        "unknown flag {}; known are backlog=N, bind, deferred, http2, ipv6only=on|off, proxy_protocol, reuseport, "
        "so_keepalive=on|off, ssl",
        flag));
}

base::Result<gateway::ListenAddress> read_one_listen(View text) {
    std::size_t size = 0;
    while (size < text.size() && !is_space(text[size])) ++size;
    View address = text.substr(0, size);
    if (address.starts_with("unix:"))
        return invalid(fmt::format("{}: unix sockets are not served by this version", address));
    auto parsed = net::SocketAddress::parse(address);
    if (!parsed)
        return invalid(fmt::format("{}: expected IP:PORT, as in 0.0.0.0:8000 or [::]:8000",
                                   address.empty() ? View("nothing") : address));
    gateway::ListenAddress out;
    out.address = *parsed;
    text = trimmed(text.substr(size));
    while (!text.empty()) {
        size = 0;
        while (size < text.size() && !is_space(text[size])) ++size;
        if (auto read = read_listen_flag(text.substr(0, size), out); !read)
            return invalid(fmt::format("{}: {}", address, read.error().detail));
        text = trimmed(text.substr(size));
    }
    return out;
}
}  // namespace

View trimmed(View text) {
    auto is_blank = [](char letter) { return is_space(letter) || letter == '\r' || letter == '\n'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

std::string lower(View text) {
    std::string out(text);
    for (char& letter : out)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    return out;
}

std::vector<View> list_items(View text) {
    std::vector<View> out;
    if (trimmed(text).empty()) return out;
    for (;;) {
        std::size_t comma = text.find(',');
        out.push_back(trimmed(text.substr(0, comma)));
        if (comma == View::npos) return out;
        text.remove_prefix(comma + 1);
    }
}

base::Result<bool> read_boolean(View text) {
    std::string word = lower(text);
    if (word == "on" || word == "true") return true;
    if (word == "off" || word == "false") return false;
    return invalid("expected on or off");
}

base::Result<std::uint64_t> read_number(View text, Range range) {
    std::uint64_t value = 0;
    if (!take_digits(text, value) || !text.empty()) return invalid("expected a whole number");
    return in_range(value, range);
}

base::Result<std::uint64_t> read_size(View text, Range range) {
    std::uint64_t value = 0;
    if (!take_digits(text, value)) return invalid("expected a size, as in 512, 8k or 10m");
    std::string unit = lower(text);
    std::uint64_t factor = unit.empty() ? 1 : unit == "k" ? 1 << 10 : unit == "m" ? 1 << 20 : unit == "g" ? 1 << 30 : 0;
    if (factor == 0 || !multiplied(value, factor)) return invalid("expected a size, as in 512, 8k or 10m");
    return in_range(value, range);
}

base::Result<Milliseconds> read_time(View text, Range range) {
    static constexpr std::array<std::pair<View, std::uint64_t>, 5> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    constexpr std::uint64_t longest = 100ull * 365 * 86'400'000;  // a hundred years: sums and deadlines cannot overflow
    std::uint64_t total = 0;
    std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
    auto wrong = [] { return invalid("expected a time, as in 60, 60s, 500ms or 1h30m"); };
    if (text.empty()) return wrong();
    while (!text.empty()) {
        std::uint64_t value = 0;
        if (!take_digits(text, value)) return wrong();
        std::size_t size = 0;
        while (size < text.size() && text[size] >= 'a' && text[size] <= 'z') ++size;
        View name = size == 0 ? View("s") : text.substr(0, size);
        auto unit = std::find_if(units.begin(), units.end(), [&](const auto& known) { return known.first == name; });
        if (unit == units.end() || unit->second >= last || !multiplied(value, unit->second)) return wrong();
        last = unit->second;
        total += std::min(value, longest);
        text = trimmed(text.substr(size));
    }
    total = std::min(total, longest);
    if (total >= range.low && total <= range.high) return Milliseconds(total);
    if (range.high == std::numeric_limits<std::uint64_t>::max())
        return invalid(fmt::format("must be at least {}ms", range.low));
    return invalid(fmt::format("must be between {}ms and {}ms", range.low, range.high));
}

base::Result<std::vector<gateway::ListenAddress>> read_listen(View text) {
    std::vector<gateway::ListenAddress> out;
    if (text == "off") return out;
    std::set<std::string> seen;
    for (View item : list_items(text)) {
        TRY(address, read_one_listen(item));
        // Port 0 asks the kernel for a free one; two of those are two ports.
        if (address.address.port != 0 && !seen.insert(address.address.text()).second)
            return invalid(fmt::format("{} is named twice", address.address.text()));
        out.push_back(address);
    }
    if (out.empty()) return invalid("expected off, or addresses as in 0.0.0.0:8000");
    return out;
}

base::Result<std::vector<net::Cidr>> read_cidrs(View text) {
    std::vector<net::Cidr> out;
    for (View item : list_items(text)) {
        if (item == "unix:") continue;  // trusts clients on unix sockets, of which there are none
        auto parsed = net::Cidr::parse(item);
        if (!parsed) return invalid(fmt::format("{}: expected an address or block, as in 10.0.0.0/8 or ::1", item));
        out.push_back(*parsed);
    }
    return out;
}

base::Result<std::vector<std::pair<std::uint16_t, std::uint16_t>>> read_port_maps(View text) {
    std::vector<std::pair<std::uint16_t, std::uint16_t>> out;
    for (View item : list_items(text)) {
        std::size_t colon = std::min(item.find(':'), item.size());
        auto from = read_number(item.substr(0, colon), {1, 65535});
        auto to = colon == item.size() ? from : read_number(item.substr(colon + 1), {1, 65535});
        if (!from || !to || colon == item.size())
            return invalid(fmt::format("{}: expected PUBLIC:OURS, as in 80:8000", item));
        out.emplace_back(static_cast<std::uint16_t>(*from), static_cast<std::uint16_t>(*to));
    }
    return out;
}

base::Result<gateway::HeaderTokens> read_header_tokens(View text) {
    using Tokens = gateway::HeaderTokens;
    static const std::vector<std::pair<View, std::vector<bool Tokens::*>>> known{
        {"server", {&Tokens::server}},
        {"via", {&Tokens::via}},
        {"x-kong-proxy-latency", {&Tokens::proxy_latency}},
        {"x-kong-response-latency", {&Tokens::response_latency}},
        {"x-kong-upstream-latency", {&Tokens::upstream_latency}},
        {"x-kong-admin-latency", {&Tokens::admin_latency}},
        {"x-kong-upstream-status", {&Tokens::upstream_status}},
        {"x-kong-request-id", {&Tokens::request_id}},
        {"server_tokens", {&Tokens::server, &Tokens::via}},
        {"latency_tokens",
         {&Tokens::proxy_latency, &Tokens::response_latency, &Tokens::upstream_latency, &Tokens::admin_latency}},
    };
    Tokens out{false, false, false, false, false, false, false, false};
    auto items = list_items(text);
    for (View item : items) {
        std::string word = lower(item);
        if (word == "off" && items.size() == 1) return out;
        auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == word; });
        if (found == known.end())
            return invalid(fmt::format(
                "{}: expected off alone, or some of Server, Via, X-Kong-Proxy-Latency, X-Kong-Response-Latency, "
                "X-Kong-Upstream-Latency, X-Kong-Admin-Latency, X-Kong-Upstream-Status, X-Kong-Request-Id, "
                "server_tokens, latency_tokens",
                item.empty() ? View("nothing") : item));
        for (bool Tokens::* member : found->second) out.*member = true;
    }
    return out;
}

}  // namespace command
