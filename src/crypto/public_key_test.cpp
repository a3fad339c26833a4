#include "crypto/public_key.h"

#include <gtest/gtest.h>
#include <openssl/encoder.h>
#include <openssl/err.h>

#include <map>
#include <thread>

#include "crypto/signer_for_tests.h"
#include "crypto/verification_key.h"

namespace crypto {
namespace {

const Signer& signer_for(Algorithm algorithm) {
    static const Signer rsa = Signer::rsa();
    static const Signer p256 = Signer::ec("P-256");
    static const Signer p384 = Signer::ec("P-384");
    static const Signer p521 = Signer::ec("P-521");
    static const Signer edwards = Signer::edwards("ED25519");
    switch (algorithm) {
        case Algorithm::es256:
            return p256;
        case Algorithm::es384:
            return p384;
        case Algorithm::es512:
            return p521;
        case Algorithm::eddsa:
            return edwards;
        default:
            return rsa;
    }
}

constexpr Algorithm asymmetric[] = {Algorithm::rs256, Algorithm::rs384, Algorithm::rs512, Algorithm::ps256,
                                    Algorithm::ps384, Algorithm::ps512, Algorithm::es256, Algorithm::es384,
                                    Algorithm::es512, Algorithm::eddsa};

PublicKey key_for(Algorithm algorithm, Algorithms wanted) {
    auto key = PublicKey::from_pem(signer_for(algorithm).public_pem(), wanted);
    EXPECT_TRUE(key) << name(algorithm) << key.error().detail;
    return std::move(*key);
}

TEST(PublicKey, VerifiesWhatWasSignedAndNothingElse) {
    for (Algorithm algorithm : asymmetric) {
        PublicKey key = key_for(algorithm, algorithm);
        std::string good = signer_for(algorithm).sign(algorithm, "message");
        EXPECT_TRUE(key.verify(algorithm, "message", good)) << name(algorithm);
        EXPECT_TRUE(key.verify(algorithm, "message", good)) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "messagE", good)) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "", good)) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", "")) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", good.substr(1))) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", good.substr(0, good.size() - 1))) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", good + '\0')) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", '\0' + good)) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", std::string(good.size(), '\0'))) << name(algorithm);
        EXPECT_FALSE(key.verify(algorithm, "message", std::string(good.size(), '\xff'))) << name(algorithm);
        for (std::size_t i = 0; i < good.size(); i += 7) {
            std::string other = good;
            other[i] = static_cast<char>(other[i] ^ 1);
            EXPECT_FALSE(key.verify(algorithm, "message", other)) << name(algorithm) << i;
        }
        EXPECT_EQ(ERR_peek_error(), 0U) << "OpenSSL's queue is not ours to fill";
    }
}

TEST(PublicKey, IsUsedWithNoOtherAlgorithmThanItsOwn) {
    for (Algorithm made_for : asymmetric) {
        PublicKey key = key_for(made_for, made_for);
        for (std::size_t i = 0; i < algorithm_count; ++i) {
            auto other = static_cast<Algorithm>(i);
            EXPECT_EQ(key.algorithms().has(other), other == made_for);
            if (other == made_for || is_symmetric(other)) continue;
            std::string signature = signer_for(other).sign(other, "message");
            EXPECT_FALSE(key.verify(other, "message", signature)) << name(made_for) << name(other);
            EXPECT_FALSE(key.verify(made_for, "message", signature)) << name(made_for) << name(other);
        }
    }
}

TEST(PublicKey, WithoutAChosenAlgorithmDoesWhatItsKindCan) {
    PublicKey key = key_for(Algorithm::rs256, Algorithms::all());
    for (Algorithm algorithm : asymmetric) {
        bool is_rsa = algorithm <= Algorithm::ps512;
        EXPECT_EQ(key.algorithms().has(algorithm), is_rsa);
        EXPECT_EQ(key.verify(algorithm, "m", signer_for(algorithm).sign(algorithm, "m")), is_rsa) << name(algorithm);
    }
    EXPECT_FALSE(key.algorithms().has(Algorithm::hs256));
    EXPECT_EQ(key_for(Algorithm::es384, Algorithms::all()).algorithms(), Algorithms(Algorithm::es384));
}

TEST(PublicKey, TheCurveMustBeTheAlgorithms) {
    for (Algorithm algorithm : {Algorithm::es256, Algorithm::es384, Algorithm::es512}) {
        for (Algorithm other : {Algorithm::es256, Algorithm::es384, Algorithm::es512, Algorithm::rs256,
                                Algorithm::eddsa, Algorithm::hs256}) {
            EXPECT_EQ(PublicKey::from_pem(signer_for(algorithm).public_pem(), other).ok(), algorithm == other);
        }
    }
    EXPECT_FALSE(PublicKey::from_pem(Signer::ec("secp256k1").public_pem(), Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_pem(Signer::edwards("X25519").public_pem(), Algorithms::all()));
}

TEST(PublicKey, RefusesAnEcSignatureInDer) {
    PublicKey key = key_for(Algorithm::es256, Algorithm::es256);
    EXPECT_FALSE(key.verify(Algorithm::es256, "m", signer_for(Algorithm::es256).sign(Algorithm::es256, "m", true)));
}

TEST(PublicKey, RefusesWeakAndHugeRsaKeys) {
    std::string weak = Signer::rsa(1024).public_pem();
    auto key = PublicKey::from_pem(weak, Algorithm::rs256);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().detail, "an RSA key of 1024 bits, at least 2048 are wanted");
    EXPECT_TRUE(PublicKey::from_pem(weak, Algorithm::rs256, {.smallest_rsa_bits = 1024}));
    EXPECT_FALSE(
        PublicKey::from_pem(signer_for(Algorithm::rs256).public_pem(), Algorithm::rs256, {.largest_rsa_bits = 1024}));
    std::string modulus(256, '\xf1');
    for (std::string_view exponent : {std::string_view("\1", 1), std::string_view("\2", 1), std::string_view("\0", 1),
                                      std::string_view("\1\0\0", 3), std::string_view(modulus)}) {
        EXPECT_FALSE(PublicKey::from_rsa(modulus, exponent, Algorithms::all()));
    }
    EXPECT_TRUE(PublicKey::from_rsa(modulus, "\3", Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_rsa("", "\3", Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_rsa(std::string(4096, '\xf1'), "\3", Algorithms::all()));
}

TEST(PublicKey, ReadsBothFormsOfPemAndNoOther) {
    const Signer& rsa = signer_for(Algorithm::rs256);
    unsigned char* text = nullptr;
    std::size_t size = 0;
    Owned<OSSL_ENCODER_CTX, OSSL_ENCODER_CTX_free> encoder(
        OSSL_ENCODER_CTX_new_for_pkey(rsa.key(), EVP_PKEY_PUBLIC_KEY, "PEM", "type-specific", nullptr));
    ASSERT_EQ(OSSL_ENCODER_to_data(encoder.get(), &text, &size), 1);
    std::string old_form(reinterpret_cast<char*>(text), size);
    OPENSSL_free(text);
    ASSERT_TRUE(old_form.starts_with("-----BEGIN RSA PUBLIC KEY-----"));
    auto key = PublicKey::from_pem(old_form, Algorithm::rs256);
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_TRUE(key->verify(Algorithm::rs256, "m", rsa.sign(Algorithm::rs256, "m")));

    auto secret = PublicKey::from_pem(rsa.private_pem(), Algorithm::rs256);
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().detail, "a private key where the public one belongs");
    std::string pem = rsa.public_pem();
    for (const std::string& bad : {std::string(), std::string("x"), pem.substr(0, 100), pem.substr(40),
                                   std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                                   std::string(PublicKey::largest_pem + 1, 'A')}) {
        auto refused = PublicKey::from_pem(bad, Algorithm::rs256);
        ASSERT_FALSE(refused);
        EXPECT_LT(refused.error().detail.size(), 60U) << "nothing of the key belongs into an error";
    }
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(PublicKey, RefusesAPointOffTheCurveAndCoordinatesOfOtherSizes) {
    std::string x(32, '\1');
    EXPECT_FALSE(PublicKey::from_ec("P-256", x, x, Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_ec("P-256", std::string(32, '\0'), std::string(32, '\0'), Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_ec("P-256", x.substr(1), x, Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_ec("secp256k1", x, x, Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_edwards("Ed25519", std::string(31, '\1'), Algorithms::all()));
    EXPECT_FALSE(PublicKey::from_edwards("X25519", std::string(32, '\1'), Algorithms::all()));
}

TEST(PublicKey, VerifiesEd448) {
    Signer signer = Signer::edwards("ED448");
    auto key = PublicKey::from_pem(signer.public_pem(), Algorithm::eddsa);
    ASSERT_TRUE(key);
    std::string signature = signer.sign(Algorithm::eddsa, "m");
    EXPECT_TRUE(key->verify(Algorithm::eddsa, "m", signature));
    EXPECT_FALSE(key->verify(Algorithm::eddsa, "n", signature));
    EXPECT_FALSE(key->verify(Algorithm::eddsa, "m", signer_for(Algorithm::eddsa).sign(Algorithm::eddsa, "m")));
}

TEST(PublicKey, OneKeyServesManyThreads) {
    for (Algorithm algorithm : {Algorithm::ps256, Algorithm::es256, Algorithm::eddsa}) {
        PublicKey key = key_for(algorithm, algorithm);
        std::string good = signer_for(algorithm).sign(algorithm, "m");
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < 100; ++n)
                    wrong += !key.verify(algorithm, "m", good) + key.verify(algorithm, "n", good);
            });
        }
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(wrong, 0);
    }
}

// The classic: the text of a public key, which everybody has, used as a secret.
TEST(VerificationKey, APublicKeyIsNoSecretAndASecretIsNoPublicKey) {
    std::string pem = signer_for(Algorithm::rs256).public_pem();
    auto key = VerificationKey::from_pem(pem, Algorithms::all());
    ASSERT_TRUE(key);
    for (Hash hash : {Hash::sha256, Hash::sha384, Hash::sha512}) {
        Digest mac = HmacKey::make(hash, pem)->sign("m");
        for (std::size_t i = 0; i < algorithm_count; ++i) {
            EXPECT_FALSE(key->verify(static_cast<Algorithm>(i), "m", mac.view()));
        }
    }
    EXPECT_FALSE(VerificationKey::from_pem(pem, Algorithm::hs256));
    EXPECT_FALSE(VerificationKey::from_secret("secret", Algorithm::rs256));
    auto secret = VerificationKey::from_secret("secret", Algorithm::hs256);
    ASSERT_TRUE(secret);
    EXPECT_TRUE(secret->verify(Algorithm::hs256, "m", HmacKey::make(Hash::sha256, "secret")->sign("m").view()));
    EXPECT_FALSE(secret->verify(Algorithm::hs384, "m", HmacKey::make(Hash::sha384, "secret")->sign("m").view()));
    EXPECT_FALSE(secret->verify(Algorithm::rs256, "m", HmacKey::make(Hash::sha256, "secret")->sign("m").view()));
}

}  // namespace
}  // namespace crypto
