// Consul's HTTP API, as far as targets are found by it: /v1/health/service with blocking queries.
// Rules of the index: https://developer.hashicorp.com/consul/api-docs/features/blocking
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/fetches.h"
#include "upstream/discovery/source_spec.h"
#include "upstream/targets.h"

namespace upstream::consul {

inline constexpr std::size_t most_bytes = 32 << 20;  // of an answer

// The question after the answer that had `index`; 0: the first, which is answered at once.
[[nodiscard]] net::FetchRequest question(const SourceSpec& spec, std::uint64_t index);

// What to ask with next after `answer` to a question with `before`: 0 if it went backwards (the servers were restored),
// and never 0 for nothing, or the next question would be answered at once, and so on for ever.
[[nodiscard]] std::uint64_t next_index(const net::FetchAnswer& answer, std::uint64_t before);

struct Instances {
    std::vector<Target> targets;  // in order
    std::string left_out;         // what of it cannot be used, and why: of the first; may be empty
};
// The instances that may take requests: with passing checks and their weight for that; without `passing_only` also
// those that warn, with their weight for that.
[[nodiscard]] base::Result<Instances> instances(const net::FetchAnswer& answer, bool passing_only);

}  // namespace upstream::consul
