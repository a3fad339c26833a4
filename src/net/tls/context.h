// ClientContext: what all TLS connections to one kind of server share: the authorities that may have signed it,
// protocol versions and ciphers (OpenSSL 3). Any thread may make sessions from it. A copy is the same context.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "net/tls/session.h"

struct ssl_ctx_st;

namespace net::tls {

enum class Verify : std::uint8_t {
    nothing,         // encrypted, with whoever answers
    chain_and_name,  // signed by an authority for that name or address, and in force
};

class ClientContext {
  public:
    // `authorities`: a file of PEM certificates; empty: those of the system. Contexts are kept: one that is known, and
    // whose file has not changed, costs no reading. Any thread; reads files, so not on a thread that serves.
    static base::Result<ClientContext> make(const std::string& authorities);

    ClientContext(const ClientContext& other);
    ClientContext& operator=(ClientContext other) noexcept {
        std::swap(context_, other.context_);
        return *this;
    }
    ~ClientContext();

    // For one connection. `name`: a host name, which is also sent (SNI), or an address, which is not.
    [[nodiscard]] Session session(std::string name, Verify verify) const;

  private:
    explicit ClientContext(ssl_ctx_st* context) : context_(context) {}
    ssl_ctx_st* context_;
};

}  // namespace net::tls
