#include "crypto/jws.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "crypto/signer_for_tests.h"
#include "crypto/token_checks_for_tests.h"
#include "crypto/verification_key.h"

namespace crypto {
namespace {

constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view payload = R"({"iss":"alice-key","exp":1796092485})";

std::string why_not(std::string_view compact) {
    base::Arena arena;
    auto token = Token::parse(compact, arena);
    if (!token) return token.error().detail;
    auto claims = token->claims(arena);
    return claims ? "" : claims.error().detail;
}
std::string with(std::string_view header_text, std::string_view payload_text = payload) {
    return signed_token(header_text, payload_text, "secret");
}

TEST(Token, ComesApart) {
    base::Arena arena;
    std::string compact = with(R"({"alg":"HS256","kid":"k","typ":"JWT"})");
    auto token = Token::parse(compact, arena);
    ASSERT_TRUE(token);
    EXPECT_EQ(token->algorithm(), Algorithm::hs256);
    EXPECT_EQ(token->key_id(), "k");
    EXPECT_EQ(token->payload(), payload);
    EXPECT_EQ(token->signed_text(), compact.substr(0, compact.rfind('.')));
    EXPECT_EQ(token->signature().size(), 32U);
    auto claims = token->claims(arena);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->string("iss"), "alice-key");
    EXPECT_EQ(claims->number("exp"), 1796092485);
    auto key = VerificationKey::from_secret("secret", Algorithm::hs256);
    EXPECT_TRUE(key->verify(token->algorithm(), token->signed_text(), token->signature()));
    auto other = VerificationKey::from_secret("secreT", Algorithm::hs256);
    EXPECT_FALSE(other->verify(token->algorithm(), token->signed_text(), token->signature()));
}

TEST(Token, MustHaveThreeParts) {
    std::string good = with(header);
    EXPECT_EQ(why_not(good), "");
    std::string two = good.substr(0, good.rfind('.'));
    for (const std::string& text :
         {std::string(), std::string("abc"), std::string("."), std::string(".."), std::string("..."), two, good + ".",
          good + ".AAAA", "." + good, "AAAA." + good, std::string("abc.def.ghi")}) {
        EXPECT_EQ(why_not(text), "invalid JSON") << text;
    }
    // No signature at all is a token whose signature is wrong, which its key says.
    EXPECT_EQ(why_not(two + "."), "");
}

TEST(Token, MustBeBase64urlToTheLastBit) {
    std::string head = base64url(header), body = base64url(payload), signature = base64url(std::string(32, 'x'));
    for (std::string_view junk : {"=", " ", "\n", "+", "/", "?", "%3D"}) {
        EXPECT_EQ(why_not(head + std::string(junk) + "." + body + "." + signature), "invalid JSON");
        EXPECT_EQ(why_not(head + "." + body + std::string(junk) + "." + signature), "invalid JSON");
        EXPECT_EQ(why_not(head + "." + body + "." + signature + std::string(junk)), "invalid signature");
    }
    std::string high_bits = signature;  // 32 bytes end in a digit of which two bits count for nothing
    high_bits.back() = static_cast<char>(high_bits.back() + 1);
    EXPECT_EQ(why_not(head + "." + body + "." + high_bits), "invalid signature");
}

TEST(Token, KnowsNoNone) {
    for (std::string_view text :
         {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"nOnE"})", R"({"alg":"NONE"})", R"({"alg":""})",
          R"({"alg":null})", R"({"alg":256})", R"({"alg":["HS256"]})", R"({"alg":{"HS256":1}})", R"({"alg":"hs256"})",
          R"({"alg":"HS256 "})", R"({"alg":"HS256\u0000"})", R"({"alg":"HS1"})", R"({"alg":"ES256K"})",
          R"({"typ":"JWT"})", R"({"Alg":"HS256"})", "{}"}) {
        EXPECT_EQ(why_not(with(text)), "invalid alg") << text;
        EXPECT_EQ(why_not(unsigned_token(text, payload) + "."), "invalid alg") << text;
    }
}

TEST(Token, HeaderAndClaimsMustBeObjectsOfUniqueNames) {
    for (std::string_view text : {"", "null", "[]", "\"HS256\"", "1", R"({"alg":"HS256")", R"({"alg":"HS256"} x)",
                                  R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","\u0061lg":"HS256"})",
                                  R"({"alg":"HS256","jwk":{"k":1,"k":2}})"}) {
        EXPECT_EQ(why_not(with(text)), "invalid JSON") << text;
    }
    for (std::string_view text : {"", "null", "[]", "5", "foo", R"({"iss":"a")", R"({"iss":"a","iss":"b"})",
                                  R"({"exp":1,"\u0065xp":99999999999})"}) {
        EXPECT_EQ(why_not(with(header, text)), "invalid claims") << text;
    }
    EXPECT_EQ(why_not(with(header, R"({"iss":"a","x":{"b":1,"b":2}})")), "");
}

TEST(Token, RefusesCriticalExtensions) {
    for (std::string_view text : {R"({"alg":"HS256","crit":["b64"],"b64":false})", R"({"alg":"HS256","crit":[]})",
                                  R"({"alg":"HS256","crit":null})", R"({"alg":"HS256","\u0063rit":["exp"]})"}) {
        EXPECT_EQ(why_not(with(text)), "invalid crit") << text;
    }
}

TEST(Token, MayBeAsLongAsItsLimit) {
    std::string frame = with(header, R"({"a":""})");
    std::size_t room = (Token::longest - frame.size()) / 4 * 3;
    EXPECT_EQ(why_not(with(header, R"({"a":")" + std::string(room - 8, 'x') + R"("})")), "");
    EXPECT_EQ(why_not(with(header, R"({"a":")" + std::string(room + 8, 'x') + R"("})")), "too large");
    EXPECT_EQ(why_not(std::string(1 << 20, '.')), "too large");
}

TEST(Token, ANestedTokenIsAtMostAsDeepAsJsonMayBe) {
    std::string deep = R"({"alg":"HS256","x":)" + std::string(4000, '[') + std::string(4000, ']') + "}";
    EXPECT_EQ(why_not(with(deep)), "invalid JSON");
}

TEST(Token, HasNoKeyThatItBringsAlong) {
    Signer attacker = Signer::ec("P-256");
    Signer issuer = Signer::ec("P-256");
    auto key = VerificationKey::from_pem(issuer.public_pem(), Algorithm::es256);
    std::string head = R"({"alg":"ES256","jwk":)" + attacker.jwk() +
                       R"(,"jku":"https://attacker.example/","x5u":"https://attacker.example/","x5c":["AA=="]})";
    std::string compact = signed_token(head, payload, attacker, Algorithm::es256);
    base::Arena arena;
    auto token = Token::parse(compact, arena);
    ASSERT_TRUE(token);
    EXPECT_FALSE(key->verify(token->algorithm(), token->signed_text(), token->signature()));
}

TEST(Token, HoldsForTheSeedsOfItsFuzzTarget) {
    int seen = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/jws_fuzz")) {
        std::ifstream in(file.path(), std::ios::binary);
        check_token_input(std::string(std::istreambuf_iterator<char>(in), {}));
        ++seen;
    }
    EXPECT_GT(seen, 3);
}

}  // namespace
}  // namespace crypto
