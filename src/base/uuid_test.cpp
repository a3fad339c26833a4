#include "base/uuid.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Uuid, ParsesAndPrintsTheCanonicalForm) {
    auto uuid = Uuid::parse("fd02801f-0957-4a15-a55a-c8d9606f30b5");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid->bytes[0], 0xfd);
    EXPECT_EQ(uuid->bytes[15], 0xb5);
    EXPECT_EQ(uuid->text(), "fd02801f-0957-4a15-a55a-c8d9606f30b5");
}

TEST(Uuid, PrintsUpperCaseInputInLowerCase) {
    auto uuid = Uuid::parse("FD02801F-0957-4A15-A55A-C8D9606F30B5");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid->text(), "fd02801f-0957-4a15-a55a-c8d9606f30b5");
}

TEST(Uuid, RefusesEverythingElse) {
    for (const char* text : {"", "fd02801f", "fd02801f-0957-4a15-a55a-c8d9606f30b",
                             "fd02801f-0957-4a15-a55a-c8d9606f30b55", "fd02801f09574a15a55ac8d9606f30b5----",
                             "{d02801f-0957-4a15-a55a-c8d9606f30b}", "fd02801f-0957-4a15-a55a-c8d9606f30bg",
                             "fd02801f-0957-4a15-a55ac-8d9606f30b5", "fd02801f-0957-4a15-a55a-c8d9606f3-b5"}) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
    EXPECT_FALSE(Uuid::parse(std::string(36, '\0')));
}

TEST(Uuid, ComparesAsBytes) {
    EXPECT_LT(*Uuid::parse("00000000-0000-0000-0000-0000000000ff"),
              *Uuid::parse("01000000-0000-0000-0000-000000000000"));
    EXPECT_TRUE(Uuid{}.is_nil());
    EXPECT_EQ(Uuid{}.text(), "00000000-0000-0000-0000-000000000000");
}

}  // namespace
}  // namespace base
