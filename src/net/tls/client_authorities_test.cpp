// Which chains are believed, and above all which are not.
#include "net/tls/client_authorities.h"

#include <gtest/gtest.h>

#include <ctime>

#include "net/tls/certificate_for_tests.h"

namespace net::tls {
namespace {

using Anchor = ClientAuthorities::Anchor;

class ClientAuthoritiesTest : public testing::Test {
  protected:
    // Empty: believed.
    static std::string verdict(const std::vector<const Certificate*>& listed, std::vector<const Certificate*> shown,
                               Anchor anchor = Anchor::root, std::int64_t now_s = std::time(nullptr)) {
        return proven(listed, std::move(shown), anchor, now_s).fault;
    }
    static ClientProof proven(const std::vector<const Certificate*>& listed, std::vector<const Certificate*> shown,
                              Anchor anchor = Anchor::root, std::int64_t now_s = std::time(nullptr)) {
        std::vector<std::string> texts;
        for (const Certificate* each : listed) texts.push_back(each->certificate_text());
        auto authorities = ClientAuthorities::make(texts, anchor);
        EXPECT_TRUE(authorities.ok());
        std::string pem;
        for (const Certificate* each : shown) pem += each->certificate_text();
        auto chain = PeerChain::parse(pem);
        EXPECT_NE(chain, nullptr);
        return (*authorities)->prove(*chain, now_s);
    }
    Certificate root = Certificate::authority("root");
    Certificate other = Certificate::authority("other");
    Certificate between = root.sign("between", {.is_authority = true});
};

TEST_F(ClientAuthoritiesTest, BelievesWhatAListedAuthorityHasSigned) {
    Certificate direct = root.sign("alice", "");
    EXPECT_EQ(verdict({&root}, {&direct}), "");
    EXPECT_EQ(verdict({&other, &root}, {&direct}), "");
    Certificate deeper = between.sign("alice", "");
    ClientProof proof = proven({&other, &root}, {&deeper, &between});
    EXPECT_EQ(proof.fault, "");
    EXPECT_EQ(proof.authorities, std::vector<std::size_t>{1});
    EXPECT_EQ(proof.chain.size(), 3u);
    EXPECT_NEAR(static_cast<double>(proof.until_s), static_cast<double>(std::time(nullptr) + 24 * 3600), 120);
    // One that is listed need not be shown.
    proof = proven({&root, &between}, {&deeper});
    EXPECT_EQ(proof.authorities, (std::vector<std::size_t>{1, 0}));
}

TEST_F(ClientAuthoritiesTest, BelievesNobodyElse) {
    Certificate strange = other.sign("alice", "");
    EXPECT_EQ(verdict({&root}, {&strange}), "unable to get local issuer certificate");
    // Who brings the authority along gains nothing, nor who has its name.
    EXPECT_EQ(verdict({&root}, {&strange, &other}), "self-signed certificate in certificate chain");
    Certificate impostor = Certificate::authority("root");
    Certificate forged = impostor.sign("alice", "");
    EXPECT_NE(verdict({&root}, {&forged}), "");
    EXPECT_NE(verdict({&root}, {&forged, &impostor}), "");
    Certificate lonely = Certificate::authority("alice");
    EXPECT_EQ(verdict({&root}, {&lonely}), "self-signed certificate");
    Certificate good = root.sign("alice", "");
    EXPECT_NE(verdict({&root}, {&lonely, &good}), "");
    EXPECT_NE(verdict({}, {&good, &root}), "");
}

TEST_F(ClientAuthoritiesTest, TimeCounts) {
    Certificate old = root.sign("alice", "", -7200, -3600);
    EXPECT_EQ(verdict({&root}, {&old}), "certificate has expired");
    Certificate future = root.sign("alice", "", 3600, 7200);
    EXPECT_EQ(verdict({&root}, {&future}), "certificate is not yet valid");
    Certificate old_between = root.sign("old", {.from_s = -7200, .until_s = -3600, .is_authority = true});
    Certificate of_old = old_between.sign("alice", "");
    EXPECT_EQ(verdict({&root}, {&of_old, &old_between}), "certificate has expired");
}

TEST_F(ClientAuthoritiesTest, OnlyAuthoritiesSign) {
    Certificate client = root.sign("mallory", "");
    Certificate signed_by_client = client.sign("alice", "");
    EXPECT_EQ(verdict({&root}, {&signed_by_client, &client}), "invalid CA certificate");
    Certificate no_signer =
        root.sign("between", {.is_authority = true, .extensions = {{NID_key_usage, "critical,digitalSignature"}}});
    Certificate of_no_signer = no_signer.sign("alice", "");
    EXPECT_NE(verdict({&root}, {&of_no_signer, &no_signer}), "");
}

TEST_F(ClientAuthoritiesTest, OnlyClientsAreClients) {
    auto with = [&](const std::string& usage) {
        return root.sign("alice", {.extensions = {{NID_ext_key_usage, usage}}});
    };
    Certificate server = with("serverAuth");
    EXPECT_EQ(verdict({&root}, {&server}), "unsuitable certificate purpose");
    Certificate mail = with("emailProtection");
    EXPECT_NE(verdict({&root}, {&mail}), "");
    Certificate client = with("clientAuth");
    EXPECT_EQ(verdict({&root}, {&client}), "");
    Certificate both = with("serverAuth,clientAuth");
    EXPECT_EQ(verdict({&root}, {&both}), "");
    // An authority that may not make clients.
    Certificate servers =
        root.sign("servers", {.is_authority = true, .extensions = {{NID_ext_key_usage, "serverAuth"}}});
    Certificate of_servers = servers.sign("alice", "");
    EXPECT_NE(verdict({&root}, {&of_servers, &servers}), "");
}

TEST_F(ClientAuthoritiesTest, ListedOnesThatAreNoRootsOnlyIfThatIsAllowed) {
    Certificate leaf = between.sign("alice", "");
    EXPECT_NE(verdict({&between}, {&leaf}), "");
    ClientProof proof = proven({&between}, {&leaf}, Anchor::any_listed);
    EXPECT_EQ(proof.fault, "");
    EXPECT_EQ(proof.authorities, std::vector<std::size_t>{0});
    // That trusts nobody else: not the client itself, not what it brings along.
    Certificate strange = other.sign("alice", "");
    EXPECT_NE(verdict({&between}, {&strange, &other}, Anchor::any_listed), "");
    EXPECT_NE(verdict({&between}, {&strange}, Anchor::any_listed), "");
    Certificate sibling = root.sign("alice", "");
    EXPECT_NE(verdict({&between}, {&sibling, &root}, Anchor::any_listed), "");
}

TEST_F(ClientAuthoritiesTest, ChainsHaveAnEnd) {
    std::vector<Certificate> line;
    line.reserve(32);
    line.push_back(root.sign("0", {.is_authority = true}));
    for (int i = 1; i < 20; ++i) line.push_back(line.back().sign(std::to_string(i), {.is_authority = true}));
    auto depth = [&](std::size_t between_count) {
        Certificate leaf = line[between_count - 1].sign("alice", "");
        std::vector<const Certificate*> shown{&leaf};
        for (std::size_t i = between_count; i > 0; --i) shown.push_back(&line[i - 1]);
        return verdict({&root}, shown);
    };
    EXPECT_EQ(depth(ClientAuthorities::most_between), "");
    EXPECT_EQ(depth(ClientAuthorities::most_between + 1), "certificate chain too long");
    EXPECT_EQ(depth(12), "too many certificates");
}

TEST_F(ClientAuthoritiesTest, WhatItIsAskedToReadIsACertificate) {
    EXPECT_FALSE(ClientAuthorities::make({"nonsense"}, Anchor::root).ok());
    EXPECT_EQ(PeerChain::parse("nonsense"), nullptr);
}

TEST(CertificateNamesTest, AreThoseThatMayStandInAHeader) {
    Certificate root = Certificate::authority("root");
    Certificate alice = root.sign("alice", "DNS:a.example,email:alice@example.com,URI:spiffe://x/y,IP:10.0.0.1,IP:::1");
    CertificateNames names = names_of(alice.get());
    EXPECT_EQ(names.common_name, "alice");
    EXPECT_EQ(names.subject, "CN=alice");
    EXPECT_EQ(names.alternatives,
              (std::vector<std::string>{"a.example", "alice@example.com", "spiffe://x/y", "10.0.0.1", "::1"}));
    names = names_of(root.sign("a\r\nX-Consumer-Username: root", "").get());
    EXPECT_EQ(names.common_name, "");
    EXPECT_EQ(names.subject.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace net::tls
