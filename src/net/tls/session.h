// Session: one TLS connection's state in OpenSSL, a client's or a server's, before it is given to a Layer.
#pragma once

#include <memory>

struct ssl_st;

namespace net::tls {

struct FreeSession {
    void operator()(ssl_st* session) const;
};
using Session = std::unique_ptr<ssl_st, FreeSession>;

}  // namespace net::tls
