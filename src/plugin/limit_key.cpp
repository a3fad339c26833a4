#include "plugin/limit_key.h"

#include <charconv>
#include <cmath>

#include "crypto/hash.h"

namespace plugin {

namespace {

std::string_view address_of(const Exchange& exchange, unsigned ipv6_prefix, base::Arena& arena) {
    const net::IpAddress& ip = exchange.client.address.ip;
    if (ip.is_v4() || ipv6_prefix >= 128) return arena.copy(ip.text());
    std::array<std::uint8_t, 16> bytes = ip.bytes();
    for (unsigned bit = ipv6_prefix; bit < 128; ++bit)
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80u >> bit % 8));
    return arena.join(net::IpAddress::v6(bytes).text(), "/", std::to_string(ipv6_prefix));
}

std::string_view bounded(std::string_view text, base::Arena& arena) {
    if (text.size() <= longest_identifier) return text;
    return arena.copy(crypto::hex(crypto::digest(crypto::Hash::sha256, text).view()));
}

}  // namespace

std::string_view identifier_of(const LimitKey& key, Exchange& exchange) {
    base::Arena& arena = exchange.arena;
    const Identity& identity = exchange.identity;
    switch (key.by) {
        case LimitBy::consumer:
            if (identity.consumer != nullptr) return exchange.text(identity.consumer->id);
            // Not to be taken for a consumer, whatever the issuer of a token calls somebody.
            if (identity.is_authenticated && !identity.credential.empty())
                return bounded(arena.join("credential:", identity.credential), arena);
            break;
        case LimitBy::credential:
            if (identity.is_authenticated && !identity.credential.empty()) return bounded(identity.credential, arena);
            break;
        case LimitBy::service:
            if (exchange.service != nullptr) return exchange.text(exchange.service->id);
            break;
        case LimitBy::header:
            if (std::string_view value = exchange.request.headers.first(key.name); !value.empty())
                return bounded(value, arena);
            break;
        case LimitBy::path:
            if (exchange.path == key.name) return exchange.path;
            break;
        case LimitBy::ip:
            break;
    }
    return address_of(exchange, key.ipv6_prefix, arena);
}

std::string_view limit_text(double value, base::Arena& arena) {
    char text[32];
    bool is_whole = std::abs(value) < 1e15 && value == std::floor(value);
    char* end = is_whole ? std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr
                         : std::to_chars(text, text + sizeof text, value).ptr;
    return arena.copy({text, static_cast<std::size_t>(end - text)});
}

}  // namespace plugin
