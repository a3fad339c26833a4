// What the codec costs per message: scanning and parsing heads, writing them, taking the framing off bodies.
#include <benchmark/benchmark.h>

#include "http/http1/body.h"
#include "http/http1/head_scanner.h"
#include "http/http1/parse.h"
#include "http/http1/write.h"

namespace http1 {
namespace {

// Eight fields, as a browser's API call.
constexpr std::string_view request =
    "GET /api/v1/users/4711/orders?limit=20&after=abcdef HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N\r\n"
    "X-Request-Source: dashboard\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";
constexpr std::string_view small_request = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.25.3\r\n"
    "Date: Tue, 24 Nov 2026 06:22:51 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 1024\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

void scan(benchmark::State& state, std::string_view head, MessageKind kind) {
    Limits limits;
    for (auto _ : state) {
        HeadScanner scanner(kind);
        benchmark::DoNotOptimize(scanner.scan(head, limits));
        benchmark::DoNotOptimize(scanner);
    }
}
void parse_request(benchmark::State& state, std::string_view head) {
    Limits limits;
    http::RequestHead out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(parse_request_head(head, limits, out));
        benchmark::ClobberMemory();
    }
}
void parse_response(benchmark::State& state) {
    Limits limits;
    http::ResponseHead out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(parse_response_head(response, limits, http::Method::get, out));
        benchmark::ClobberMemory();
    }
}
void write_request(benchmark::State& state) {
    http::RequestHead head;
    if (parse_request_head(request, Limits{}, head) != Fault::none) return state.SkipWithError("the request is wrong");
    char buffer[4096];
    for (auto _ : state) {
        if (request_head_size(head.method_token, head.target, head.headers) > sizeof buffer) break;
        benchmark::DoNotOptimize(
            write_request_head(head.method_token, head.target, head.headers, Framing::none(), buffer));
        benchmark::ClobberMemory();
    }
}
void write_response(benchmark::State& state) {
    http::ResponseHead head;
    if (parse_response_head(response, Limits{}, http::Method::get, head) != Fault::none) {
        return state.SkipWithError("the response is wrong");
    }
    char buffer[4096];
    for (auto _ : state) {
        benchmark::DoNotOptimize(write_response_head(200, {}, head.headers, Framing::of_length(1024), buffer));
        benchmark::ClobberMemory();
    }
}
void decode_chunked(benchmark::State& state) {
    std::string body;
    for (int i = 0; i < 16; ++i) body += "400\r\n" + std::string(1024, 'x') + "\r\n";
    body += "0\r\n\r\n";
    Limits limits;
    BodyDecoder decoder;
    for (auto _ : state) {
        decoder.start(http::BodyFraming::chunked, 0, limits);
        std::string_view rest = body;
        while (decoder.state() == BodyDecoder::State::more) {
            BodyDecoder::Step step = decoder.feed(rest);
            benchmark::DoNotOptimize(step.piece);
            rest.remove_prefix(step.consumed);
        }
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(body.size()));
}
void strip(benchmark::State& state) {
    http::RequestHead head;
    Limits limits;
    for (auto _ : state) {
        benchmark::DoNotOptimize(parse_request_head(request, limits, head));
        http::strip_hop_by_hop(head.headers, head.connection);
        benchmark::ClobberMemory();
    }
}

BENCHMARK_CAPTURE(scan, request, request, MessageKind::request);
BENCHMARK_CAPTURE(scan, small_request, small_request, MessageKind::request);
BENCHMARK_CAPTURE(scan, response, response, MessageKind::response);
BENCHMARK_CAPTURE(parse_request, eight_fields, request);
BENCHMARK_CAPTURE(parse_request, small, small_request);
BENCHMARK(parse_response);
BENCHMARK(strip)->Name("parse_request_and_strip");
BENCHMARK(write_request);
BENCHMARK(write_response);
BENCHMARK(decode_chunked)->Name("decode_16_chunks_of_1k");

}  // namespace
}  // namespace http1
