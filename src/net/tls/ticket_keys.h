// The keys that session tickets are sealed with: one set for the process, so that a client may come back to any worker.
// A new key every hour; the two before it still open tickets, so none is good for more than three hours.
#pragma once

struct ssl_ctx_st;

namespace net::tls {

void use_ticket_keys(ssl_ctx_st* context);

}  // namespace net::tls
