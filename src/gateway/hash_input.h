// The value that consistent hashing takes from a request (kong.md 7.4). Called once per request to such an upstream.
#pragma once

#include <cstdint>

#include "gateway/transaction.h"

namespace gateway {

// For hash_on cookie and a client without it: sets transaction.pinning_cookie, so that it comes back to the same
// endpoint.
std::uint64_t hash_input(Transaction& transaction, const upstream::HashRule& rule);

}  // namespace gateway
