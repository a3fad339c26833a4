// What OpenSSL's contexts are given from PEM texts.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include "base/result.h"
#include "net/tls/identity.h"

namespace net::tls {

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Pointer = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

// OpenSSL's last word about it; empties its queue.
[[nodiscard]] base::Error failed(std::string_view what);
// The chain and key are what the context shows; one more for each kind of key.
base::Result<void> show(ssl_ctx_st* context, const Identity& identity);
// Whoever one of these has signed is trusted.
base::Result<void> trust(ssl_ctx_st* context, const std::string& authorities);

}  // namespace net::tls
