// Which certificate a client is shown, in which versions, and that it may come back without a whole handshake.
#include "net/tls/server_certificates.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "net/tls/meeting_for_tests.h"

namespace net::tls {
namespace {

struct NamedMeeting : Meeting {
    NamedMeeting(const ServerCertificates& certificates, const char* name, Offer offer = Offer::http1,
                 std::string_view protocols = {}, int version = TLS1_3_VERSION, SSL_SESSION* before = nullptr)
        : Meeting(certificates,
                  {.name = name, .offer = offer, .protocols = protocols, .version = version, .before = before}) {}
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
    EXPECT_EQ(NamedMeeting(*certificates, "a.example.com").shown(), "exact");
    EXPECT_EQ(NamedMeeting(*certificates, "A.EXAMPLE.com").shown(), "exact");
    EXPECT_EQ(NamedMeeting(*certificates, "big.example.com").shown(), "exact");
    EXPECT_EQ(NamedMeeting(*certificates, "b.example.com").shown(), "left");
    EXPECT_EQ(NamedMeeting(*certificates, "a.example.org").shown(), "right");
    EXPECT_EQ(NamedMeeting(*certificates, "b.example.org").shown(), "fallback");
    EXPECT_EQ(NamedMeeting(*certificates, "x.b.example.com").shown(), "fallback");
    EXPECT_EQ(NamedMeeting(*certificates, "example.com").shown(), "fallback");
    EXPECT_EQ(NamedMeeting(*certificates, nullptr).shown(), "fallback");
}

TEST_F(ServerCertificatesTest, AStarIsShownWhereNoNameFits) {
    auto certificates = made({{{identity("exact")}, {"a.example.com"}}, {{identity("star")}, {"*"}}});
    EXPECT_EQ(NamedMeeting(*certificates, "a.example.com").shown(), "exact");
    EXPECT_EQ(NamedMeeting(*certificates, "b.example.com").shown(), "star");
    EXPECT_EQ(NamedMeeting(*certificates, nullptr).shown(), "star");
}

TEST_F(ServerCertificatesTest, VersionsAreThoseThatAreAllowed) {
    auto both = made();
    EXPECT_TRUE(NamedMeeting(*both, "x", Offer::http1, {}, TLS1_2_VERSION).is_greeted);
    EXPECT_TRUE(NamedMeeting(*both, "x", Offer::http1, {}, TLS1_3_VERSION).is_greeted);
    EXPECT_FALSE(NamedMeeting(*both, "x", Offer::http1, {}, TLS1_1_VERSION).is_greeted);
    auto modern = made({}, {.suite = CipherSuite::modern, .ciphers = {}});
    EXPECT_FALSE(NamedMeeting(*modern, "x", Offer::http1, {}, TLS1_2_VERSION).is_greeted);
    auto old = made({}, {.ciphers = {}, .has_tls13 = false});
    EXPECT_FALSE(NamedMeeting(*old, "x", Offer::http1, {}, TLS1_3_VERSION).is_greeted);
}

TEST_F(ServerCertificatesTest, ProtocolsAreThoseThatAreOffered) {
    auto certificates = made();
    using namespace std::string_view_literals;
    EXPECT_EQ(NamedMeeting(*certificates, "x", Offer::http1, "\x02h2\x08http/1.1"sv).protocol(), "http/1.1");
    EXPECT_EQ(NamedMeeting(*certificates, "x", Offer::http2_and_http1, "\x08http/1.1\x02h2"sv).protocol(), "h2");
    EXPECT_EQ(NamedMeeting(*certificates, "x", Offer::http2_and_http1, "\x08http/1.1"sv).protocol(), "http/1.1");
    EXPECT_EQ(NamedMeeting(*certificates, "x").protocol(), "");
    EXPECT_FALSE(NamedMeeting(*certificates, "x", Offer::http1, "\x02h2"sv).is_greeted);
}

TEST_F(ServerCertificatesTest, WhoComesBackIsKnownAlsoAfterAReload) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        NamedMeeting first(*made(), "x", Offer::http1, {}, version);
        ASSERT_TRUE(first.is_greeted);
        EXPECT_EQ(SSL_session_reused(first.client.get()), 0);
        SSL_SESSION* kept = SSL_get1_session(first.client.get());
        ASSERT_EQ(SSL_SESSION_is_resumable(kept), 1);
        auto reloaded = made();
        NamedMeeting second(*reloaded, "x", Offer::http1, {}, version, kept);
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
    EXPECT_EQ(NamedMeeting(**certificates, nullptr).shown(), "localhost");
}

}  // namespace
}  // namespace net::tls
