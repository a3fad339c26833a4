// What is left behind by an exchange: counters, times, and its line in the access log.
#pragma once

#include "gateway/transaction.h"

namespace gateway {

void record(const Transaction& transaction);

}  // namespace gateway
