// Which certificate a client is shown, in which versions, and that it may come back without a whole handshake.
#include "net/tls/server_certificates.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "net/tls/certificate_for_tests.h"

namespace net::tls {
namespace {

Identity identity_of(const Certificate& certificate) {
    return {certificate.certificate_text(), certificate.key_text()};
}

// Both ends in memory.
struct Meeting {
    SSL_CTX* client_context = SSL_CTX_new(TLS_client_method());
    Session client{SSL_new(client_context)};
    Session server;
    bool is_greeted = false;

    Meeting(const ServerCertificates& certificates, const char* name, Offer offer = Offer::http1,
            std::string_view protocols = {}, int version = TLS1_3_VERSION, SSL_SESSION* before = nullptr)
        : server(certificates.session(offer)) {
        BIO* one = nullptr;
        BIO* other = nullptr;
        BIO_new_bio_pair(&one, 0, &other, 0);
        SSL_set_bio(client.get(), one, one);
        SSL_set_bio(server.get(), other, other);
        SSL_set_connect_state(client.get());
        SSL_set_min_proto_version(client.get(), version);
        SSL_set_max_proto_version(client.get(), version);
        if (name != nullptr) SSL_set_tlsext_host_name(client.get(), name);
        if (!protocols.empty())
            SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                                static_cast<unsigned>(protocols.size()));
        if (before != nullptr) SSL_set_session(client.get(), before);
        for (int i = 0; i < 10 && !is_greeted; ++i) {
            int mine = SSL_do_handshake(client.get());
            int theirs = SSL_do_handshake(server.get());
            is_greeted = mine == 1 && theirs == 1;
        }
        char nothing = 0;
        SSL_read(client.get(), &nothing, 1);  // takes the ticket
    }
    Meeting(const Meeting&) = delete;
    ~Meeting() { SSL_CTX_free(client_context); }
    [[nodiscard]] std::string shown() const {
        X509* certificate = SSL_get0_peer_certificate(client.get());
        if (certificate == nullptr) return "nothing";
        char name[100] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
        return name;
    }
    [[nodiscard]] std::string protocol() const {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(client.get(), &name, &size);
        return {reinterpret_cast<const char*>(name), size};
    }
};

class ServerCertificatesTest : public testing::Test {
  protected:
    Certificate authority = Certificate::authority("Test authority");
    Identity identity(const std::string& name) { return identity_of(authority.sign(name, "DNS:" + name)); }
    std::shared_ptr<const ServerCertificates> made(std::vector<ServerCertificates::Entry> entries = {},
                                                   ServerRules rules = {}) {
        auto out = ServerCertificates::make(rules, entries, {identity("fallback")});
        EXPECT_TRUE(out.ok());
        return *out;
    }
};

TEST_F(ServerCertificatesTest, TheNameChooses) {
    auto certificates = made({{{identity("exact")}, {"a.example.com", "Big.Example.Com"}},
                              {{identity("left")}, {"*.example.com"}},
                              {{identity("right")}, {"a.example.*"}}});
    EXPECT_EQ(Meeting(*certificates, "a.example.com").shown(), "exact");
    EXPECT_EQ(Meeting(*certificates, "A.EXAMPLE.com").shown(), "exact");
    EXPECT_EQ(Meeting(*certificates, "big.example.com").shown(), "exact");
    EXPECT_EQ(Meeting(*certificates, "b.example.com").shown(), "left");
    EXPECT_EQ(Meeting(*certificates, "a.example.org").shown(), "right");
    EXPECT_EQ(Meeting(*certificates, "b.example.org").shown(), "fallback");
    EXPECT_EQ(Meeting(*certificates, "x.b.example.com").shown(), "fallback");
    EXPECT_EQ(Meeting(*certificates, "example.com").shown(), "fallback");
    EXPECT_EQ(Meeting(*certificates, nullptr).shown(), "fallback");
}

TEST_F(ServerCertificatesTest, AStarIsShownWhereNoNameFits) {
    auto certificates = made({{{identity("exact")}, {"a.example.com"}}, {{identity("star")}, {"*"}}});
    EXPECT_EQ(Meeting(*certificates, "a.example.com").shown(), "exact");
    EXPECT_EQ(Meeting(*certificates, "b.example.com").shown(), "star");
    EXPECT_EQ(Meeting(*certificates, nullptr).shown(), "star");
}

TEST_F(ServerCertificatesTest, VersionsAreThoseThatAreAllowed) {
    auto both = made();
    EXPECT_TRUE(Meeting(*both, "x", Offer::http1, {}, TLS1_2_VERSION).is_greeted);
    EXPECT_TRUE(Meeting(*both, "x", Offer::http1, {}, TLS1_3_VERSION).is_greeted);
    EXPECT_FALSE(Meeting(*both, "x", Offer::http1, {}, TLS1_1_VERSION).is_greeted);
    auto modern = made({}, {.suite = CipherSuite::modern, .ciphers = {}});
    EXPECT_FALSE(Meeting(*modern, "x", Offer::http1, {}, TLS1_2_VERSION).is_greeted);
    auto old = made({}, {.ciphers = {}, .has_tls13 = false});
    EXPECT_FALSE(Meeting(*old, "x", Offer::http1, {}, TLS1_3_VERSION).is_greeted);
}

TEST_F(ServerCertificatesTest, ProtocolsAreThoseThatAreOffered) {
    auto certificates = made();
    using namespace std::string_view_literals;
    EXPECT_EQ(Meeting(*certificates, "x", Offer::http1, "\x02h2\x08http/1.1"sv).protocol(), "http/1.1");
    EXPECT_EQ(Meeting(*certificates, "x", Offer::http2_and_http1, "\x08http/1.1\x02h2"sv).protocol(), "h2");
    EXPECT_EQ(Meeting(*certificates, "x", Offer::http2_and_http1, "\x08http/1.1"sv).protocol(), "http/1.1");
    EXPECT_EQ(Meeting(*certificates, "x").protocol(), "");
    EXPECT_FALSE(Meeting(*certificates, "x", Offer::http1, "\x02h2"sv).is_greeted);
}

TEST_F(ServerCertificatesTest, WhoComesBackIsKnownAlsoAfterAReload) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Meeting first(*made(), "x", Offer::http1, {}, version);
        ASSERT_TRUE(first.is_greeted);
        EXPECT_EQ(SSL_session_reused(first.client.get()), 0);
        SSL_SESSION* kept = SSL_get1_session(first.client.get());
        ASSERT_EQ(SSL_SESSION_is_resumable(kept), 1);
        auto reloaded = made();
        Meeting second(*reloaded, "x", Offer::http1, {}, version, kept);
        EXPECT_TRUE(second.is_greeted);
        EXPECT_EQ(SSL_session_reused(second.client.get()), 1);
        SSL_SESSION_free(kept);
    }
}

// The first hello, which named somebody who is not asked, has chosen the context of its name already.
TEST_F(ServerCertificatesTest, ASecondHelloIsAskedByItsOwnName) {
    ClientRules rules;
    rules.cover(rules.add({}), ClientRules::Kind::exact, "secure.example");
    auto certificates = ServerCertificates::make({}, {{{identity("named")}, {"open.example", "secure.example"}}},
                                                 {identity("fallback")}, std::move(rules));
    ASSERT_TRUE(certificates.ok());
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    Session client(SSL_new(context.get()));
    Session server = (*certificates)->session(Offer::http1);
    BIO* one = nullptr;
    BIO* other = nullptr;
    BIO_new_bio_pair(&one, 1 << 20, &other, 1 << 20);
    SSL_set_bio(client.get(), one, one);
    SSL_set_bio(server.get(), other, other);
    SSL_set_connect_state(client.get());
    SSL_set1_groups_list(client.get(), "P-256:P-384");
    SSL_set1_groups_list(server.get(), "P-384");  // not the one that the client begins with
    SSL_set_tlsext_host_name(client.get(), "open.example");
    SSL_do_handshake(client.get());
    SSL_do_handshake(server.get());
    EXPECT_EQ(SSL_get_verify_mode(server.get()), SSL_VERIFY_NONE);
    SSL_set_tlsext_host_name(client.get(), "secure.example");
    SSL_do_handshake(client.get());
    SSL_do_handshake(server.get());
    EXPECT_EQ(SSL_get_verify_mode(server.get()), SSL_VERIFY_PEER);
}

TEST_F(ServerCertificatesTest, WhatCannotBeShownIsRefused) {
    Identity good = identity("good");
    Identity other = identity("other");
    EXPECT_FALSE(ServerCertificates::make({}, {}, {{good.certificate, other.key}}).ok());
    EXPECT_FALSE(ServerCertificates::make({}, {}, {{"nonsense", good.key}}).ok());
    EXPECT_FALSE(ServerCertificates::make({}, {{{{good.certificate, ""}}, {"x"}}}, {good}).ok());
    EXPECT_FALSE(ServerCertificates::make({.suite = CipherSuite::custom, .ciphers = "NO-SUCH"}, {}, {good}).ok());
}

TEST_F(ServerCertificatesTest, ASelfSignedOneCanBeMade) {
    auto identity = make_self_signed();
    ASSERT_TRUE(identity.ok());
    auto certificates = ServerCertificates::make({}, {}, {*identity});
    ASSERT_TRUE(certificates.ok());
    EXPECT_EQ(Meeting(**certificates, nullptr).shown(), "localhost");
}

}  // namespace
}  // namespace net::tls
