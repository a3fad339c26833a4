#include "crypto/jwks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "crypto/signer_for_tests.h"
#include "crypto/token_checks_for_tests.h"

namespace crypto {
namespace {

std::string set_of(std::initializer_list<std::string> keys) {
    std::string out = R"({"keys":[)";
    for (const std::string& key : keys) out += (out.back() == '[' ? "" : ",") + key;
    return out + "]}";
}

KeySet parsed(const std::string& document, const KeySetRules& rules = {}) {
    auto set = KeySet::parse(document, rules);
    EXPECT_TRUE(set);
    return set ? std::move(*set) : std::move(*KeySet::parse(R"({"keys":[]})"));
}

TEST(KeySet, FindsEachKindOfKeyByItsId) {
    Signer rsa = Signer::rsa(), p256 = Signer::ec("P-256"), p521 = Signer::ec("P-521"), ed = Signer::edwards("ED25519"),
           ed448 = Signer::edwards("ED448");
    KeySet set =
        parsed(set_of({rsa.jwk(R"("kid":"r",)"), p256.jwk(R"("kid":"e","use":"sig",)"), p521.jwk(R"("kid":"f",)"),
                       ed.jwk(R"("kid":"o","key_ops":["verify"],)"), ed448.jwk(R"("kid":"p","alg":"EdDSA",)")}));
    EXPECT_EQ(set.size(), 5U);
    EXPECT_TRUE(set.left_out().empty());
    auto verifies = [&](const char* id, const Signer& signer, Algorithm algorithm) {
        const VerificationKey* key = set.find(id, algorithm);
        return key != nullptr && key->verify(algorithm, "m", signer.sign(algorithm, "m"));
    };
    EXPECT_TRUE(verifies("r", rsa, Algorithm::rs256));
    EXPECT_TRUE(verifies("r", rsa, Algorithm::ps512));
    EXPECT_TRUE(verifies("e", p256, Algorithm::es256));
    EXPECT_TRUE(verifies("f", p521, Algorithm::es512));
    EXPECT_TRUE(verifies("o", ed, Algorithm::eddsa));
    EXPECT_TRUE(verifies("p", ed448, Algorithm::eddsa));
    EXPECT_FALSE(verifies("o", ed448, Algorithm::eddsa));
    EXPECT_EQ(set.find("r", Algorithm::es256), nullptr);
    EXPECT_EQ(set.find("r", Algorithm::hs256), nullptr);
    EXPECT_EQ(set.find("x", Algorithm::rs256), nullptr);
    EXPECT_EQ(set.find("", Algorithm::rs256), nullptr);
}

TEST(KeySet, AKeyWithAnAlgorithmServesNoOther) {
    Signer rsa = Signer::rsa();
    KeySet set = parsed(set_of({rsa.jwk(R"("kid":"r","alg":"PS256",)")}));
    EXPECT_NE(set.find("r", Algorithm::ps256), nullptr);
    EXPECT_EQ(set.find("r", Algorithm::rs256), nullptr);
    EXPECT_EQ(set.find("r", Algorithm::ps384), nullptr);
}

TEST(KeySet, WithoutAnIdOnlyTheOnlyKeyWillDo) {
    Signer one = Signer::ec("P-256"), two = Signer::ec("P-256"), other = Signer::ec("P-384");
    EXPECT_NE(parsed(set_of({one.jwk(), other.jwk()})).find_only(Algorithm::es256), nullptr);
    EXPECT_EQ(parsed(set_of({one.jwk(), two.jwk()})).find_only(Algorithm::es256), nullptr);
    EXPECT_EQ(parsed(set_of({other.jwk()})).find_only(Algorithm::es256), nullptr);
}

TEST(KeySet, LeavesOutWhatItMustNotUseAndSaysWhy) {
    Signer rsa = Signer::rsa(), ec = Signer::ec("P-256"), weak = Signer::rsa(1024);
    KeySet set = parsed(set_of({
        ec.jwk(R"("kid":"1","use":"enc",)"),
        ec.jwk(R"("kid":"2","key_ops":["sign","encrypt"],)"),
        ec.jwk(R"("kid":"3","alg":"ES384",)"),
        rsa.jwk(R"("kid":"4","alg":"RSA-OAEP",)"),
        rsa.jwk(R"("kid":"5","alg":"HS256",)"),
        weak.jwk(R"("kid":"6",)"),
        R"({"kid":"7","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})",
        R"({"kid":"8","kty":"PQC"})",
        R"({"kid":"9"})",
        R"({"kid":"10","kty":"RSA","n":"AQAB"})",
        R"({"kid":"11","kty":"EC","crv":"P-256","x":"AA","y":"AA"})",
        R"({"kid":"12","kty":"RSA","n":"A=","e":"AQAB"})",
        R"({"kid":"13","kid":"14","kty":"RSA"})",
        R"("text")",
        ec.jwk(R"("kid":"15","use":1,)"),
        ec.jwk(R"("kid":"16","key_ops":"verify",)"),
        ec.jwk(R"("kid":"good",)"),
    }));
    EXPECT_EQ(set.size(), 1U);
    EXPECT_NE(set.find("good", Algorithm::es256), nullptr);
    ASSERT_EQ(set.left_out().size(), 16U);
    EXPECT_EQ(set.left_out()[0], "key 1 (kid 1): its use is not sig");
    EXPECT_EQ(set.left_out()[5], "key 6 (kid 6): an RSA key of 1024 bits, at least 2048 are wanted");
    EXPECT_EQ(set.left_out()[6], "key 7 (kid 7): a symmetric key");
    EXPECT_EQ(set.left_out()[13], "key 14 (kid ): not an object with each name once");
}

TEST(KeySet, OfTwoKeysWithOneIdTheFirstCountsUnlessTheirKindsDiffer) {
    Signer one = Signer::ec("P-256"), two = Signer::ec("P-256"), rsa = Signer::rsa();
    KeySet set = parsed(set_of({one.jwk(R"("kid":"a",)"), two.jwk(R"("kid":"a",)"), rsa.jwk(R"("kid":"a",)")}));
    EXPECT_EQ(set.size(), 2U);
    ASSERT_EQ(set.left_out().size(), 1U);
    const VerificationKey* key = set.find("a", Algorithm::es256);
    ASSERT_NE(key, nullptr);
    EXPECT_TRUE(key->verify(Algorithm::es256, "m", one.sign(Algorithm::es256, "m")));
    EXPECT_NE(set.find("a", Algorithm::rs256), nullptr);
}

TEST(KeySet, TakesSecretsOnlyWhereTheyAreAllowedAndLongEnough) {
    std::string secret(32, 's');
    std::string document = set_of({R"({"kid":"a","kty":"oct","k":")" + base64url(secret) + R"("})",
                                   R"({"kid":"b","kty":"oct","k":")" + base64url("short") + R"("})"});
    KeySet set = parsed(document, {.secrets = KeySetRules::Secrets::allowed});
    EXPECT_EQ(set.size(), 1U);
    EXPECT_NE(set.find("a", Algorithm::hs256), nullptr);
    EXPECT_EQ(set.find("a", Algorithm::hs512), nullptr);
    EXPECT_EQ(parsed(document).size(), 0U);
}

TEST(KeySet, RefusesWhatIsNoKeySet) {
    for (std::string_view text : {"", "{}", "[]", "null", R"({"keys":{}})", R"({"keys":null})", R"({"keys":[})",
                                  R"({"keys":[],"keys":[]})", "<html>"}) {
        EXPECT_FALSE(KeySet::parse(text)) << text;
    }
    EXPECT_TRUE(KeySet::parse(R"({"keys":[]})"));
    std::string many = R"({"keys":[0)";
    for (std::size_t i = 0; i < KeySetRules().most_keys; ++i) many += ",0";
    EXPECT_FALSE(KeySet::parse(many + "]}"));
    EXPECT_FALSE(KeySet::parse(R"({"keys":[],"x":")" + std::string(KeySetRules().largest_document, 'x') + R"("})"));
}

TEST(KeySet, HoldsForTheSeedsOfItsFuzzTarget) {
    int seen = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/jwks_fuzz")) {
        std::ifstream in(file.path(), std::ios::binary);
        check_key_set(std::string(std::istreambuf_iterator<char>(in), {}));
        ++seen;
    }
    EXPECT_GT(seen, 3);
}

}  // namespace
}  // namespace crypto
