// Counters: what one Client has done, for metrics and tests. Written by its core only.
#pragma once

#include <cstdint>

namespace redis {

struct Counters {
    std::uint64_t commands = 0;         // issued by callers
    std::uint64_t replies = 0;          // to them, errors of Redis included
    std::uint64_t complaints = 0;       // ...those
    std::uint64_t failures = 0;         // no reply: the connection broke, or there was none
    std::uint64_t timeouts = 0;         // no reply in time
    std::uint64_t refused_at_once = 0;  // while Redis is known to be away, or over a limit
    std::uint64_t dropped = 0;          // the caller left first
    std::uint64_t connects = 0;         // connections made and greeted
    std::uint64_t connect_failures = 0;
    std::uint64_t lost = 0;            // connections that broke, were overdue or talked nonsense
    std::uint64_t redirects = 0;       // MOVED and ASK followed
    std::uint64_t script_loads = 0;    // EVAL in the place of an EVALSHA that the server did not know
    std::uint64_t slot_refreshes = 0;  // of a cluster's map
    std::uint64_t sends = 0;           // batches given to a socket
};

}  // namespace redis
