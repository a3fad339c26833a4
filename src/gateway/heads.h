// The two heads that the gateway writes: the request as the upstream gets it and the response as the client gets it
// (kong.md 3.1 and 3.2). Each is serialised anew from the typed head; hop-by-hop fields end here.
#pragma once

#include <string_view>

#include "gateway/transaction.h"
#include "net/assembler.h"

namespace gateway {

// Appends the request head to `out`. `target` is path and query as they are sent, `host` the Host field's value.
base::Result<void> add_upstream_head(Transaction& transaction, std::string_view target, std::string_view host,
                                     http::BodyFraming framing, net::Assembler& out);

struct ClientFraming {
    http::BodyFraming framing = http::BodyFraming::none;
    std::optional<std::uint64_t> length;  // with `length`, and for the body that HEAD and 304 leave out
    bool close = false;                   // the connection ends after this answer
};

// Appends the response head to `out`: transaction.response with our own fields.
base::Result<void> add_client_head(Transaction& transaction, const ClientFraming& framing, net::Assembler& out);

// A field that is one of the gateway's own to whoever reads `_` as `-` (CGI does).
[[nodiscard]] bool is_disguised(std::string_view name);

// An interim response (1xx but 101) as the upstream sent it.
base::Result<void> add_interim_head(const http::ResponseHead& interim, net::Assembler& out);

}  // namespace gateway
