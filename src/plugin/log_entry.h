// What log plugins tell of an exchange: Kong's record (observe/log_record.h) filled from it. For on_log.
#pragma once

#include <string_view>

#include "plugin/exchange.h"

namespace plugin {

// The record as JSON, in memory of the thread that is used again with the next call.
[[nodiscard]] std::string_view log_entry(Exchange& exchange);

}  // namespace plugin
