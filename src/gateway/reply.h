// Answers to what went wrong before or behind the plugins: a request that cannot be read, an upstream that failed.
#pragma once

#include "gateway/transaction.h"
#include "http/http1/fault.h"
#include "plugin/reply.h"

namespace gateway {

using plugin::ErrorKind;

// What a broken or oversized request head gets; the connection closes after it.
void reply_fault(Transaction& transaction, http1::Fault fault);
// What a failed upstream attempt gets: status and message by the error (kong.md 3.5).
void reply_failure(Transaction& transaction, const base::Error& error);

}  // namespace gateway
