// Who a request is from, as authentication plugins find it out, and what the upstream is told of it (kong.md 4.2).
#pragma once

#include <span>
#include <string>

#include "plugin/exchange.h"

namespace plugin {

// Takes every identity field out of what a client sent (X-Consumer-*, X-Credential-*, X-Anonymous-Consumer,
// X-Authenticated-*, also spelled with underscores): only this gateway says who somebody is. Before the first plugin.
void remove_claimed_identity(http::Headers& headers);

[[nodiscard]] bool is_claimed_identity(std::string_view name);

// Takes what plugins own (Type::owns_headers) out of what a client sent, also spelled with underscores.
void remove_owned(http::Headers& headers, std::span<const std::string> names);

// A credential was right. `identifier` is what X-Credential-Identifier says; it lives as long as the exchange.
// `consumer` may be null (a token that belongs to nobody in particular).
void identify(Exchange& exchange, const Consumer* consumer, std::string_view identifier);
// Nobody was found, and the configuration allows that: the request goes on as this consumer.
void stay_anonymous(Exchange& exchange, const Consumer& consumer);

}  // namespace plugin
