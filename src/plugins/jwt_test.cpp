#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "crypto/signer_for_tests.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

using crypto::Algorithm;
using crypto::Signer;

class JwtTest : public PluginTest {
  protected:
    void add(std::string_view username, std::string_view key, std::string_view algorithm, std::string_view secret,
             std::string_view pem = "") {
        std::vector<std::pair<std::string, std::string>> fields{
            {"key", std::string(key)}, {"algorithm", std::string(algorithm)}, {"secret", std::string(secret)}};
        if (!pem.empty()) fields.emplace_back("rsa_public_key", pem);
        base::Uuid uuid;
        uuid.bytes[15] = static_cast<std::uint8_t>(consumers.size() + 1);
        Consumers::NewCredential credential{uuid, "jwt_secrets", fields};
        consumers.add(uuid, username, "", {}, std::span(&credential, 1));
    }
    static std::string signed_text(std::string_view header, std::string_view claims) {
        return crypto::base64url(header) + "." + crypto::base64url(claims);
    }
    static std::string hs256(std::string_view claims, std::string_view secret = "sesame",
                             std::string_view header = R"({"alg":"HS256","typ":"JWT"})") {
        std::string text = signed_text(header, claims);
        auto key = crypto::HmacKey::make(crypto::Hash::sha256, secret);
        return text + "." + crypto::base64url(key->sign(text).view());
    }
    std::string call(const std::string& token) {
        return answer("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token + "\r\n\r\n");
    }
    std::string seconds_from_now(int seconds) { return std::to_string(loop.wall_now() / 1000 + seconds); }
};

constexpr const char* invalid_signature = R"(401 {"message":"Invalid signature"})";

TEST_F(JwtTest, LetsTheRightTokenPassAndSaysWhoItIs) {
    add("alice", "alice-key", "HS256", "sesame");
    use("jwt", "");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Anonymous-Consumer: true\r\nAuthorization: bearer " +
                         hs256(R"({"iss":"alice-key"})") + "\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "alice");
    EXPECT_EQ(made->request.headers.first("X-Consumer-ID"), "00000000-0000-0000-0000-000000000001");
    EXPECT_EQ(made->request.headers.first("X-Credential-Identifier"), "alice-key");
    EXPECT_FALSE(made->request.headers.has("X-Anonymous-Consumer"));
    EXPECT_FALSE(made->request.headers.has("X-Consumer-Custom-ID"));
    EXPECT_TRUE(made->identity.is_authenticated);
}

TEST_F(JwtTest, TellsWhyItRefuses) {
    add("alice", "alice-key", "HS256", "sesame");
    use("jwt", "claims_to_verify: [exp]");
    std::string good = hs256(R"({"iss":"alice-key","exp":)" + seconds_from_now(60) + "}");
    EXPECT_EQ(call(good), "go on");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), R"(401 {"message":"Unauthorized"})");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: " + good + "\r\n\r\n"),
              R"(401 {"message":"Unauthorized"})");
    EXPECT_EQ(call("abc"), R"(401 {"message":"Bad token; invalid JSON"})");
    EXPECT_EQ(call("abc.def.ghi"), R"(401 {"message":"Bad token; invalid JSON"})");
    EXPECT_EQ(call(good.substr(0, good.rfind('.') + 1)), invalid_signature);
    EXPECT_EQ(call(good.substr(0, good.size() - 1)), R"(401 {"message":"Bad token; invalid signature"})");
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key","exp":)" + seconds_from_now(60) + "}", "other")), invalid_signature);
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key","exp":)" + seconds_from_now(0) + "}")),
              R"(401 {"exp":"token expired"})");
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key"})")), R"(401 {"exp":"must be a number"})");
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key","exp":"4000000000"})")), R"(401 {"exp":"must be a number"})");
    EXPECT_EQ(call(hs256(R"({"iss":"bob"})")), R"(401 {"message":"No credentials found for given 'iss'"})");
    EXPECT_EQ(call(hs256(R"({"sub":"bob"})")), R"(401 {"message":"No mandatory 'iss' in claims"})");
    EXPECT_EQ(call(hs256(R"({"iss":""})")), R"(401 {"message":"Invalid 'iss' in claims"})");
    EXPECT_EQ(call(hs256(R"({"iss":7})")), R"(401 {"message":"Invalid 'iss' in claims"})");  // Kong: 500
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key","iss":"bob"})")), R"(401 {"message":"Bad token; invalid claims"})");
    // The signature is looked at before the times.
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key","exp":1})", "other")), invalid_signature);
}

TEST_F(JwtTest, TheCredentialDecidesOnTheAlgorithm) {
    Signer rsa = Signer::rsa();
    add("alice", "alice-key", "HS256", "sesame");
    add("bob", "bob-key", "RS256", "", rsa.public_pem());
    use("jwt", "");
    for (const char* alg : {"none", "None", "nOnE", ""})
        EXPECT_EQ(call(signed_text(std::string(R"({"alg":")") + alg + "\"}", R"({"iss":"alice-key"})") + "."),
                  R"(401 {"message":"Bad token; invalid alg"})");
    EXPECT_EQ(call(hs256(R"({"iss":"alice-key"})", "sesame", R"({"alg":"HS384"})")),
              R"(401 {"message":"Invalid algorithm"})");
    // The public key as a secret.
    EXPECT_EQ(call(hs256(R"({"iss":"bob-key"})", rsa.public_pem())), R"(401 {"message":"Invalid algorithm"})");
    EXPECT_EQ(call(hs256(R"({"iss":"bob-key"})", rsa.public_pem(), R"({"alg":"RS256"})")), invalid_signature);
    std::string text = signed_text(R"({"alg":"RS256"})", R"({"iss":"bob-key"})");
    EXPECT_EQ(call(text + "." + crypto::base64url(rsa.sign(Algorithm::rs256, text))), "go on");
    // A key that the token brings along is nobody's.
    Signer own = Signer::rsa();
    text = signed_text(R"({"alg":"RS256","jwk":)" + own.jwk() + "}", R"({"iss":"bob-key"})");
    EXPECT_EQ(call(text + "." + crypto::base64url(own.sign(Algorithm::rs256, text))), invalid_signature);
}

TEST_F(JwtTest, AVerifiedTokenIsOnlyThatToken) {
    Signer ec = Signer::ec("P-256");
    add("carol", "carol-key", "ES256", "", ec.public_pem());
    use("jwt", "claims_to_verify: [exp]");
    std::string text = signed_text(R"({"alg":"ES256"})", R"({"iss":"carol-key","exp":)" + seconds_from_now(60) + "}");
    std::string token = text + "." + crypto::base64url(ec.sign(Algorithm::es256, text));
    EXPECT_EQ(call(token), "go on");
    EXPECT_EQ(call(token), "go on");
    std::string changed = token;
    changed[token.size() - 10] = changed[token.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(call(changed), invalid_signature);
    loop.run_until([] { return false; }, net::Milliseconds(61'000));
    EXPECT_EQ(call(token), R"(401 {"exp":"token expired"})");
}

TEST_F(JwtTest, AVerifiedTokenIsForgottenWithItsKeys) {
    Signer ec = Signer::ec("P-256");
    Signer next = Signer::ec("P-256");
    add("carol", "carol-key", "ES256", "", ec.public_pem());
    use("jwt", "");
    std::string text = signed_text(R"({"alg":"ES256"})", R"({"iss":"carol-key"})");
    std::string token = text + "." + crypto::base64url(ec.sign(Algorithm::es256, text));
    EXPECT_EQ(call(token), "go on");
    under_test.reset();
    consumers = Consumers();
    add("carol", "carol-key", "ES256", "", next.public_pem());
    use("jwt", "");
    EXPECT_EQ(call(token), invalid_signature);
}

TEST_F(JwtTest, FindsTheTokenInAllItsPlaces) {
    add("alice", "alice-key", "HS256", "sesame");
    use("jwt", "{cookie_names: [token], header_names: [X-Token], key_claim_name: kid}");
    std::string token = hs256("{}", "sesame", R"({"alg":"HS256","kid":"alice-key"})");
    EXPECT_EQ(answer("GET /?jwt=" + token + " HTTP/1.1\r\nHost: a\r\n\r\n"), "go on");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=1; token=" + token + "\r\n\r\n"), "go on");
    EXPECT_EQ(answer("GET / HTTP/1.1\r\nHost: a\r\nX-Token: Bearer " + token + "\r\n\r\n"), "go on");
    EXPECT_EQ(answer("GET /?jwt=" + token + "&jwt=" + token + " HTTP/1.1\r\nHost: a\r\n\r\n"), "go on");
    EXPECT_EQ(answer("GET /?jwt=" + token + "&jwt=x HTTP/1.1\r\nHost: a\r\n\r\n"),
              R"(401 {"message":"Multiple tokens provided"})");
}

TEST_F(JwtTest, AnonymousConsumersGoOnWithoutAChallenge) {
    add("alice", "alice-key", "HS256", "sesame");
    consumers.add({}, "anon", "", {}, {});
    use("jwt", "anonymous: anon");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer abc\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Anonymous-Consumer"), "true");
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "anon");
    EXPECT_FALSE(made->client_headers.has(http::Known::www_authenticate));
    EXPECT_FALSE(made->identity.is_authenticated);
    use("jwt", "anonymous: nobody");
    EXPECT_NE(call("abc").find("anonymous consumer nobody is configured but doesn't exist"), std::string::npos);
}

TEST_F(JwtTest, TheChallengeNamesTheRealm) {
    use("jwt", "realm: shop");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->client_headers.first(http::Known::www_authenticate), "Bearer realm=\"shop\"");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->client_headers.first(http::Known::www_authenticate),
              "Bearer realm=\"shop\", error=\"invalid_token\"");
}

TEST_F(JwtTest, AKeyThatCannotBeUsedIsSaidAtLoad) {
    add("dave", "dave-key", "RS256", "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    std::string problems = try_use("jwt", "");
    EXPECT_NE(problems.find("of consumer dave cannot be used"), std::string::npos) << problems;
    EXPECT_EQ(problems.find("AAAA"), std::string::npos);
}

TEST_F(JwtTest, ItsSettingsAreChecked) {
    EXPECT_NE(try_use("jwt", "maximum_expiration: 60").find("failed conditional validation"), std::string::npos);
    EXPECT_NE(try_use("jwt", "claims_to_verify: [iat]").find("exp, nbf"), std::string::npos);
}

}  // namespace
}  // namespace plugin
