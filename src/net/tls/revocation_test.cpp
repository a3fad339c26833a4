#include "net/tls/revocation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/tls/revocation_for_tests.h"

namespace net::tls {
namespace {

class RevocationTest : public testing::Test {
  protected:
    Ruling ocsp(const OcspWish& wish = {}) {
        auto question = OcspQuestion::about(alice.get(), root.get(), OcspQuestion::Nonce::fresh);
        EXPECT_TRUE(question.ok());
        return question->read(ocsp_answer(alice, root, wish));
    }
    Ruling list(const std::string& bytes) {
        auto list = RevocationList::parse(bytes);
        EXPECT_TRUE(list.ok());
        return (*list)->about(alice.get(), root.get(), std::time(nullptr));
    }
    Certificate root = Certificate::authority("root");
    Certificate other = Certificate::authority("root");
    Certificate alice = root.sign("alice", "");
    Certificate bob = root.sign("bob", "");
};

TEST_F(RevocationTest, OcspSaysGoodRevokedOrNothing) {
    EXPECT_EQ(ocsp().standing, Standing::good);
    EXPECT_NEAR(static_cast<double>(ocsp().until_s), static_cast<double>(std::time(nullptr) + 300), 5);
    EXPECT_EQ(ocsp({.status = V_OCSP_CERTSTATUS_REVOKED}).standing, Standing::revoked);
    EXPECT_EQ(ocsp({.status = V_OCSP_CERTSTATUS_UNKNOWN}).standing, Standing::unknown);
    EXPECT_EQ(ocsp({.about = &bob}).fault, "the OCSP answer is about another certificate");
}

TEST_F(RevocationTest, OcspCountsOnlyInItsTime) {
    constexpr std::string_view old = "the OCSP answer is too old, or of the future";
    EXPECT_EQ(ocsp({.from_s = -4000, .until_s = -400}).fault, old);
    EXPECT_EQ(ocsp({.from_s = 1000, .until_s = 4000}).fault, old);
    EXPECT_EQ(ocsp({.status = V_OCSP_CERTSTATUS_REVOKED, .from_s = -4000, .until_s = -400}).standing,
              Standing::unknown);
    EXPECT_EQ(ocsp({.from_s = -1000, .until_s = 0}).standing, Standing::good);
    EXPECT_EQ(ocsp({.from_s = -1000, .until_s = 0}).until_s, 0);
    EXPECT_EQ(ocsp({.from_s = -90'000, .until_s = 0}).fault, old);
}

TEST_F(RevocationTest, OcspCountsOnlyFromTheAuthority) {
    constexpr std::string_view strange = "the OCSP answer is not signed by the authority";
    EXPECT_EQ(ocsp({.signer = &other}).fault, strange);
    EXPECT_EQ(ocsp({.signer = &alice}).fault, strange);
    EXPECT_EQ(ocsp({.signer = &bob}).fault, strange);
    Certificate delegate = root.sign("ocsp", {.extensions = {{NID_ext_key_usage, "OCSPSigning"}}});
    EXPECT_EQ(ocsp({.signer = &delegate}).standing, Standing::good);
    Certificate old =
        root.sign("ocsp", {.from_s = -7200, .until_s = -3600, .extensions = {{NID_ext_key_usage, "OCSPSigning"}}});
    EXPECT_EQ(ocsp({.signer = &old}).fault, strange);
    Certificate of_other = other.sign("ocsp", {.extensions = {{NID_ext_key_usage, "OCSPSigning"}}});
    EXPECT_EQ(ocsp({.signer = &of_other}).fault, strange);
    // One of an authority below may answer for that one alone.
    Certificate below = root.sign("below", {.is_authority = true});
    Certificate of_below = below.sign("ocsp", {.extensions = {{NID_ext_key_usage, "OCSPSigning"}}});
    EXPECT_EQ(ocsp({.signer = &of_below}).fault, strange);
}

TEST_F(RevocationTest, ListsSayWhoWasTakenBack) {
    EXPECT_EQ(list(revocation_list(root, {})).standing, Standing::good);
    EXPECT_EQ(list(revocation_list(root, {&bob})).standing, Standing::good);
    EXPECT_EQ(list(revocation_list(root, {&bob, &alice})).standing, Standing::revoked);
    EXPECT_EQ(list(revocation_list(root, {}, -4000, -400)).fault, "CRL has expired");
    EXPECT_EQ(list(revocation_list(root, {}, 1000, 4000)).fault, "CRL is not yet valid");
    EXPECT_EQ(list(revocation_list(root, {}, -60, 300, &other)).fault, "CRL signature failure");
    EXPECT_EQ(list(revocation_list(root, {}, -60, 300, &alice)).fault, "CRL signature failure");
    EXPECT_NE(list(revocation_list(bob, {})).standing, Standing::good);
    Certificate silent = Certificate::authority("silent");
    auto of_silent = RevocationList::parse(revocation_list(silent, {}));
    ASSERT_TRUE(of_silent.ok());
    EXPECT_FALSE((*of_silent)->is_of(root.get()));
    EXPECT_FALSE(RevocationList::parse("nonsense").ok());
}

TEST_F(RevocationTest, SourcesAreFewAndOfTheWeb) {
    std::string points =
        "URI:http://a/1,URI:ldap://a/2,URI:file:///etc/passwd,URI:https://a/3,URI:http://a/4,URI:http://a/5,"
        "URI:http://a/6";
    Certificate many =
        root.sign("many", {.extensions = {{NID_crl_distribution_points, points},
                                          {NID_info_access, "OCSP;URI:HTTP://b/,caIssuers;URI:http://c/"}}});
    EXPECT_EQ(crl_sources(many.get()),
              (std::vector<std::string>{"http://a/1", "https://a/3", "http://a/4", "http://a/5"}));
    EXPECT_EQ(ocsp_sources(many.get()), std::vector<std::string>{"HTTP://b/"});
    EXPECT_TRUE(crl_sources(alice.get()).empty());
    EXPECT_TRUE(ocsp_sources(alice.get()).empty());
}

TEST_F(RevocationTest, WhoIsToBeAskedMayBeOutOfReach) {
    auto names = [&](int kind, const std::string& value) {
        return names_who_to_ask(root.sign("x", {.extensions = {{kind, value}}}).get());
    };
    EXPECT_FALSE(names_who_to_ask(alice.get()));
    EXPECT_FALSE(names(NID_info_access, "caIssuers;URI:http://a/"));
    EXPECT_TRUE(names(NID_info_access, "caIssuers;URI:http://a/,OCSP;URI:ldap://a/"));
    EXPECT_TRUE(names(NID_crl_distribution_points, "URI:ldap://a/"));
    EXPECT_TRUE(names(NID_crl_distribution_points, "DER:0102"));
    EXPECT_TRUE(names(NID_info_access, "DER:0102"));
}

TEST(RevocationSeeds, AreReadWithoutHarm) {
    std::filesystem::path folder = std::filesystem::path(CARDEA_SOURCE_DIR) / "tests/fuzz/revocation_fuzz";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        check_hostile(std::string(std::istreambuf_iterator<char>(file), {}));
        ++count;
    }
    EXPECT_GE(count, 3);
    Certificate root = Certificate::authority("root");
    Certificate alice = root.sign("alice", "");
    for (const std::string& bytes : {ocsp_answer(alice, root), revocation_list(root, {&alice}), encoded(alice.get())})
        for (std::size_t i = 0; i <= bytes.size(); ++i) check_hostile(bytes.substr(0, i));
}

}  // namespace
}  // namespace net::tls
