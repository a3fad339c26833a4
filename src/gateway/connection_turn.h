// take_turn: the right to use one more connection of an upstream that has limits.max_connections, waited for where
// limits.max_pending lets it. Called by forward and obtain_link.
#pragma once

#include <functional>

#include "base/task.h"
#include "gateway/live_upstream.h"
#include "gateway/transaction.h"

namespace gateway {

[[nodiscard]] inline bool limits_connections(const LiveUpstream& live) { return live.spec().limits.connections > 0; }

// `take` takes what it wants, and says false where it must wait for somebody to give something back. It is called
// before this first waits and after each wake; it lives as long as the task.
base::Task<base::Result<void>> take_turn(Transaction& transaction, LiveUpstream& live,
                                         const std::function<bool(upstream::Load::Turn)>& take);

// Of a connection that no other exchange uses meanwhile: transaction.held_connection, if it is not there yet.
base::Task<base::Result<void>> take_connection_turn(Transaction& transaction, LiveUpstream& live);

}  // namespace gateway
