// What the request path pays: one counter, one histogram entry, one request id, one access log line, one log call that
// is off.
#include <benchmark/benchmark.h>

#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "observe/request_id.h"
#include "observe/series.h"
#include "observe/series_cache.h"

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

static const Family bench_latency{"kong_request_latency_ms",
                                  "Help",
                                  {{"service", true}, {"route", true}, {"workspace"}},
                                  {25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000}};

static void record_series(benchmark::State& state) {
    Series series;
    FamilyId family = series.family(bench_latency);
    SeriesCache cache;
    std::uint64_t request = 0;
    for (auto _ : state) {
        ++request;
        series.record(cache.get(request % 1000 + 1,
                                [&] {
                                    std::string route = "route-" + std::to_string(request);
                                    std::string_view values[]{"service", route, "default"};
                                    return series.open(family, values);
                                }),
                      request % 64);
    }
}
BENCHMARK(record_series);

// 10,000 routes with what the prometheus plugin can count of one: a status, two directions, three histograms.
static void render_series(benchmark::State& state) {
    Series series;
    std::vector<FamilyId> families;
    for (const char* name : {"kong_request_latency_ms", "kong_upstream_latency_ms", "kong_kong_latency_ms"}) {
        Family one = bench_latency;
        one.name = name;
        families.push_back(series.family(one));
    }
    FamilyId counter =
        series.family({"kong_bandwidth_bytes",
                       "Help",
                       {{"service", true}, {"route", true}, {"direction"}, {"workspace"}, {"consumer", true}},
                       {}});
    for (int i = 0; i < 10'000; ++i) {
        std::string route = "route-of-some-length-" + std::to_string(i);
        for (FamilyId family : families) {
            std::string_view values[]{"service-of-some-length", route, "default"};
            series.record(series.open(family, values), static_cast<std::uint64_t>(i % 20));
        }
        for (std::string_view direction : {"ingress", "egress", "both"}) {
            std::string_view values[]{"service-of-some-length", route, direction, "default", ""};
            series.add(series.open(counter, values));
        }
    }
    std::size_t bytes = 0;
    for (auto _ : state) {
        SeriesPage page(series, {});
        std::string piece;
        bytes = 0;
        for (bool more = true; more;) {
            piece.clear();
            more = page.next(piece, 64 * 1024);
            bytes += piece.size();
        }
    }
    state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(render_series)->Unit(benchmark::kMillisecond);

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
