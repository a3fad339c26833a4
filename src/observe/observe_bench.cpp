// What the request path pays: one counter, one histogram entry, one request id, one access log line, one log call that
// is off.
#include <benchmark/benchmark.h>

#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "observe/request_id.h"

namespace observe {

static void add_counter(benchmark::State& state) {
    Metrics metrics(1);
    for (auto _ : state) metrics.core(0).add(Counter::requests);
    benchmark::DoNotOptimize(metrics.total(Counter::requests));
}
BENCHMARK(add_counter);

static void record_time(benchmark::State& state) {
    Metrics metrics(1);
    std::int64_t time = 0;
    for (auto _ : state) metrics.core(0).record(Histogram::request_time, std::chrono::nanoseconds(time += 997));
    benchmark::DoNotOptimize(metrics);
}
BENCHMARK(record_time);

static void make_request_id(benchmark::State& state) {
    RequestIds ids;
    for (auto _ : state) benchmark::DoNotOptimize(ids.next());
}
BENCHMARK(make_request_id);

static void write_access_line(benchmark::State& state, const char* name) {
    auto format = AccessFormat::compile(name);
    Writer writer;
    SinkId sink = writer.add_sink(*Sink::open("off"));
    AccessLog log(&*format, &writer.open_channel(sink));
    AccessRecord record;
    record.client_ip = "192.0.2.7";
    record.method = "GET";
    record.target = "/pets/1?verbose=1";
    record.version = "HTTP/1.1";
    record.status = 200;
    record.upstream_address = "127.0.0.1:9003";
    record.route = "pets";
    record.service = "petstore";
    record.request_id = "00112233445566778899aabbccddeeff";
    int lines = 0;
    for (auto _ : state) {
        log.write(record);
        if (++lines % 64 == 0) writer.drain();
    }
}
BENCHMARK_CAPTURE(write_access_line, combined, "combined");
BENCHMARK_CAPTURE(write_access_line, json, "json");

static void log_below_level(benchmark::State& state) {
    for (auto _ : state) log(Level::debug, "bench", "never", {{"value", 1}});
}
BENCHMARK(log_below_level);

}  // namespace observe
