// What a command costs the core that issues it: 64 callers who each wait for their reply, one pipelined connection, a
// real redis-server. Counts this thread's CPU time, not the server's and not the waiting.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "net/loop.h"
#include "redis/client.h"
#include "redis/server_for_tests.h"

namespace redis {
namespace {

double thread_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

enum class Work : std::uint8_t { increment, script, get_4k };

const Script counting(
    "local n = redis.call('INCRBY', KEYS[1], ARGV[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], 60) "
    "end return n");

struct Callers {
    Client& client;
    std::int64_t left;
    std::int64_t running = 0;
    std::int64_t failed = 0;
};

base::Detached call(Callers& callers, Work work) {
    ++callers.running;
    std::array<std::string_view, 1> keys{"ratelimit:consumer:1234567890:minute"};
    std::array<std::string_view, 1> arguments{"1"};
    while (callers.left-- > 0) {
        if (work == Work::script) {
            base::Result<Reply> reply = co_await callers.client.run(counting, keys, arguments);
            callers.failed += !reply.ok();
        } else {
            std::string_view name = work == Work::increment ? "INCR" : "GET";
            std::string_view key = work == Work::increment ? keys[0] : "large";
            base::Result<Reply> reply = co_await callers.client.command({name, key});
            callers.failed += !reply.ok();
        }
    }
    --callers.running;
}

void commands(benchmark::State& state, Work work) {
    Server server("port PORT\nsave \"\"\nappendonly no\n");
    std::string why_not;
    std::unique_ptr<net::Loop> loop = std::move(*net::make_loop(std::nullopt, why_not));
    Settings settings;
    settings.server = server.node();
    Client client(*loop, settings, {}, 1);
    const std::string large(4'096, 'x');
    for (bool is_set = false; !is_set;) {  // once the server is up
        Call set = client.command({"SET", "large", large});
        while (!set.is_settled()) loop->turn(true);
        is_set = set.take().ok();
        if (!is_set) loop->turn(true);
    }
    std::uint64_t sends = client.counters().sends;
    std::int64_t total = 0;
    constexpr std::int64_t batch = 50'000;
    for (auto _ : state) {
        Callers callers{client, batch};
        double begun = thread_seconds();
        for (std::int64_t i = 0; i < state.range(0); ++i) call(callers, work);
        while (callers.running > 0) loop->turn(true);
        state.SetIterationTime((thread_seconds() - begun) / batch);
        total += batch;
        if (callers.failed > 0) state.SkipWithError("commands failed");
    }
    state.counters["commands per send"] =
        static_cast<double>(total) / static_cast<double>(client.counters().sends - sends);
}
BENCHMARK_CAPTURE(commands, increment, Work::increment)
    ->Arg(1)
    ->Arg(64)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(commands, script, Work::script)
    ->Arg(64)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(commands, get_4k, Work::get_4k)
    ->Arg(64)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace redis
