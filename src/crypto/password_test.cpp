#include "crypto/password.h"

#include <gtest/gtest.h>

namespace crypto {
namespace {

// Made with libcrypt 4.4 and Python's hashlib, of "correct horse".
constexpr std::string_view known[] = {
    "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "$5$rounds=1000$salt$qOfjCda6YN/JiGzcA4MkoJaIXdhJzf.qd.KJPQZ7TA/",
    "$6$rounds=1000$saltsalt$4GMtaIz3E1AdDi2SmCokEW0ehi.HdxNDcL3fGE1XXuzvo6kbx7UOloZKONqEk5H3JrQA4NOfU8BmqFPrpGqwA1",
    "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
    "$y$j75$saltsaltsaltsalt$IdM6tV9hsIYZkwcNItyWCsVO1t/QVCQfi.yVSuLjuZ5",
    "$pbkdf2-sha256$1000$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0",
};

TEST(PasswordHash, TellsTheRightPasswordFromOthers) {
    for (std::string_view text : known) {
        EXPECT_TRUE(PasswordHash::is_meant(text));
        auto hash = PasswordHash::parse(text);
        ASSERT_TRUE(hash) << text;
        EXPECT_TRUE(hash->verify("correct horse")) << text;
        EXPECT_FALSE(hash->verify("correct horsE")) << text;
        EXPECT_FALSE(hash->verify("correct hors")) << text;
        EXPECT_FALSE(hash->verify("")) << text;
        EXPECT_FALSE(hash->verify(std::string_view("correct horse\0", 14))) << text;
        EXPECT_FALSE(hash->verify(std::string(PasswordHash::longest_password + 1, 'a'))) << text;
        EXPECT_FALSE(hash->verify(text)) << text;
    }
}

TEST(PasswordHash, RefusesOneOfWhichABitIsGone) {
    for (std::string_view text : known) {
        EXPECT_FALSE(PasswordHash::parse(text.substr(0, text.size() - 1))) << text;
        EXPECT_FALSE(PasswordHash::parse(std::string(text) + ".")) << text;
        EXPECT_FALSE(PasswordHash::parse(std::string(text) + '\0')) << text;
    }
    for (std::string_view text : {"", "x", "$2b$", "$6$", "$y$", "$5$$", "$pbkdf2-sha512$1000$c2FsdA$AAAA",
                                  "$pbkdf2-sha256$", "$1$salt$hash", "secret"}) {
        EXPECT_FALSE(PasswordHash::parse(text)) << text;
    }
    EXPECT_FALSE(PasswordHash::is_meant("secret"));
}

TEST(PasswordHash, RefusesCostsThatWouldHoldAThreadForLong) {
    std::string bcrypt(known[0]);
    for (std::string_view cost : {"03", "14", "31", "99", "4 ", "-4"}) {
        EXPECT_FALSE(PasswordHash::parse(bcrypt.replace(4, 2, cost))) << cost;
    }
    std::string sha(known[2]);
    EXPECT_FALSE(PasswordHash::parse("$6$rounds=999" + sha.substr(14)));
    EXPECT_FALSE(PasswordHash::parse("$6$rounds=500001" + sha.substr(14)));
    EXPECT_FALSE(PasswordHash::parse("$6$rounds=99999999999" + sha.substr(14)));
    EXPECT_TRUE(PasswordHash::parse("$6$rounds=500000" + sha.substr(14)));
    std::string yescrypt(known[4]);
    EXPECT_TRUE(PasswordHash::parse(yescrypt.replace(3, 3, "jBT")));  // 64 MiB
    EXPECT_FALSE(PasswordHash::parse(yescrypt.replace(3, 3, "jCT")));
    EXPECT_FALSE(PasswordHash::parse(yescrypt.replace(3, 3, "jz5")));
    std::string pbkdf2(known[5]);
    EXPECT_FALSE(PasswordHash::parse(std::string("$pbkdf2-sha256$999") + pbkdf2.substr(19)));
    EXPECT_FALSE(PasswordHash::parse(std::string("$pbkdf2-sha256$2000001") + pbkdf2.substr(19)));
}

}  // namespace
}  // namespace crypto
