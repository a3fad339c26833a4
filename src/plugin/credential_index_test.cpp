#include "plugin/credential_index.h"

#include <gtest/gtest.h>

#include <string>

namespace plugin {
namespace {

class CredentialIndexTest : public testing::Test {
  protected:
    void add(std::string_view kind, std::vector<std::pair<std::string, std::string>> fields) {
        base::Uuid uuid;
        uuid.bytes[15] = static_cast<std::uint8_t>(++count_);
        Consumers::NewCredential credential{uuid, kind, fields};
        consumers.add(uuid, "user" + std::to_string(count_), "", {}, std::span(&credential, 1));
    }
    Consumers consumers;
    Shared shared;

  private:
    int count_ = 0;
};

TEST_F(CredentialIndexTest, FindsEachByItsValueAndNobodyElse) {
    for (int i = 0; i < 1000; ++i) add("keyauth_credentials", {{"key", "key-" + std::to_string(i)}});
    add("basicauth_credentials", {{"username", "key-5000"}});
    for (std::uint64_t seed : {0, 1, 2}) {
        CredentialIndex index(consumers, "keyauth_credentials", "key", seed);
        for (int i = 0; i < 1000; ++i) {
            const Credential* found = index.find("key-" + std::to_string(i));
            ASSERT_NE(found, nullptr);
            EXPECT_EQ(index.consumer_of(*found).username, "user" + std::to_string(i + 1));
        }
        for (std::string_view other : {"", "key-", "key-1000", "key-5000", "KEY-1", "key-1 ", "user1"})
            EXPECT_EQ(index.find(other), nullptr) << other;
        EXPECT_EQ(index.find(std::string_view("key-1\0", 6)), nullptr);
    }
}

TEST_F(CredentialIndexTest, ValuesOfAnyLengthAreComparedWhole) {
    for (std::size_t size = 1; size < 130; ++size) add("keyauth_credentials", {{"key", std::string(size, 'k')}});
    CredentialIndex index(consumers, "keyauth_credentials", "key", 3);
    for (std::size_t size = 1; size < 130; ++size) {
        std::string key(size, 'k');
        const Credential* found = index.find(key);
        ASSERT_NE(found, nullptr) << size;
        EXPECT_EQ(index.place(*found), size - 1);
        key.back() = 'x';
        EXPECT_EQ(index.find(key), nullptr) << size;
    }
    EXPECT_EQ(index.find(std::string(130, 'k')), nullptr);
    EXPECT_EQ(index.find(std::string(70'000, 'k')), nullptr);
}

TEST_F(CredentialIndexTest, OfNobodyFindsNobody) {
    CredentialIndex index(consumers, "keyauth_credentials", "key", 7);
    EXPECT_EQ(index.find("x"), nullptr);
    add("keyauth_credentials", {{"key", ""}});
    CredentialIndex empty(consumers, "keyauth_credentials", "key", 7);
    EXPECT_EQ(empty.find(""), nullptr);
    CredentialIndex other_field(consumers, "keyauth_credentials", "ttl", 7);
    EXPECT_EQ(other_field.find("x"), nullptr);
}

TEST_F(CredentialIndexTest, IsOneForAllUsesInAConfiguration) {
    add("keyauth_credentials", {{"key", "a"}});
    struct Setup setup{consumers, shared};
    auto one = CredentialIndex::of(setup, "keyauth_credentials", "key");
    EXPECT_EQ(CredentialIndex::of(setup, "keyauth_credentials", "key"), one);
    EXPECT_NE(CredentialIndex::of(setup, "basicauth_credentials", "username"), one);
    Consumers next;
    struct Setup reloaded{next, shared};
    EXPECT_EQ(CredentialIndex::of(reloaded, "keyauth_credentials", "key")->find("a"), nullptr);
    EXPECT_NE(one->find("a"), nullptr);
}

}  // namespace
}  // namespace plugin
