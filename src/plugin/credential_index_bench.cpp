// What finding one of a million API keys costs when the cache helps nobody, and what the million takes.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "plugin/credential_index.h"

namespace plugin {
namespace {

constexpr int count = 1'000'000;

std::string key_of(int i) {
    std::string number = std::to_string(i);
    return "key-" + std::string(22, 'x') + std::string(6 - number.size(), '0') + number;  // 32 letters, as Kong's
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

// Keys are made as they are asked for: a list of them would take the cache that it is about.
class Asked {
  public:
    explicit Asked(char first) : text_(key_of(0)) { text_[0] = first; }
    std::string_view next() {
        std::uint32_t number = random_.below(count);
        for (std::size_t at = text_.size(); number != 0 || at > text_.size() - 6; number /= 10)
            text_[--at] = static_cast<char>('0' + number % 10);
        return text_;
    }

  private:
    std::string text_;
    base::Random random_{1};
};

void ask(benchmark::State& state) {  // what the asking takes of the others
    Asked asked('k');
    for (auto _ : state) benchmark::DoNotOptimize(asked.next().data());
}
void find_one_of_a_million(benchmark::State& state) {
    CredentialIndex index(a_million(), "keyauth_credentials", "key", 1);
    Asked asked('k');
    for (auto _ : state) {
        const Credential* found = index.find(asked.next());
        if (found == nullptr) state.SkipWithError("a key is missing");
        benchmark::DoNotOptimize(found);
    }
    state.counters["MiB"] = static_cast<double>(a_million().memory_bytes() + index.memory_bytes()) / (1024 * 1024);
}
void find_one_and_its_consumer(benchmark::State& state) {
    CredentialIndex index(a_million(), "keyauth_credentials", "key", 1);
    Asked asked('k');
    for (auto _ : state) benchmark::DoNotOptimize(index.consumer_of(*index.find(asked.next())).username.data());
}
void find_none(benchmark::State& state) {
    CredentialIndex index(a_million(), "keyauth_credentials", "key", 1);
    Asked asked('n');
    for (auto _ : state) benchmark::DoNotOptimize(index.find(asked.next()));
}

BENCHMARK(ask);
BENCHMARK(find_one_of_a_million);
BENCHMARK(find_one_and_its_consumer);
BENCHMARK(find_none);

}  // namespace
}  // namespace plugin
