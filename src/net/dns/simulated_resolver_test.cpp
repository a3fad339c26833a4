#include "net/dns/simulated_resolver.h"

#include <gtest/gtest.h>

namespace net::dns {

namespace {
std::vector<IpAddress> ips(std::initializer_list<const char*> texts) {
    std::vector<IpAddress> out;
    for (const char* text : texts) out.push_back(*IpAddress::parse(text));
    return out;
}
}  // namespace

TEST(SimulatedResolver, TellsWhenItIsTold) {
    SimulatedResolver resolver;
    std::vector<std::size_t> told;
    int once = 0;
    auto watch =
        resolver.watch("Web", [&](const RecordsPointer& records) { told.push_back(records->addresses.size()); });
    resolver.resolve("web", [&](const RecordsPointer&) { ++once; });
    EXPECT_EQ(resolver.run(), 0U);
    resolver.set("web", ips({"10.0.0.1"}));
    EXPECT_TRUE(told.empty());
    EXPECT_EQ(resolver.run(), 2U);
    resolver.set("web", ips({"10.0.0.1"}));  // no news
    EXPECT_EQ(resolver.run(), 0U);
    resolver.set("web", ips({"10.0.0.1", "10.0.0.2"}));
    resolver.run();
    EXPECT_EQ(told, (std::vector<std::size_t>{1, 2}));
    EXPECT_EQ(once, 1);
    EXPECT_EQ(resolver.known("WEB")->addresses.size(), 2U);
}

TEST(SimulatedResolver, AWatchThatEndedIsNotCalled) {
    SimulatedResolver resolver;
    resolver.set("web", ips({"10.0.0.1"}));
    std::unique_ptr<Resolver::Watch> first;
    std::unique_ptr<Resolver::Watch> second;
    bool called = false;
    first = resolver.watch("web", [&](const RecordsPointer&) {
        second.reset();
        first.reset();
    });
    second = resolver.watch("web", [&](const RecordsPointer&) { called = true; });
    resolver.run();
    EXPECT_FALSE(called);
    EXPECT_EQ(resolver.watch_count(), 0U);
}

}  // namespace net::dns
