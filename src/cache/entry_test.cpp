#include "cache/entry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/random.h"
#include "cache/entry_checks_for_tests.h"
#include "cache/heads_for_tests.h"

namespace cache {
namespace {

EntryPointer sample() {
    http::Headers headers = headers_of({{"Content-Type", "text/plain"}, {"x-A", ""}, {"ETag", "\"a\""}});
    std::string_view tags[] = {"pets", "", "a,b", "pet-1"};
    std::string_view body[] = {"hel", "", "lo"};
    EntryParts parts;
    parts.key = "route|GET|/pets|";
    parts.resource = "/pets";
    parts.vary = "accept";
    parts.generation = 7;
    parts.head_length = 12;
    parts.tags = tags;
    parts.status = 200;
    parts.reason = "Fine";
    parts.headers = &headers;
    parts.body = body;
    parts.validity = {1, 2, 3, 4, 5, 6, 7, true, false, true};
    return make_entry(parts);
}

std::string binary(const Entry& entry) {
    std::string out;
    write_binary(entry, out);
    return out;
}

void expect_sample(const Entry& entry) {
    EXPECT_EQ(entry.key(), "route|GET|/pets|");
    EXPECT_EQ(entry.resource(), "/pets");
    EXPECT_EQ(entry.vary(), "accept");
    EXPECT_EQ(entry.generation(), 7U);
    EXPECT_EQ(entry.head_length(), 12U);
    EXPECT_EQ(entry.status(), 200);
    EXPECT_EQ(entry.reason(), "Fine");
    EXPECT_EQ(entry.body(), "hello");
    EXPECT_TRUE(entry.has_tag("pets") && entry.has_tag("pet-1"));
    EXPECT_FALSE(entry.has_tag("pet") || entry.has_tag("") || entry.has_tag("a"));
    EXPECT_EQ(entry.validity(), (Validity{1, 2, 3, 4, 5, 6, 7, true, false, true}));
    http::Headers headers;
    entry.append_headers(headers);
    EXPECT_EQ(text_of(headers), "Content-Type: text/plain\nx-A: \nETag: \"a\"\n");
    EXPECT_TRUE(headers.has(http::Known::etag) && headers.has(http::Known::content_type));
}

TEST(Entry, KeepsItsPartsAndCountsThem) {
    EntryPointer entry = sample();
    expect_sample(*entry);
    EXPECT_GE(entry->footprint(), sizeof(Entry) + 60);
    EXPECT_LT(entry->footprint(), sizeof(Entry) + 300);
    EntryPointer second = entry;
    entry = {};
    expect_sample(*second);
}

TEST(Entry, RefusesWhatIsTooLarge) {
    std::string large(EntryLimits::most_head + 1, 'x');
    EntryParts parts;
    parts.key = large;
    EXPECT_FALSE(make_entry(parts));
    http::Headers headers;
    for (std::size_t i = 0; i <= EntryLimits::most_headers; ++i) headers.add("a", "b");
    parts.key = "k";
    parts.headers = &headers;
    EXPECT_FALSE(make_entry(parts));
}

TEST(EntryBinary, IsReadBack) {
    std::string bytes = binary(*sample());
    EXPECT_EQ(bytes.size(), binary_size(*sample()));
    base::Result<EntryPointer> read = read_binary(bytes);
    ASSERT_TRUE(read.ok());
    expect_sample(**read);
    EXPECT_EQ(binary(**read), bytes);
}

TEST(EntryBinary, RefusesEveryOtherLength) {
    std::string bytes = binary(*sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(read_binary(std::string_view(bytes).substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(read_binary(bytes + "x").ok());
}

TEST(EntryBinary, RefusesAnotherVersion) {
    std::string bytes = binary(*sample());
    ++bytes[3];
    EXPECT_FALSE(read_binary(bytes).ok());
}

TEST(EntryBinary, RefusesFieldsThatCouldNotBeSent) {
    for (auto [name, value] : Fields{{"A", "x\r\nSet-Cookie: a"},
                                     {"A b", "x"},
                                     {"Transfer-Encoding", "chunked"},
                                     {"content-length", "1"},
                                     {"Connection", "close"}}) {
        http::Headers headers = headers_of({{name, value}});
        EntryParts parts;
        parts.key = "k";
        parts.status = 200;
        parts.headers = &headers;
        EXPECT_FALSE(read_binary(binary(*make_entry(parts))).ok()) << name;
    }
}

TEST(EntryBinary, HoldsForAnyChangedByte) {
    std::string bytes = binary(*sample());
    base::Random random(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string changed = bytes;
        for (std::uint32_t j = 0; j <= random.below(3); ++j) {
            changed[random.below(static_cast<std::uint32_t>(changed.size()))] = static_cast<char>(random.next());
        }
        check_binary(changed);
    }
}

TEST(EntryBinary, HoldsForTheSeedsOfTheFuzzTarget) {
    std::size_t seeds = 0;
    std::size_t good = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/cache_entry_fuzz")) {
        std::ifstream in(file.path(), std::ios::binary);
        std::string bytes(std::istreambuf_iterator<char>(in), {});
        check_binary(bytes);
        good += read_binary(bytes).ok() ? 1 : 0;
        ++seeds;
    }
    EXPECT_GT(seeds, 3U);
    EXPECT_GT(good, 1U);  // else the version has changed and the seeds have to be made anew
}

}  // namespace
}  // namespace cache
