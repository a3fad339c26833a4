// tunnel: after 101 (Switching Protocols) bytes go both ways as they are, until both sides have ended, one breaks, or
// nothing moves for the service's read_timeout (kong.md 3.8).
#pragma once

#include "base/task.h"
#include "gateway/transaction.h"

namespace gateway {

base::Task<void> tunnel(Transaction& transaction);

}  // namespace gateway
