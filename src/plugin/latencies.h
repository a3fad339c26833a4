// How long a request took, divided as Kong does. For on_log.
#pragma once

#include "plugin/exchange.h"

namespace plugin {

// In milliseconds.
struct Latencies {
    std::int64_t kong = 0;    // our own part
    std::int64_t proxy = -1;  // waiting for the upstream's head; -1: it was not asked
    std::int64_t request = 0;
    std::int64_t receive = 0;  // of the upstream's body
};
[[nodiscard]] Latencies latencies_of(const Exchange& exchange);

}  // namespace plugin
