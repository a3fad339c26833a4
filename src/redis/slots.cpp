#include "redis/slots.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace redis {

namespace {

using base::Code;
using base::Error;

// CRC-16/XMODEM.
constexpr std::array<std::uint16_t, 256> crc_table = [] {
    std::array<std::uint16_t, 256> out{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        unsigned crc = byte << 8;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
        out[byte] = static_cast<std::uint16_t>(crc);
    }
    return out;
}();

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

bool has_keys_behind_count(std::string_view name) {
    constexpr std::array names = {std::string_view("EVAL"),    std::string_view("EVALSHA"),
                                  std::string_view("EVAL_RO"), std::string_view("EVALSHA_RO"),
                                  std::string_view("FCALL"),   std::string_view("FCALL_RO")};
    return std::ranges::any_of(names, [&](std::string_view each) { return equals_ignoring_case(each, name); });
}

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
    Number out{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

std::optional<Node> read_node(const Reply& reply, const Node& asked) {
    if (reply.elements().size() < 2) return std::nullopt;
    const Reply& host = reply.elements()[0];
    std::optional<std::int64_t> port = reply.elements()[1].integer();
    if (!port || *port < 1 || *port > 65'535 || !(host.is_nil() || host.is_text())) return std::nullopt;
    Node out{std::string(host.text()), static_cast<std::uint16_t>(*port)};
    // "?" is how Redis 7 says that it has no host name to give.
    if (out.host.empty() || out.host == "?") out.host = asked.host;
    if (!out.is_possible()) return std::nullopt;
    return out;
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
    if (std::size_t open = key.find('{'); open != std::string_view::npos)
        if (std::size_t close = key.find('}', open + 1); close != std::string_view::npos && close > open + 1)
            key = key.substr(open + 1, close - open - 1);
    unsigned crc = 0;
    for (char c : key) crc = (crc << 8 & 0xffff) ^ crc_table[(crc >> 8) ^ static_cast<unsigned char>(c)];
    return static_cast<std::uint16_t>(crc % slot_count);
}

std::optional<std::string_view> key_of(Arguments arguments) {
    if (has_keys_behind_count(arguments[0])) {
        if (arguments.size() < 4 || arguments[2] == "0") return std::nullopt;
        return arguments[3];
    }
    if (arguments.size() < 2) return std::nullopt;
    return arguments[1];
}

base::Result<std::vector<SlotRange>> read_slots(const Reply& reply, const Node& asked, std::size_t most_nodes) {
    auto nonsense = [] { return Error::us(Code::malformed, "Redis: not an answer to CLUSTER SLOTS"); };
    if (!reply.is_array()) return nonsense();
    std::vector<SlotRange> out;
    std::vector<Node> nodes;
    for (const Reply& range : reply.elements()) {
        if (range.elements().size() < 3) return nonsense();
        std::optional<std::int64_t> first = range.elements()[0].integer();
        std::optional<std::int64_t> last = range.elements()[1].integer();
        std::optional<Node> master = read_node(range.elements()[2], asked);
        if (!first || !last || !master || *first < 0 || *first > *last || *last >= slot_count) return nonsense();
        if (std::ranges::find(nodes, *master) == nodes.end()) nodes.push_back(*master);
        if (nodes.size() > most_nodes) return Error::us(Code::too_large, "Redis: a cluster of too many nodes");
        out.push_back({static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last), std::move(*master)});
    }
    if (out.empty()) return Error::us(Code::no_endpoint, "Redis: a cluster without slots");
    return out;
}

std::optional<Redirection> read_redirection(std::string_view error, const Node& asked) {
    std::size_t first = error.find(' ');
    std::size_t second = error.find(' ', first + 1);
    std::size_t colon = error.rfind(':');
    if (second == std::string_view::npos || colon == std::string_view::npos || colon < second) return std::nullopt;
    auto slot = number_in<std::uint16_t>(error.substr(first + 1, second - first - 1));
    auto port = number_in<std::uint16_t>(error.substr(colon + 1));
    if (!slot || *slot >= slot_count || !port) return std::nullopt;
    Redirection out{*slot, {std::string(error.substr(second + 1, colon - second - 1)), *port}};
    if (out.to.host.empty() || out.to.host == "?") out.to.host = asked.host;
    if (!out.to.is_possible()) return std::nullopt;
    return out;
}

}  // namespace redis
