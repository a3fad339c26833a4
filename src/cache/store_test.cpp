#include "cache/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/random.h"
#include "cache/heads_for_tests.h"

namespace cache {
namespace {

constexpr Millis always = Millis{1} << 60;

EntryPointer entry_of(std::string_view key, std::string_view resource, std::string_view body,
                      Millis keep_until = always, std::string_view tag = "") {
    EntryParts parts;
    parts.key = key;
    parts.resource = resource;
    parts.status = 200;
    parts.body = std::span(&body, 1);
    parts.tags = std::span(&tag, 1);
    parts.validity.keep_until = keep_until;
    return make_entry(parts);
}

TEST(MemoryStore, FindsWhatWasStored) {
    MemoryStore store({}, 1);
    EXPECT_FALSE(store.find("a", 0));
    EXPECT_EQ(store.insert(entry_of("a", "/a", "one"), store.ticket(), 0), Stored::stored);
    EntryPointer found = store.find("a", 0);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->body(), "one");
    EXPECT_EQ(store.insert(entry_of("a", "/a", "two"), store.ticket(), 0), Stored::stored);
    EXPECT_EQ(store.find("a", 0)->body(), "two");
    EXPECT_EQ(found->body(), "one");  // its reader keeps it
    EXPECT_EQ(store.counts().entries, 1U);
    EXPECT_EQ(store.counts().replaced, 1U);
    EXPECT_TRUE(store.remove("a"));
    EXPECT_FALSE(store.remove("a") || store.find("a", 0));
    store.check();
}

TEST(MemoryStore, ForgetsWhatIsPastItsTime) {
    MemoryStore store({}, 1);
    store.insert(entry_of("a", "/a", "one", 100), store.ticket(), 0);
    store.insert(entry_of("b", "/b", "two", 100), store.ticket(), 0);
    EXPECT_TRUE(store.find("a", 99));
    EXPECT_FALSE(store.find("a", 100));
    EXPECT_EQ(store.counts().entries, 1U);
    std::size_t gone = 0;
    for (int i = 0; i < 100'000 && gone == 0; ++i) gone = store.expire(100);
    EXPECT_EQ(gone, 1U);
    EXPECT_EQ(store.counts().entries, 0U);
    EXPECT_EQ(store.counts().expired, 2U);
}

TEST(MemoryStore, RemovesByResourcePrefixAndTag) {
    MemoryStore store({}, 1);
    auto fill = [&store] {
        store.insert(entry_of("GET|/a|x", "/a", "1", always, "red"), store.ticket(), 0);
        store.insert(entry_of("GET|/a|y", "/a", "2", always, "blue"), store.ticket(), 0);
        store.insert(entry_of("GET|/a/b|", "/a/b", "3", always, "red"), store.ticket(), 0);
        store.insert(entry_of("GET|/c|", "/c", "4"), store.ticket(), 0);
    };
    fill();
    EXPECT_EQ(store.remove_resource("/a"), 2U);
    EXPECT_FALSE(store.find("GET|/a|x", 0) || store.find("GET|/a|y", 0));
    EXPECT_TRUE(store.find("GET|/a/b|", 0));
    fill();
    EXPECT_EQ(store.purge(Purge::resource_prefix, "/a"), 3U);
    EXPECT_TRUE(store.find("GET|/c|", 0));
    fill();
    EXPECT_EQ(store.purge(Purge::tag, "red"), 2U);
    EXPECT_TRUE(store.find("GET|/a|y", 0));
    EXPECT_EQ(store.purge(Purge::all), 2U);
    EXPECT_EQ(store.counts().entries, 0U);
    store.check();
}

TEST(MemoryStore, FindsTheFirstResponseWhoseKeyBeginsSo) {
    MemoryStore store({}, 1);
    for (int i = 0; i < 100; ++i) store.insert(entry_of("other" + std::to_string(i), "/a", "1"), store.ticket(), 0);
    store.insert(entry_of("wanted|x", "/a", "2"), store.ticket(), 0);
    auto found = [&store](std::string prefix) {
        MemoryStore::Search search{.key_prefix = std::move(prefix)};
        while (store.go_on(search)) {
        }
        return search.key;
    };
    EXPECT_EQ(found("wanted"), "wanted|x");
    EXPECT_EQ(found("none"), "");
}

TEST(MemoryStore, PurgesInSteps) {
    MemoryStore store({}, 1);
    constexpr std::size_t count = 2000;
    for (std::size_t i = 0; i < count; ++i)
        store.insert(entry_of("key" + std::to_string(i), "/a", "1"), store.ticket(), 0);
    std::size_t before = store.counts().entries;
    MemoryStore::Ticket old = store.ticket();
    MemoryStore::Purging purging = store.begin_purge(Purge::resource_prefix, "/a");
    std::size_t most = 0;
    for (std::size_t removed = 0, steps = 0; store.go_on(purging); removed = purging.removed, ++steps) {
        most = std::max(most, purging.removed - removed);
        EXPECT_EQ(store.insert(entry_of("late", "/a", "1"), old, 0), Stored::outdated) << steps;
    }
    EXPECT_LT(most, before / 4);
    EXPECT_EQ(purging.removed, before);
    EXPECT_EQ(store.counts().removed, before);
    EXPECT_FALSE(store.go_on(purging));
}

TEST(MemoryStore, DoesNotStoreWhatWasFetchedBeforeAnInvalidation) {
    MemoryStore store({}, 1);
    MemoryStore::Ticket before = store.ticket();
    store.remove_resource("/a");
    EXPECT_EQ(store.insert(entry_of("a", "/a", "old"), before, 0), Stored::outdated);
    EXPECT_EQ(store.insert(entry_of("b", "/b", "old"), before, 0), Stored::stored);
    EXPECT_EQ(store.insert(entry_of("a", "/a", "new"), store.ticket(), 0), Stored::stored);
    before = store.ticket();
    store.purge(Purge::tag, "none");
    EXPECT_EQ(store.insert(entry_of("b", "/b", "old"), before, 0), Stored::outdated);
    EXPECT_EQ(store.insert(entry_of("b", "/b", "new"), store.ticket(), 0), Stored::stored);
}

TEST(MemoryStore, RefusesWhatIsTooLarge) {
    StoreLimits limits{std::size_t{1} << 20, 10'000, 64};
    MemoryStore store(limits, 1);
    EXPECT_EQ(store.insert(entry_of("a", "/a", std::string(10'000, 'x')), store.ticket(), 0), Stored::too_large);
    EXPECT_EQ(store.insert(entry_of("a", "/a", std::string(9'000, 'x')), store.ticket(), 0), Stored::stored);
    EXPECT_EQ(store.insert({}, store.ticket(), 0), Stored::too_large);
    // Smaller than its own tables: nothing fits, nothing breaks.
    MemoryStore tiny({1000, 1000, 64}, 1);
    EXPECT_EQ(tiny.insert(entry_of("a", "/a", "x"), tiny.ticket(), 0), Stored::too_large);
}

// W-TinyLFU's point: a scan of things asked for once does not wash out what is asked for again and again.
TEST(MemoryStore, AScanDoesNotWashOutWhatIsPopular) {
    MemoryStore store({std::size_t{4} << 20, 64 << 10, 4}, 1);
    std::string body(1000, 'x');
    auto ask = [&](const std::string& key) {
        if (store.find(key, 0)) return true;
        store.insert(entry_of(key, key, body), store.ticket(), 0);
        return false;
    };
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 500; ++i) ask("popular" + std::to_string(i));
    }
    int scanned = 0;
    int hits = 0;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 2'000; ++i) ask("scan" + std::to_string(scanned++));
        for (int i = 0; i < 500; ++i) hits += ask("popular" + std::to_string(i)) ? 1 : 0;
    }
    EXPECT_GT(hits, 20 * 500 * 9 / 10);
    EXPECT_GT(store.counts().not_admitted, 0U);
    store.check();
}

// The same sequence of everything against a plain map: what is found is what was stored last, sums always fit.
TEST(MemoryStore, AccountsForEveryByteWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        StoreLimits limits{std::size_t{1} << 20, std::size_t{32} << 10, 4};
        MemoryStore store(limits, seed);
        base::Random random(seed);
        std::map<std::string, std::pair<std::string, Millis>> model;
        std::vector<EntryPointer> readers;
        Millis now = 0;
        for (int step = 0; step < 20'000; ++step) {
            std::string key = "key" + std::to_string(random.below(random.below(2) == 0 ? 50 : 3000));
            std::string resource = "/" + key.substr(0, 5);
            std::uint32_t choice = random.below(1000);
            now += random.below(3);
            if (choice < 500) {
                EntryPointer found = store.find(key, now);
                if (found) {
                    auto known = model.find(key);
                    ASSERT_TRUE(known != model.end());
                    ASSERT_EQ(found->body(), known->second.first);
                    ASSERT_GT(known->second.second, now);
                    if (readers.size() < 20) readers.push_back(found);
                }
            } else if (choice < 950) {
                std::string body(random.below(random.below(20) == 0 ? 40'000 : 4'000),
                                 static_cast<char>('a' + step % 26));
                Millis keep = now + 1 + random.below(20'000);
                Stored stored = store.insert(entry_of(key, resource, body, keep, key), store.ticket(), now);
                if (stored == Stored::stored) {
                    model[key] = {body, keep};
                } else if (stored == Stored::not_admitted) {
                    ASSERT_FALSE(store.find(key, now));
                    model.erase(key);
                }
            } else if (choice < 980) {
                store.remove(key);
                model.erase(key);
            } else if (choice < 990) {
                store.remove_resource(resource);
                std::erase_if(model, [&](const auto& item) { return item.first.substr(0, 5) == key.substr(0, 5); });
            } else if (choice < 993) {
                store.purge(Purge::tag, key);
                model.erase(key);
            } else if (choice < 994 && random.below(10) == 0) {
                store.purge(Purge::all);
                model.clear();
            } else {
                store.expire(now);
                readers.clear();
            }
            ASSERT_LE(store.counts().bytes, limits.capacity);
            if (step % 500 == 0) store.check();
        }
        store.check();
        EXPECT_GT(store.counts().hits, 1000U);
        EXPECT_GT(store.counts().evicted + store.counts().not_admitted, 100U);
        store.purge(Purge::all);
        EXPECT_EQ(store.counts().entries, 0U);
        MemoryStore empty(limits, seed);
        EXPECT_EQ(store.counts().bytes, empty.counts().bytes);  // nothing is counted that is not there
    }
}

// Run under the thread sanitizer, too. Every body says which key and version it is of.
TEST(MemoryStore, IsSharedByThreads) {
    MemoryStore store({std::size_t{2} << 20, 16 << 10, 8}, 1);
    std::atomic<std::uint64_t> hits = 0;
    std::atomic<bool> wrong = false;
    auto work = [&](std::uint64_t seed) {
        base::Random random(seed);
        for (int step = 0; step < 20'000; ++step) {
            std::string key = "key" + std::to_string(random.below(400));
            std::uint32_t choice = random.below(1000);
            if (choice < 700) {
                EntryPointer found = store.find(key, step);
                if (!found) continue;
                ++hits;
                http::Headers headers;
                found->append_headers(headers);
                if (found->key() != key || !found->body().starts_with(key + ":")) wrong = true;
            } else if (choice < 980) {
                std::string body = key + ":" + std::string(random.below(8000), 'x');
                store.insert(entry_of(key, key, body, step + 10'000, "tag"), store.ticket(), step);
            } else if (choice < 990) {
                store.remove_resource(key);
            } else if (choice < 992) {
                store.purge(Purge::resource_prefix, "key1");
            } else {
                store.expire(step);
                (void)store.counts();
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(wrong);
    EXPECT_GT(hits, 1000U);
    store.check();
}

// An invalidation and a fetch that began before it: whichever comes first, what was fetched is gone at the end.
TEST(MemoryStore, InvalidationsAreExactOverThreads) {
    MemoryStore store({std::size_t{2} << 20, 16 << 10, 8}, 1);
    std::atomic<int> version = 0;  // the truth at the upstream
    std::atomic<bool> stopped = false;
    std::atomic<bool> outdated = false;
    std::thread fetching([&] {
        while (!stopped) {
            MemoryStore::Ticket ticket = store.ticket();
            std::string body = std::to_string(version.load());
            store.insert(entry_of("a", "/a", body), ticket, 0);
        }
    });
    for (int i = 1; i <= 20'000; ++i) {
        version = i;
        store.remove_resource("/a");
        EntryPointer found = store.find("a", 0);
        if (found && std::stoi(std::string(found->body())) < i) outdated = true;
    }
    stopped = true;
    fetching.join();
    EXPECT_FALSE(outdated);
}

}  // namespace
}  // namespace cache
