// What the prometheus plugin adds to a request: all of its numbers, for a route in a hundred.
#include <benchmark/benchmark.h>

#include "plugin/plugin_for_tests.h"

namespace plugin {

namespace {
class Bench : public PluginTest {
  public:
    void TestBody() override {}
    void run(benchmark::State& state, std::string_view settings, bool has_consumer) {
        use("prometheus", settings);
        Index alice = consumers.add({}, "alice", "", {}, {});
        auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        made->answer_from_upstream(200);
        made->timings.upstream_began = made->timings.response_head = made->timings.finished = made->timings.started;
        if (has_consumer) made->identity.consumer = &consumers[alice];
        for (auto _ : state) {
            made->match.route = (made->match.route + 1) % static_cast<std::uint32_t>(state.range(0));
            type->on_log(under_test.get(), *made);
        }
    }
};

void count_request(benchmark::State& state) {
    Bench().run(state, "{status_code_metrics: true, bandwidth_metrics: true, latency_metrics: true}", false);
}
BENCHMARK(count_request)->Arg(1)->Arg(100)->Arg(10'000);

void count_request_of_consumer(benchmark::State& state) {
    Bench().run(
        state, "{status_code_metrics: true, bandwidth_metrics: true, latency_metrics: true, per_consumer: true}", true);
}
BENCHMARK(count_request_of_consumer)->Arg(1)->Arg(100)->Arg(10'000);
}  // namespace

}  // namespace plugin
