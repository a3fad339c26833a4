// A response body that plugins want to change: read whole before the client gets anything.
#pragma once

#include "gateway/transaction.h"

namespace gateway {

// Reads the upstream's body into transaction.buffered_response if it has at most `buffered_most` bytes; else, it is
// left to be streamed as it is. An error means that the upstream failed in the middle of it.
base::Task<base::Result<void>> read_response_body(Transaction& transaction);

}  // namespace gateway
