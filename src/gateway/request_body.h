// A request body that plugins want to see: read whole before anything is forwarded, its raw bytes kept, so that it can
// still go on as it came. Bodies that nobody asks for are streamed by forward and never pass here.
#pragma once

#include "gateway/transaction.h"

namespace gateway {

// What was taken of the body becomes input of the client's socket again.
void put_body_back(Transaction& transaction);
// How a body that could not be moved ends the request; `done` and a lost upstream are not the client's fault.
base::Error body_error(const RelayEnd& end, http1::Fault fault);
base::Error body_too_large();
// The most bytes that the request's body may have; 0 = no limit.
[[nodiscard]] std::uint64_t most_body_bytes(const Transaction& transaction);
// 100 (Continue), once, to a client that waits for it.
base::Task<base::Result<void>> ask_for_body(Transaction& transaction);
// A whole head with a status of 1xx, on its way ahead of the answer.
base::Task<net::IoStatus> send_interim(Transaction& transaction, net::Slice head);

}  // namespace gateway
