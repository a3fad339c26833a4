// serve: a request's way from the parsed head to a response head: normal path, route, upstream. What every protocol and
// `explain` share; the connection sends the answer.
#pragma once

#include "base/task.h"
#include "gateway/transaction.h"

namespace gateway {

// Leaves transaction.response filled, with a body of ours (response_text) or the upstream's (link). If the request's
// body was broken or too slow, the response says so and the connection must not be used again.
base::Task<void> serve(Transaction& transaction);

// All tries of one request at its upstream. The response's head is there (a plugin may have put its own in that place),
// or the error of the last try.
base::Task<base::Result<void>> ask_upstream(Transaction& transaction);
// Says in the log that no try succeeded, unless that was the client's doing.
void log_failure(const Transaction& transaction, const base::Error& error);

// What a listener's connections do with a request: serve, or the admin pages.
using ServeFunction = base::Task<void> (*)(Transaction& transaction);

}  // namespace gateway
