// What finding one of a million API keys costs when the cache helps nobody, and what the million takes.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "plugin/credential_index.h"

namespace plugin {
namespace {

constexpr int count = 1'000'000;

std::string key_of(int i) {
    std::string number = std::to_string(i);
    return "key-" + std::string(28 - number.size(), 'x') + number;  // 32 letters, as Kong makes them up
}

const Consumers& a_million() {
    static const Consumers all = [] {
        Consumers out;
        std::vector<std::pair<std::string, std::string>> fields{{"key", ""}};
        for (int i = 0; i < count; ++i) {
            base::Uuid id;
            for (int byte = 0; byte < 4; ++byte) id.bytes[byte] = static_cast<std::uint8_t>(i >> 8 * byte);
            fields[0].second = key_of(i);
            Consumers::NewCredential credential{id, "keyauth_credentials", fields};
            out.add(id, "consumer-" + std::to_string(i), "", {}, std::span(&credential, 1));
        }
        out.seal();
        return out;
    }();
    return all;
}

void find_one_of_a_million(benchmark::State& state) {
    CredentialIndex index(a_million(), "keyauth_credentials", "key", 1);
    base::Random random(1);
    std::vector<std::string> asked;  // of which enough that they do not stay in the cache
    for (int i = 0; i < 200'000; ++i) asked.push_back(key_of(static_cast<int>(random.below(count))));
    std::size_t next = 0;
    for (auto _ : state) {
        const Credential* found = index.find(asked[next]);
        if (found == nullptr) state.SkipWithError("a key is missing");
        benchmark::DoNotOptimize(index.consumer_of(*found).username.data());
        if (++next == asked.size()) next = 0;
    }
    state.counters["MiB"] = static_cast<double>(a_million().memory_bytes() + index.memory_bytes()) / (1024 * 1024);
}
void find_none(benchmark::State& state) {
    CredentialIndex index(a_million(), "keyauth_credentials", "key", 1);
    std::vector<std::string> asked;
    for (int i = 0; i < 200'000; ++i) asked.push_back("no" + key_of(i));
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(index.find(asked[next]));
        if (++next == asked.size()) next = 0;
    }
}

BENCHMARK(find_one_of_a_million);
BENCHMARK(find_none);

}  // namespace
}  // namespace plugin
