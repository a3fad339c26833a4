// Identity: a certificate chain and its private key, as text.
#pragma once

#include <string>

namespace net::tls {

// PEM.
struct Identity {
    std::string certificate;
    std::string key;
};

}  // namespace net::tls
