// The upstreams as they are: every endpoint, whether it takes requests and why, as JSON; and a person's word on one
// (Kong's PUT /upstreams/NAME/targets/TARGET/healthy). For the admin pages and `cardea status upstreams`.
#pragma once

#include <string>

#include "gateway/snapshot.h"
#include "gateway/transaction.h"

namespace admin {

// {"upstreams":[{"name","algorithm","open","targets":[{"target","address","weight","health","active","since_ms",
// "reason"}]}]}. `only`: one of that name; empty: all that the document names.
[[nodiscard]] std::string upstreams_json(const gateway::Snapshot& snapshot, std::string_view only = {});

// Whether `path` is one of /upstreams/...
[[nodiscard]] bool is_upstream_path(std::string_view path);
void serve_upstream(gateway::Transaction& transaction);

}  // namespace admin
