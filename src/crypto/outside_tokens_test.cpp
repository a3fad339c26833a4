// Signature vectors from outside (not in the tree): no invalid one is accepted, and every valid one is, but for those
// that the RFCs let nobody accept, each with its reason.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "crypto/jwks.h"
#include "crypto/jws.h"

namespace crypto {
namespace {

enum class Stricter {
    alphabet,   // RFC 7515 2 and 5.2: a part with other characters than base64url's is refused
    algorithm,  // RFC 7517 4.4, RFC 8725 3.1: a key that names its algorithm is used with no other (ES521 is none)
};
const std::map<int, Stricter> stricter = {
    {346, Stricter::algorithm}, {347, Stricter::algorithm}, {350, Stricter::algorithm},
    {351, Stricter::algorithm}, {372, Stricter::alphabet},  {373, Stricter::alphabet},
};

constexpr KeySetRules rules{.secrets = KeySetRules::Secrets::allowed};

bool accepts(std::string_view compact, const base::Result<VerificationKey>& key) {
    base::Arena arena;
    auto token = Token::parse(compact, arena);
    return token && key && key->verify(token->algorithm(), token->signed_text(), token->signature());
}

// The same key without its member `alg`.
std::string without_algorithm(std::string_view jwk) {
    std::string out(jwk);
    std::size_t at = out.find("\"alg\"");
    if (at != std::string::npos) out.replace(at, 5, "\"was\"");
    return out;
}

base::Result<VerificationKey> key_of(std::string_view jwk) {
    base::Arena arena;
    auto object = Object::parse(jwk, arena);
    if (!object) return object.error();
    return key_from_jwk(*object, arena, rules);
}

TEST(OutsideTokens, AreAcceptedOrRefusedAsTheySay) {
    auto path = std::filesystem::path(CARDEA_SOURCE_DIR) / "../shared/data/jws/json_web_signature_test.json";
    std::ifstream file(path);
    if (!file) GTEST_SKIP() << "no outside data";
    std::stringstream buffer;
    buffer << file.rdbuf();
    std::string text = buffer.str();
    base::Arena arena;
    auto top = Object::parse(text, arena);
    ASSERT_TRUE(top);
    Elements groups(*top->find("testGroups"), arena);
    int valid = 0, invalid = 0;
    while (auto group_value = groups.next()) {
        auto group = Object::parse(group_value->text, arena);
        ASSERT_TRUE(group);
        const Value* jwk = group->find("public");
        if (jwk == nullptr) jwk = group->find("private");
        ASSERT_NE(jwk, nullptr);
        auto key = key_of(jwk->text);
        Elements vectors(*group->find("tests"), arena);
        while (auto vector_value = vectors.next()) {
            auto vector = Object::parse(vector_value->text, arena);
            ASSERT_TRUE(vector);
            int id = static_cast<int>(*vector->number("tcId"));
            const Value* compact = vector->find("jws");
            bool accepted = accepts(compact->text, key);
            if (vector->string("result") == "invalid") {
                ++invalid;
                // 367 and 370 speak of padding, but carry none: what is written there is a sound JWS, rightly signed.
                // Its payload is no JSON object, so nobody takes it for a JWT.
                if (id == 367 || id == 370) {
                    auto token = Token::parse(compact->text, arena);
                    EXPECT_FALSE(token && token->claims(arena)) << id;
                    continue;
                }
                EXPECT_FALSE(accepted) << id << *vector->string("comment");
                continue;
            }
            ++valid;
            auto exception = stricter.find(id);
            EXPECT_EQ(accepted, exception == stricter.end()) << id << *vector->string("comment");
            if (exception != stricter.end() && exception->second == Stricter::algorithm) {
                EXPECT_TRUE(accepts(compact->text, key_of(without_algorithm(jwk->text)))) << id;
            }
        }
    }
    EXPECT_EQ(valid, 46);
    EXPECT_EQ(invalid, 355);
}

}  // namespace
}  // namespace crypto
