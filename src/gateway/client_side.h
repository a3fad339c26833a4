// client_side: what is done with every request of a client and its answer, whatever protocol they came in. The HTTP/1
// connection and the HTTP/2 stream call it, step by step.
#pragma once

#include <exception>

#include "gateway/heads.h"
#include "gateway/transaction.h"
#include "http/http1/fault.h"

namespace gateway {

// The first step: counted, numbered, with the configuration of this moment. `number` is the connection's, `count` how
// many requests it has had with this one.
void begin_request(Transaction& transaction, Entrance entrance, std::uint64_t number, std::uint32_t count);
// Bytes that are no request: counted, logged, and answered.
void refuse_request(Transaction& transaction, http1::Fault fault);
// serve() threw, so the fault is in foreign code (allocation, libraries): ours returns errors.
void answer_exception(Transaction& transaction, const std::exception& error);
// The answer's head cannot be written. Only an upstream's odd field can do that, and the parser has seen it: a fault of
// ours.
void log_unwritable(const Transaction& transaction, const base::Error& error);

// How the response's body reaches the client (RFC 9112 6.3); `until_close` is also HTTP/2's way without a length.
[[nodiscard]] ClientFraming framing_for(const Transaction& transaction);
// Whether the upstream's body is passed on as it comes, and what of it has come already. False: it is malformed.
[[nodiscard]] bool is_streamed(const Transaction& transaction, const ClientFraming& framing);
[[nodiscard]] bool add_streamed_in_hand(Transaction& transaction, const ClientFraming& framing, net::Assembler& out);
// The pieces of a body that is made while it is sent, as chunks or as they are.
base::Task<RelayEnd> send_source(Transaction& transaction, bool is_chunked);

// The answer is out, as far as `end` says: the upstream's connection and the numbers of the attempt.
void settle_answer(Transaction& transaction, const RelayEnd& end, std::uint64_t text_bytes);
// Last step: on_log and the access log.
void finish_request(Transaction& transaction);

}  // namespace gateway
