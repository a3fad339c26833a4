// What a limit is counted by: the consumer, the credential, the address, ... of a request, as rate-limiting and
// response-ratelimiting take it (kong.md 4.8). Whatever is absent falls back to the client's address.
#pragma once

#include <string_view>

#include "plugin/exchange.h"
#include "schema/field.h"

namespace plugin {

enum class LimitBy : std::uint8_t { consumer, credential, ip, service, header, path };

struct LimitKey {
    LimitBy by = LimitBy::consumer;
    std::string_view name;       // of the header, or the path
    unsigned ipv6_prefix = 128;  // IPv6 clients share a counter by this many bits: one customer has many addresses
};

// A client's own text (a header) beyond this stands for itself by its SHA-256: what is remembered of it is bounded.
inline constexpr std::size_t longest_identifier = 128;

// The identifier as Kong writes it, in the arena.
[[nodiscard]] std::string_view identifier_of(const LimitKey& key, Exchange& exchange);
// A limit or what remains of it, as the headers say it: whole numbers without a point.
[[nodiscard]] std::string_view limit_text(double value, base::Arena& arena);

}  // namespace plugin

template <>
struct schema::Names<plugin::LimitBy> {
    static constexpr std::array<std::string_view, 6> list{"consumer", "credential", "ip", "service", "header", "path"};
};
