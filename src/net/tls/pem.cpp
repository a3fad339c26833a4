#include "net/tls/pem.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace net::tls {

namespace {
// A key with a passphrase must never make the program ask for one.
int no_passphrase(char*, int, int, void*) { return 0; }

Bio open(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }
}  // namespace

base::Error failed(std::string_view what) {
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
    return base::Error::us(base::Code::invalid,
                           fmt::format("{}: {}", what, reason == nullptr ? "cannot be used" : reason));
}

base::Result<void> show(SSL_CTX* context, const Identity& identity) {
    Bio text = open(identity.certificate);
    X509Pointer leaf(PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr));
    if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return failed("certificate");
    SSL_CTX_clear_chain_certs(context);
    while (X509Pointer next{PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr)})
        if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return failed("certificate chain");
    ERR_clear_error();  // the text has ended
    Bio secret = open(identity.key);
    KeyPointer key(PEM_read_bio_PrivateKey(secret.get(), nullptr, no_passphrase, nullptr));
    if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return failed("private key");
    return base::success();
}

base::Result<void> trust(SSL_CTX* context, const std::string& authorities) {
    Bio text = open(authorities);
    bool has_any = false;
    while (X509Pointer next{PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr)}) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1) return failed("authority");
        has_any = true;
    }
    if (!has_any) return failed("authority");
    ERR_clear_error();
    return base::success();
}

}  // namespace net::tls
