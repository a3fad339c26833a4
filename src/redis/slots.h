// Slots: which of a cluster's 16384 slots a key is in, which argument of a command is the key, and what a cluster says
// of who owns what. Redis Cluster specification, "Key distribution model", "MOVED Redirection", CLUSTER SLOTS.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "redis/encoder.h"
#include "redis/reply.h"
#include "redis/settings.h"

namespace redis {

inline constexpr std::uint16_t slot_count = 16'384;

// Of a key; what stands between the first '{' and the next '}' decides, if that is anything.
[[nodiscard]] std::uint16_t slot_of(std::string_view key);

// The key of a command; nothing if it has none.
[[nodiscard]] std::optional<std::string_view> key_of(Arguments arguments);

struct SlotRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    Node master;
};

// The answer to CLUSTER SLOTS; `asked` is whoever gave it, for nodes that do not say their own host.
base::Result<std::vector<SlotRange>> read_slots(const Reply& reply, const Node& asked, std::size_t most_nodes);

// "MOVED 3999 127.0.0.1:6381" or "ASK ...".
struct Redirection {
    std::uint16_t slot = 0;
    Node to;
};
[[nodiscard]] std::optional<Redirection> read_redirection(std::string_view error, const Node& asked);

}  // namespace redis
