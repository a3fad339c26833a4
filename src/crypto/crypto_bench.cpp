// What a token costs, from its text to a checked signature and a read `exp`, by algorithm; and its parts.
#include <benchmark/benchmark.h>

#include "crypto/jws.h"
#include "crypto/signer_for_tests.h"
#include "crypto/verification_key.h"

namespace crypto {
namespace {

constexpr std::string_view payload =
    R"({"iss":"consumer-key-000417","sub":"1234567890","name":"Alice Example","iat":1796000000,"exp":1796092485})";

void check_tokens(benchmark::State& state, const std::string& compact, const VerificationKey& key) {
    base::Arena arena;
    for (auto _ : state) {
        auto token = Token::parse(compact, arena);
        auto claims = token->claims(arena);
        bool good = key.verify(token->algorithm(), token->signed_text(), token->signature()) &&
                    claims->number("exp") > 1796000000 && claims->string("iss")->size() > 3;
        if (!good) state.SkipWithError("a good token was refused");
        arena.reset();
    }
}

std::string header(Algorithm algorithm) { return fmt::format(R"({{"alg":"{}","typ":"JWT"}})", name(algorithm)); }

void hs256(benchmark::State& state) {
    auto key = VerificationKey::from_secret("alice-secret", Algorithm::hs256);
    check_tokens(state, signed_token(header(Algorithm::hs256), payload, "alice-secret"), *key);
}
void signed_with(benchmark::State& state, Signer (*make)(), Algorithm algorithm) {
    Signer signer = make();
    auto key = VerificationKey::from_pem(signer.public_pem(), algorithm);
    check_tokens(state, signed_token(header(algorithm), payload, signer, algorithm), *key);
}
void taking_apart(benchmark::State& state) {
    std::string compact = signed_token(header(Algorithm::hs256), payload, "alice-secret");
    base::Arena arena;
    for (auto _ : state) {
        auto token = Token::parse(compact, arena);
        benchmark::DoNotOptimize(token->claims(arena));
        arena.reset();
    }
}
void mac(benchmark::State& state) {
    auto key = HmacKey::make(Hash::sha256, "alice-secret");
    std::string text = unsigned_token(header(Algorithm::hs256), payload);
    for (auto _ : state) benchmark::DoNotOptimize(key->sign(text));
}
void mac_of_many_keys(benchmark::State& state) {  // every key's first use, each time
    std::vector<HmacKey> keys;
    for (std::size_t i = 0; i < 2 * HmacKey::kept_states; ++i) {
        keys.push_back(std::move(*HmacKey::make(Hash::sha256, "secret" + std::to_string(i))));
    }
    std::size_t next = 0;
    for (auto _ : state) benchmark::DoNotOptimize(keys[next++ % keys.size()].sign("message"));
}
void sha256_of_a_token(benchmark::State& state) {
    std::string text(800, 'a');
    for (auto _ : state) benchmark::DoNotOptimize(digest(Hash::sha256, text));
}

BENCHMARK(hs256);
BENCHMARK_CAPTURE(signed_with, rs256, [] { return Signer::rsa(); }, Algorithm::rs256);
BENCHMARK_CAPTURE(signed_with, ps256, [] { return Signer::rsa(); }, Algorithm::ps256);
BENCHMARK_CAPTURE(signed_with, es256, [] { return Signer::ec("P-256"); }, Algorithm::es256);
BENCHMARK_CAPTURE(signed_with, es384, [] { return Signer::ec("P-384"); }, Algorithm::es384);
BENCHMARK_CAPTURE(signed_with, eddsa, [] { return Signer::edwards("ED25519"); }, Algorithm::eddsa);
BENCHMARK(taking_apart);
BENCHMARK(mac);
BENCHMARK(mac_of_many_keys);
BENCHMARK(sha256_of_a_token);

}  // namespace
}  // namespace crypto
