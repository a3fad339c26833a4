// The connection, or the stream of one, that an attempt uses once its endpoint is known: one that is there, or a new
// one. Called by forward. Each sets transaction.link, and log.was_reused.
#pragma once

#include <string_view>

#include "base/task.h"
#include "gateway/forward.h"
#include "gateway/transaction.h"

namespace gateway {

// False: nothing can be had without waiting.
[[nodiscard]] bool take_link(Transaction& transaction, AttemptLog& log, LinkChoice choice);
base::Task<base::Result<void>> make_link(Transaction& transaction, AttemptLog& log, LinkChoice choice);

// What Host says to the endpoint.
[[nodiscard]] std::string_view host_for(Transaction& transaction);

}  // namespace gateway
