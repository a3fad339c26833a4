// Digests, MACs and base64 against published values, and what their strictness refuses.
#include <gtest/gtest.h>

#include <thread>

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"

namespace crypto {
namespace {

TEST(Hash, KnowsThePublishedDigests) {  // FIPS 180-4, "abc"
    EXPECT_EQ(hex(digest(Hash::sha1, "abc").view()), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex(digest(Hash::sha256, "abc").view()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(digest(Hash::sha384, "a", "bc").view()),
              "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    EXPECT_EQ(hex(digest(Hash::sha512, "").view()).substr(0, 16), "cf83e1357eefb8bd");
}

TEST(Hash, TakesABodyPieceByPiece) {
    Hasher hasher(Hash::sha256);
    hasher.add("a");
    hasher.add("");
    hasher.add("bc");
    EXPECT_EQ(hasher.finish().view(), digest(Hash::sha256, "abc").view());
}

TEST(Hmac, KnowsThePublishedMacs) {  // RFC 4231 4.3, RFC 2202 3
    EXPECT_EQ(hex(HmacKey::make(Hash::sha256, "Jefe")->sign("what do ya want for nothing?").view()),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(HmacKey::make(Hash::sha1, "Jefe")->sign("what do ya want for nothing?").view()),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(Hmac, WithoutAKeptKeyIsTheSame) {
    for (Hash hash : {Hash::sha1, Hash::sha256, Hash::sha384, Hash::sha512}) {
        EXPECT_EQ(hmac(hash, "secret", "m").view(), HmacKey::make(hash, "secret")->sign("m").view());
    }
}

TEST(Hmac, AnswersAlikeHoweverOftenAndWhicheverKeyWasUsedBefore) {
    std::vector<HmacKey> keys;
    for (std::size_t i = 0; i < HmacKey::kept_states + 3; ++i) {
        keys.push_back(std::move(*HmacKey::make(Hash::sha256, "secret" + std::to_string(i))));
    }
    std::vector<Digest> first;
    for (const HmacKey& key : keys) first.push_back(key.sign("m"));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(keys[i].sign("m").view(), first[i].view()) << i;
        ASSERT_EQ(keys[i].sign("m").view(), first[i].view()) << i;
    }
    EXPECT_NE(first[0].view(), first[HmacKey::kept_states].view());
}

TEST(Hmac, OneKeyServesManyThreads) {
    HmacKey key = std::move(*HmacKey::make(Hash::sha512, "s"));
    Digest expected = key.sign("message");
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 2000; ++n) wrong += !key.verify("message", expected.view());
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Hmac, RefusesEachOtherSizeAndEachFlippedBit) {
    HmacKey key = std::move(*HmacKey::make(Hash::sha256, "s"));
    std::string mac(key.sign("m").view());
    EXPECT_TRUE(key.verify("m", mac));
    EXPECT_FALSE(key.verify("m", ""));
    EXPECT_FALSE(key.verify("m", mac + '\0'));
    for (std::size_t size = 0; size < mac.size(); ++size) EXPECT_FALSE(key.verify("m", mac.substr(0, size)));
    for (std::size_t bit = 0; bit < 8 * mac.size(); ++bit) {
        std::string other = mac;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ 1 << bit % 8);
        EXPECT_FALSE(key.verify("m", other)) << bit;
    }
}

TEST(Hmac, RefusesAnEmptySecret) { EXPECT_FALSE(HmacKey::make(Hash::sha256, "")); }

TEST(Base64, KnowsThePublishedTexts) {  // RFC 4648 10
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (auto [bytes, text] : cases) {
        EXPECT_EQ(base64(bytes), text);
        EXPECT_EQ(decode_base64(text), bytes);
        std::string bare(text.substr(0, text.find('=')));
        EXPECT_EQ(base64url(bytes), bare);
        EXPECT_EQ(decode_base64url(bare), bytes);
        EXPECT_EQ(decode_base64(bare, Padding::optional), bytes);
        EXPECT_EQ(decode_base64(text, Padding::optional), bytes);
        if (bare != text) {
            EXPECT_FALSE(decode_base64(bare));
            EXPECT_FALSE(decode_base64url(text));
        }
    }
}

TEST(Base64, ComesBackWhateverTheBytes) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        bytes += static_cast<char>(i * 7);
        EXPECT_EQ(decode_base64url(base64url(bytes)), bytes);
        EXPECT_EQ(decode_base64(base64(bytes)), bytes);
    }
}

TEST(Base64, RefusesWhatIsNotTheOnlyTextOfItsBytes) {
    for (std::string_view text : {"A", "AB", "AAB", "AAAAB", "AA=", "AA==", "A===", "====", "=", "AA.A", "AA A",
                                  "AAA\n", " AAA", "AA+A", "AA/A", "AA\xC3\xA9", "AAA="}) {
        EXPECT_FALSE(decode_base64url(text)) << text;
    }
    for (std::string_view text :
         {"Zg=", "Zg", "Zh==", "Zm9=", "Zg==Zg==", "Zg===", "Zm9v=", "Zm9v====", "-_8=", "Z=g="}) {
        EXPECT_FALSE(decode_base64(text)) << text;
    }
    EXPECT_FALSE(decode_base64("Zg=", Padding::optional));
    EXPECT_FALSE(decode_base64(std::string_view("Zm9v\0", 5), Padding::optional));
}

TEST(ConstantTime, IsEqualityOfBytes) {
    EXPECT_TRUE(equal_in_constant_time("", ""));
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace crypto
