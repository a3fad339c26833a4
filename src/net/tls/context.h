// ClientContext: what all TLS connections to one kind of server share: the authorities that may have signed it,
// protocol versions and ciphers (OpenSSL 3). Any thread may make sessions from it. A copy is the same context.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/tls/identity.h"
#include "net/tls/session.h"

struct ssl_ctx_st;

namespace net::tls {

enum class Verify : std::uint8_t {
    nothing,         // encrypted, with whoever answers
    chain_and_name,  // signed by an authority for that name or address, and in force
};

// What is held of one kind of server, and shown to it. Everything is text in memory: nothing here reads files.
struct Trust {
    Verify verify = Verify::nothing;
    int depth = -1;                        // certificates between the server's and the authority's; -1: as many as come
    std::vector<std::string> authorities;  // PEM; empty: those of the system
    Identity identity;                     // shown to servers that ask for one; empty: none
};

// SHA-256 of a text, in hexadecimal digits.
[[nodiscard]] std::string fingerprint(std::string_view text);

class ClientContext {
  public:
    // `authorities`: a file of PEM certificates; empty: those of the system. Contexts are kept: one that is known, and
    // whose file has not changed, costs no reading. Any thread; reads files, so not on a thread that serves.
    static base::Result<ClientContext> make(const std::string& authorities);

    static base::Result<ClientContext> make(const Trust& trust);

    ClientContext(const ClientContext& other);
    ClientContext& operator=(ClientContext other) noexcept {
        std::swap(context_, other.context_);
        return *this;
    }
    ~ClientContext();

    // For one connection. `name`: a host name, which is also sent (SNI), or an address, which is not.
    // Null if TLS cannot have such a name; with `resumption` the session that it holds is taken up again.
    [[nodiscard]] Session session(std::string name, Verify verify, Resumption* resumption = nullptr) const;
    // What `session` offers by ALPN (RFC 7301), the best first.
    enum class Offer : std::uint8_t { http2, http2_or_http1 };
    static void offer(const Session& session, Offer protocols);

  private:
    explicit ClientContext(ssl_ctx_st* context) : context_(context) {}
    ssl_ctx_st* context_;
};

}  // namespace net::tls
