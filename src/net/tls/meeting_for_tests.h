// Meeting: a client of OpenSSL and a session of ServerCertificates, joined in memory, as far as they get with each
// other.
#pragma once

#include <openssl/ssl.h>

#include <string_view>
#include <vector>

#include "net/tls/certificate_for_tests.h"
#include "net/tls/server_certificates.h"

namespace net::tls {

inline Identity identity_of(const Certificate& certificate) {
    return {certificate.certificate_text(), certificate.key_text()};
}

// What the client says and shows.
struct Guest {
    const char* name = nullptr;  // SNI
    Offer offer = Offer::http1;  // the server's
    std::string_view protocols = {};
    int version = TLS1_3_VERSION;
    SSL_SESSION* before = nullptr;
    const Certificate* certificate = nullptr;
    std::vector<const Certificate*> others = {};
};

struct Meeting {
    SSL_CTX* client_context = SSL_CTX_new(TLS_client_method());
    Session client{SSL_new(client_context)};
    Session server;
    bool is_greeted = false;

    Meeting(const ServerCertificates& certificates, const Guest& guest) : server(certificates.session(guest.offer)) {
        constexpr std::size_t room = 1 << 20;  // for the longest chain
        BIO* one = nullptr;
        BIO* other = nullptr;
        BIO_new_bio_pair(&one, room, &other, room);
        SSL_set_bio(client.get(), one, one);
        SSL_set_bio(server.get(), other, other);
        SSL_set_connect_state(client.get());
        SSL_set_min_proto_version(client.get(), guest.version);
        SSL_set_max_proto_version(client.get(), guest.version);
        if (guest.name != nullptr) SSL_set_tlsext_host_name(client.get(), guest.name);
        if (!guest.protocols.empty())
            SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(guest.protocols.data()),
                                static_cast<unsigned>(guest.protocols.size()));
        if (guest.certificate != nullptr) {
            SSL_use_certificate(client.get(), guest.certificate->get());
            SSL_use_PrivateKey(client.get(), guest.certificate->key());
            for (const Certificate* each : guest.others) SSL_add1_chain_cert(client.get(), each->get());
        }
        if (guest.before != nullptr) SSL_set_session(client.get(), guest.before);
        for (int i = 0; i < 20 && !is_greeted; ++i) {
            int mine = SSL_do_handshake(client.get());
            int theirs = SSL_do_handshake(server.get());
            is_greeted = mine == 1 && theirs == 1;
        }
        char nothing = 0;
        SSL_read(client.get(), &nothing, 1);  // takes the ticket
    }
    Meeting(const Meeting&) = delete;
    ~Meeting() { SSL_CTX_free(client_context); }
};

}  // namespace net::tls
