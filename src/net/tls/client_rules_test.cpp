// Who is asked for a certificate, and what of it a client that comes back is still known to have shown.
#include "net/tls/client_rules.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/tls/client_hello_checks_for_tests.h"
#include "net/tls/meeting_for_tests.h"
#include "net/tls/peer_chain.h"
#include "net/tls/server_certificates.h"

namespace net::tls {
namespace {

using Uses = std::vector<std::uint32_t>;
using Kind = ClientRules::Kind;

TEST(ClientRulesTest, NamesAndAllCoverWhatTheySay) {
    ClientRules rules;
    EXPECT_TRUE(rules.is_empty());
    std::uint32_t one = rules.add({"A"});
    std::uint32_t two = rules.add({"B"});
    rules.cover(one, Kind::exact, "a.example");
    rules.cover(two, Kind::suffix, ".a.example");
    rules.cover(two, Kind::prefix, "mail.");
    EXPECT_EQ(rules.covering("a.example"), Uses{one});
    EXPECT_EQ(rules.covering("A.Example."), Uses{one});
    EXPECT_EQ(rules.covering("x.a.example"), Uses{two});
    EXPECT_EQ(rules.covering("y.x.a.example"), Uses{two});
    EXPECT_EQ(rules.covering("mail.example"), Uses{two});
    EXPECT_EQ(rules.covering("xa.example"), Uses{});
    EXPECT_EQ(rules.covering("example"), Uses{});
    EXPECT_EQ(rules.covering(""), Uses{});
    EXPECT_FALSE(rules.is_same_for_all());
    rules.cover_all(two);
    EXPECT_EQ(rules.covering(""), Uses{two});
    EXPECT_EQ(rules.covering("a.example"), (Uses{one, two}));
    EXPECT_EQ(rules.authorities_of({one, two}), (std::vector<std::string>{"A", "B"}));
    std::uint32_t any = rules.add({});
    EXPECT_EQ(rules.authorities_of({one, any}), std::vector<std::string>{});
}

struct Shown {
    const Certificate* certificate = nullptr;
    std::vector<const Certificate*> others;
};

struct AskedMeeting : Meeting {
    AskedMeeting(const ServerCertificates& certificates, const char* name, const Shown& shown = {},
                 int version = TLS1_3_VERSION, SSL_SESSION* before = nullptr)
        : Meeting(certificates, {.name = name,
                                 .version = version,
                                 .before = before,
                                 .certificate = shown.certificate,
                                 .others = shown.others}) {}
    [[nodiscard]] std::unique_ptr<const PeerChain> chain() const { return PeerChain::of(server); }
    [[nodiscard]] bool is_resumed() const { return SSL_session_reused(server.get()) == 1; }
    [[nodiscard]] int told() const {
        const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(client.get());
        return names == nullptr ? 0 : sk_X509_NAME_num(names);
    }
};

struct FreeKept {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Kept = std::unique_ptr<SSL_SESSION, FreeKept>;

class AskedClientsTest : public testing::Test {
  protected:
    AskedClientsTest() {
        ClientRules rules;
        rules.cover(rules.add({}), Kind::exact, "secure.example");
        rules.cover(rules.add({}), Kind::exact, "other.example");
        certificates = made(rules);
    }
    std::shared_ptr<const ServerCertificates> made(ClientRules rules) {
        auto out = ServerCertificates::make({}, {{{identity_of(named)}, {"secure.example"}}}, {identity_of(named)},
                                            std::move(rules));
        EXPECT_TRUE(out.ok());
        return *out;
    }
    Certificate root = Certificate::authority("root");
    Certificate between = root.sign("between", {.is_authority = true});
    Certificate alice = between.sign("alice", "");
    Certificate named = root.sign("server", "DNS:secure.example");
    Shown shown{&alice, {&between}};
    std::shared_ptr<const ServerCertificates> certificates;
};

TEST_F(AskedClientsTest, OnlyCoveredNamesAreAsked) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        AskedMeeting asked(*certificates, "secure.example", shown, version);
        ASSERT_TRUE(asked.is_greeted);
        ASSERT_NE(asked.chain(), nullptr);
        EXPECT_EQ(asked.chain()->size(), 2u);
        EXPECT_EQ(names_of(asked.chain()->leaf()).common_name, "alice");
        for (const char* name : {"open.example", static_cast<const char*>(nullptr)}) {
            AskedMeeting unasked(*certificates, name, shown, version);
            ASSERT_TRUE(unasked.is_greeted);
            EXPECT_EQ(unasked.chain(), nullptr);
        }
        AskedMeeting silent(*certificates, "secure.example", {}, version);
        EXPECT_TRUE(silent.is_greeted);
        EXPECT_EQ(silent.chain(), nullptr);
    }
}

TEST_F(AskedClientsTest, AnyCertificateIsTakenForWhoeverVerifiesIt) {
    Certificate lonely = Certificate::authority("lonely");
    Certificate old = root.sign("old", "", -7200, -3600);
    for (const Certificate* each : {&lonely, &old}) {
        AskedMeeting asked(*certificates, "secure.example", {each, {}});
        ASSERT_TRUE(asked.is_greeted);
        EXPECT_NE(asked.chain(), nullptr);
    }
}

TEST_F(AskedClientsTest, ACertificateWithoutItsKeyIsNone) {
    Certificate other = root.sign("other", "");
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    // OpenSSL refuses to show a certificate with another key.
    SSL_CTX_use_certificate(context, alice.get());
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context, other.key()), 0);
    SSL_CTX_free(context);
}

TEST_F(AskedClientsTest, WhoComesBackHasStillShownTheWholeChain) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        AskedMeeting first(*certificates, "secure.example", shown, version);
        ASSERT_TRUE(first.is_greeted);
        std::string known = first.chain()->fingerprint();
        Kept kept(SSL_get1_session(first.client.get()));
        for (int i = 0; i < 3; ++i) {  // and again with the ticket that it got then
            AskedMeeting again(*certificates, "secure.example", {}, version, kept.get());
            ASSERT_TRUE(again.is_greeted);
            EXPECT_TRUE(again.is_resumed()) << version << ", time " << i;
            ASSERT_NE(again.chain(), nullptr);
            EXPECT_EQ(again.chain()->fingerprint(), known);
            EXPECT_EQ(again.chain()->size(), 2u);
            kept.reset(SSL_SESSION_dup(SSL_get0_session(again.client.get())));  // the end of a connection ends its own
        }
    }
}

TEST_F(AskedClientsTest, ASessionIsTakenUpOnlyByTheNameItWasMadeFor) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        AskedMeeting open(*certificates, "open.example", shown, version);
        AskedMeeting secure(*certificates, "secure.example", shown, version);
        ASSERT_TRUE(open.is_greeted && secure.is_greeted);
        Kept of_open(SSL_get1_session(open.client.get()));
        Kept of_secure(SSL_get1_session(secure.client.get()));
        struct Try {
            SSL_SESSION* session;
            const char* name;
        };
        for (Try each : {Try{of_open.get(), "secure.example"}, Try{of_secure.get(), "other.example"},
                         Try{of_secure.get(), "open.example"}, Try{of_secure.get(), nullptr}}) {
            AskedMeeting meeting(*certificates, each.name, {}, version, each.session);
            ASSERT_TRUE(meeting.is_greeted);
            EXPECT_FALSE(meeting.is_resumed());
            EXPECT_EQ(meeting.chain(), nullptr);
        }
        // A configuration that has begun to ask takes none of before.
        ClientRules all;
        all.cover_all(all.add({}));
        AskedMeeting later(*made(all), "open.example", {}, version, of_open.get());
        ASSERT_TRUE(later.is_greeted);
        EXPECT_FALSE(later.is_resumed());
    }
}

TEST_F(AskedClientsTest, AChainTooLongForATicketIsShownAnew) {
    std::vector<Certificate> padding;
    Shown large{&alice, {&between}};
    padding.reserve(30);
    std::string text(300, 'x');
    for (int i = 0; i < 26; ++i)
        padding.push_back(root.sign("padding", {.extensions = {{NID_netscape_comment, text + std::to_string(i)}}}));
    for (const Certificate& each : padding) large.others.push_back(&each);
    AskedMeeting first(*certificates, "secure.example", large);
    ASSERT_TRUE(first.is_greeted);
    ASSERT_EQ(first.chain()->size(), 28u);
    Kept kept(SSL_get1_session(first.client.get()));
    AskedMeeting again(*certificates, "secure.example", {}, TLS1_3_VERSION, kept.get());
    ASSERT_TRUE(again.is_greeted);
    EXPECT_FALSE(again.is_resumed());
    EXPECT_EQ(again.chain(), nullptr);
    for (int i = 0; i < 60; ++i) large.others.push_back(&padding[0]);
    EXPECT_FALSE(AskedMeeting(*certificates, "secure.example", large).is_greeted);
}

TEST_F(AskedClientsTest, ClientsAreToldWhoseCertificatesAreWanted) {
    ClientRules rules;
    unsigned char* bytes = nullptr;
    int size = i2d_X509_NAME(X509_get_subject_name(root.get()), &bytes);
    std::string name(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    rules.cover(rules.add({name}), Kind::exact, "secure.example");
    rules.cover(rules.add({}), Kind::exact, "other.example");
    auto telling = made(rules);
    EXPECT_EQ(AskedMeeting(*telling, "secure.example").told(), 1);
    EXPECT_EQ(AskedMeeting(*telling, "other.example").told(), 0);
}

TEST(ClientHelloSeeds, AreReadWithoutHarm) {
    std::filesystem::path folder = std::filesystem::path(CARDEA_SOURCE_DIR) / "tests/fuzz/client_hello_fuzz";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        std::string bytes(std::istreambuf_iterator<char>(file), {});
        for (std::size_t i = 0; i <= bytes.size(); i += 7) check_client_hello(bytes.substr(0, i));
        check_client_hello(bytes);
        ++count;
    }
    EXPECT_GE(count, 3);
}

}  // namespace
}  // namespace net::tls
