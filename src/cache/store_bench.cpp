// What a look-up in the store costs: one hot key, and keys over a store larger than the processor's caches.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "cache/store.h"

namespace cache {
namespace {

void find(benchmark::State& state) {
    MemoryStore store({std::size_t{256} << 20, 1 << 20, 64}, 1);
    std::string body(1024, 'x');
    std::vector<std::string> keys;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        keys.push_back("5c3d6a30-9a1c-4b7a-a2f0-1f7bb9f0d9d1|GET|GET /api/v1/pets/" + std::to_string(i) +
                       " HTTP/1.1||");
        std::string_view piece = body;
        EntryParts parts;
        parts.key = keys.back();
        parts.status = 200;
        parts.body = std::span(&piece, 1);
        parts.validity.keep_until = 1;
        store.insert(make_entry(parts), store.ticket(), 0);
    }
    base::Random random(1);
    std::size_t hits = 0;
    for (auto _ : state) {
        EntryPointer entry = store.find(keys[random.below(static_cast<std::uint32_t>(keys.size()))], 0);
        hits += entry ? 1 : 0;
        benchmark::DoNotOptimize(entry);
    }
    state.counters["hits"] = static_cast<double>(hits) / static_cast<double>(state.iterations());
}
BENCHMARK(find)->Arg(1)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace cache
