// Session: one TLS connection's state in OpenSSL, a client's or a server's, before it is given to a Layer.
#pragma once

#include <memory>

struct ssl_st;
struct ssl_session_st;

namespace net::tls {

struct FreeSession {
    void operator()(ssl_st* session) const;
};
using Session = std::unique_ptr<ssl_st, FreeSession>;

struct FreeResumption {
    void operator()(ssl_session_st* resumption) const;
};
// What a server gave us to come back with; the sessions that are made with it keep it up to date, and must not outlive
// it while they are read.
struct Resumption {
    std::unique_ptr<ssl_session_st, FreeResumption> kept;
};

}  // namespace net::tls
