// The admin listener's pages: /status (JSON), /metrics (Prometheus text), /ready, and POST /reload. They run on the
// same connections and codec as the proxied traffic.
#pragma once

#include "base/task.h"
#include "gateway/transaction.h"

namespace admin {

base::Task<void> serve(gateway::Transaction& transaction);

}  // namespace admin
