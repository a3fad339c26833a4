// What holds for any first bytes of a client: by its name it may be asked for a certificate, but without keys it never
// comes through, and has shown nothing.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string_view>

#include "base/ensure.h"
#include "net/tls/certificate_for_tests.h"
#include "net/tls/peer_chain.h"
#include "net/tls/server_certificates.h"

namespace net::tls {

inline void check_client_hello(std::string_view bytes) {
    static const std::shared_ptr<const ServerCertificates> certificates = [] {
        Certificate root = Certificate::authority("root");
        Certificate server = root.sign("server", "DNS:a.example");
        ClientRules rules;
        rules.cover(rules.add({}), ClientRules::Kind::exact, "a.example");
        rules.cover(rules.add({"not DER"}), ClientRules::Kind::suffix, ".b.example");
        Identity identity{server.certificate_text(), server.key_text()};
        auto made = ServerCertificates::make({}, {{{identity}, {"a.example"}}}, {identity}, std::move(rules));
        ensure(made.ok());
        return *made;
    }();
    Session session = certificates->session(Offer::http2_and_http1);
    BIO* in = BIO_new_mem_buf(bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()));
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(session.get(), in, BIO_new(BIO_s_mem()));
    ensure(SSL_do_handshake(session.get()) != 1);
    ensure(PeerChain::of(session) == nullptr);
    ERR_clear_error();
}

}  // namespace net::tls
