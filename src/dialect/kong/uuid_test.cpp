#include "dialect/kong/uuid.h"

#include <gtest/gtest.h>

namespace kong {
namespace {

// RFC 9562 appendix A.4.
TEST(UuidV5, AgreesWithTheRfc) {
    auto dns = base::Uuid::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    ASSERT_TRUE(dns);
    EXPECT_EQ(uuid_v5(*dns, "www.example.com").text(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST(UuidV5, DependsOnNamespaceAndName) {
    base::Uuid nil;
    EXPECT_EQ(uuid_v5(nil, "a"), uuid_v5(nil, "a"));
    EXPECT_NE(uuid_v5(nil, "a"), uuid_v5(nil, "b"));
    EXPECT_NE(uuid_v5(nil, "a"), uuid_v5(uuid_v5(nil, "a"), "a"));
    EXPECT_EQ(uuid_v5(nil, "").bytes[6] >> 4, 5);
}

}  // namespace
}  // namespace kong
