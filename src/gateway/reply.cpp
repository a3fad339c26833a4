#include "gateway/reply.h"

namespace gateway {

using plugin::reply_error;

void reply_fault(Transaction& transaction, http1::Fault fault) {
    int status = http1::status(fault);
    bool is_too_large = fault == http1::Fault::header_line_too_long || fault == http1::Fault::headers_too_large ||
                        fault == http1::Fault::too_many_headers;
    std::string_view message;
    if (is_too_large) {
        status = transaction.core.settings.limits.header_too_large_status;
        message = plugin::default_message(494);
    }
    reply_error(transaction, status, message, ErrorKind::unread);
}

void reply_failure(Transaction& transaction, const base::Error& error) {
    using base::Code;
    if (error.status == 413 && !transaction.too_large_message.empty()) {
        reply_error(transaction, 413, transaction.too_large_message, ErrorKind::gateway);
        return;
    }
    if (transaction.refused_by) {
        std::string_view message =
            transaction.arena.join("the upstream is at its limit: ", name(*transaction.refused_by));
        return static_cast<void>(reply_error(transaction, 503, message, ErrorKind::gateway));
    }
    if (error.status != 0) return static_cast<void>(reply_error(transaction, error.status, {}, ErrorKind::server));
    switch (error.code) {
        case Code::unresolved:
            return static_cast<void>(reply_error(transaction, 503, "name resolution failed", ErrorKind::gateway));
        case Code::resolver_failed:
            return static_cast<void>(reply_error(transaction, 503, "name resolution failed", ErrorKind::gateway));
        case Code::no_endpoint:
            return static_cast<void>(
                reply_error(transaction, 503, "failure to get a peer from the ring-balancer", ErrorKind::gateway));
        case Code::timed_out:
            return static_cast<void>(reply_error(transaction, 504, {}, ErrorKind::server));
        case Code::exhausted:
            return static_cast<void>(reply_error(transaction, 503, {}, ErrorKind::server));
        case Code::internal:
            return static_cast<void>(reply_error(transaction, 500, {}, ErrorKind::gateway));
        default:
            return static_cast<void>(reply_error(transaction, 502, {}, ErrorKind::server));
    }
}

}  // namespace gateway
