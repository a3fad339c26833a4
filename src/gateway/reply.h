// Answers of our own: error bodies negotiated by Accept as Kong writes them (kong.md 3.6), redirects, plain texts.
// They fill exchange.response and response_text; the connection sends them.
#pragma once

#include <string_view>

#include "gateway/transaction.h"
#include "http/http1/fault.h"

namespace gateway {

// Which type an error body has where the client names none it accepts.
enum class ErrorKind : std::uint8_t {
    gateway,  // routing and plugins: JSON
    server,   // HTTP itself and the upstream: the request's Content-Type, else error_default_type
    unread,   // the request could not be read: text/plain
};

// An error answer; an empty message means the usual one of the status.
void reply_error(Transaction& transaction, int status, std::string_view message, ErrorKind kind);
// What a broken or oversized request head gets; the connection closes after it.
void reply_fault(Transaction& transaction, http1::Fault fault);
// What a failed upstream attempt gets: status and message by the error (kong.md 3.5).
void reply_failure(Transaction& transaction, const base::Error& error);
// Any other answer with a body. `text` and `type` live as long as the transaction.
void reply_text(Transaction& transaction, int status, std::string_view type, std::string_view text);

[[nodiscard]] std::string_view default_message(int status);

}  // namespace gateway
