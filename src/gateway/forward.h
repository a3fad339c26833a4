// forward: one attempt to have a request answered by an upstream: an endpoint is picked, a connection taken or made,
// the request sent, and the response head read. The response's body stays on the connection for whoever answers the
// client.
#pragma once

#include "base/task.h"
#include "gateway/transaction.h"
#include "upstream/retry.h"

namespace gateway {

// The endpoints that earlier attempts of the request have failed at, and what the last one got to.
struct AttemptLog {
    static constexpr std::size_t most_remembered = 16;
    std::array<std::uint32_t, most_remembered> tried;
    std::size_t count = 0;
    upstream::Progress progress;
    // The last attempt's stream was refused unseen: it may be repeated, whatever its method.
    bool was_unprocessed = false;
    // The last attempt's connection came from the pool, and whether it said a word.
    bool was_reused = false;
    bool was_heard = false;
};

// On success transaction.response is the upstream's head and transaction.link the connection. `want_fresh` keeps to the
// endpoint of the last attempt and takes no pooled connection.
enum class LinkChoice : std::uint8_t { pooled, fresh };
base::Task<base::Result<void>> forward(Transaction& transaction, AttemptLog& log, LinkChoice choice);

// Of a request that the upstream's limits refuse.
[[nodiscard]] base::Error over_limit(Transaction& transaction, upstream::Limit limit);

// Tells the balancer how the attempt ended, and gives the connection back if it can carry another exchange.
void finish_attempt(Transaction& transaction, upstream::Outcome outcome);

}  // namespace gateway
