// What the normal form of a path costs: for the usual path, which is normal already, and for one that is not.
#include <benchmark/benchmark.h>

#include "http/path.h"

namespace http {
namespace {

void normalise_path(benchmark::State& state, std::string_view path) {
    base::Arena arena;
    for (auto _ : state) {
        benchmark::DoNotOptimize(normalise(path, arena));
        arena.reset();
    }
}
void escape(benchmark::State& state, std::string_view path) {
    base::Arena arena;
    for (auto _ : state) {
        benchmark::DoNotOptimize(escape_path(path, arena));
        arena.reset();
    }
}

BENCHMARK_CAPTURE(normalise_path, normal, "/api/v1/users/4711/orders");
BENCHMARK_CAPTURE(normalise_path, escapes, "/api/v1/users/caf%c3%a9/orders%2f1");
BENCHMARK_CAPTURE(normalise_path, dots, "/api//v1/./users/../orders");
BENCHMARK_CAPTURE(escape, nothing, "/api/v1/users/4711/orders");
BENCHMARK_CAPTURE(escape, utf8, "/api/v1/users/caf\xc3\xa9 x");

}  // namespace
}  // namespace http
