#include "observe/series.h"

#include <gtest/gtest.h>

#include <thread>

#include "observe/series_cache.h"

namespace observe {

namespace {
const Family requests{"kong_http_requests_total",
                      "HTTP status codes per consumer/service/route in Kong",
                      {{"service", true}, {"route", true}, {"code"}, {"source"}, {"workspace"}, {"consumer", true}},
                      {}};
const Family latency{"kong_upstream_latency_ms",
                     "Latency added by upstream response for each service/route in Kong",
                     {{"service", true}, {"route", true}, {"workspace"}},
                     {25, 50, 80}};

std::string page_of(Series& series, std::vector<GaugeFamily> gauges = {}, std::size_t piece = 1 << 20) {
    SeriesPage page(series, std::move(gauges));
    std::string out;
    while (page.next(out, piece)) {
    }
    return out;
}

SeriesId request(Series& series, std::string_view route, std::string_view code, std::string_view consumer = {}) {
    return series.open(series.family(requests),
                       std::vector<std::string_view>{"pets-service", route, code, "service", "default", consumer});
}
SeriesId time_of(Series& series, std::string_view route) {
    return series.open(series.family(latency), std::vector<std::string_view>{"pets-service", route, "default"});
}
}  // namespace

TEST(Series, RendersAsKongDoes) {
    Series series;
    series.add(request(series, "list-pets", "200", "alice"));
    series.add(request(series, "get-pet", "401"), 2);
    series.add(request(series, "get-pet", "200"), 5);
    SeriesId time = time_of(series, "get-pet");
    for (std::uint64_t value : {26u, 50u, 51u, 4000u}) series.record(time, value);
    series.record(time_of(series, "a\"b\\c\nd"), 3);
    time_of(series, "never used");
    std::vector<GaugeFamily> gauges{
        {"kong_node_info", "Kong Node metadata information", "gauge", {{"node_id=\"1\"", 1}}},
        {"kong_datastore_reachable", "Datastore reachable", "gauge", {{"", 1}}},
        {"kong_nothing", "Not shown", "gauge", {}}};
    const std::string expected = R"(# HELP kong_datastore_reachable Datastore reachable
# TYPE kong_datastore_reachable gauge
kong_datastore_reachable 1
# HELP kong_http_requests_total HTTP status codes per consumer/service/route in Kong
# TYPE kong_http_requests_total counter
kong_http_requests_total{service="pets-service",route="get-pet",code="200",source="service",workspace="default",consumer=""} 5
kong_http_requests_total{service="pets-service",route="get-pet",code="401",source="service",workspace="default",consumer=""} 2
kong_http_requests_total{service="pets-service",route="list-pets",code="200",source="service",workspace="default",consumer="alice"} 1
# HELP kong_node_info Kong Node metadata information
# TYPE kong_node_info gauge
kong_node_info{node_id="1"} 1
# HELP kong_upstream_latency_ms Latency added by upstream response for each service/route in Kong
# TYPE kong_upstream_latency_ms histogram
kong_upstream_latency_ms_bucket{service="pets-service",route="a\"b\\c\nd",workspace="default",le="25"} 1
kong_upstream_latency_ms_bucket{service="pets-service",route="a\"b\\c\nd",workspace="default",le="50"} 1
kong_upstream_latency_ms_bucket{service="pets-service",route="a\"b\\c\nd",workspace="default",le="80"} 1
kong_upstream_latency_ms_bucket{service="pets-service",route="a\"b\\c\nd",workspace="default",le="+Inf"} 1
kong_upstream_latency_ms_bucket{service="pets-service",route="get-pet",workspace="default",le="50"} 2
kong_upstream_latency_ms_bucket{service="pets-service",route="get-pet",workspace="default",le="80"} 3
kong_upstream_latency_ms_bucket{service="pets-service",route="get-pet",workspace="default",le="+Inf"} 4
kong_upstream_latency_ms_count{service="pets-service",route="a\"b\\c\nd",workspace="default"} 1
kong_upstream_latency_ms_count{service="pets-service",route="get-pet",workspace="default"} 4
kong_upstream_latency_ms_sum{service="pets-service",route="a\"b\\c\nd",workspace="default"} 3
kong_upstream_latency_ms_sum{service="pets-service",route="get-pet",workspace="default"} 4127
)";
    EXPECT_EQ(page_of(series, gauges), expected);
    EXPECT_EQ(page_of(series, gauges, 1), expected) << "in pieces";
}

TEST(Series, KeepsTheOrderWhenSeriesComeLater) {
    Series series;
    series.add(request(series, "m", "200"));
    EXPECT_NE(page_of(series).find("route=\"m\""), std::string::npos);
    series.add(request(series, "z", "200"));
    series.add(request(series, "a", "200"));
    std::string page = page_of(series);
    EXPECT_LT(page.find("route=\"a\""), page.find("route=\"m\""));
    EXPECT_LT(page.find("route=\"m\""), page.find("route=\"z\""));
    EXPECT_NE(page.find("route=\"z\""), std::string::npos);
}

TEST(Series, SumsOverThreadsAndOneLabelSetIsOneSeries) {
    Series series;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int turn = 0; turn < 1000; ++turn) {
                series.add(request(series, "r" + std::to_string(turn % 7), "200"));
                series.record(time_of(series, "r"), 30);
                if (turn % 100 == 0) page_of(series);
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(series.size(), 8u);
    EXPECT_EQ(series.total(time_of(series, "r")), 4000u);
    std::uint64_t sum = 0;
    for (int i = 0; i < 7; ++i) sum += series.total(request(series, "r" + std::to_string(i), "200"));
    EXPECT_EQ(sum, 4000u);
}

TEST(Series, TwoOfThemDoNotShareCells) {
    auto first = std::make_unique<Series>();
    Series second;
    SeriesId one = request(*first, "r", "200");
    SeriesId other = request(second, "r", "200");
    first->add(one, 3);
    second.add(other, 4);
    first->add(one);
    EXPECT_EQ(first->total(one), 4u);
    EXPECT_EQ(second.total(other), 4u);
    first = std::make_unique<Series>();  // perhaps at the same place
    one = request(*first, "r", "200");
    EXPECT_EQ(first->total(one), 0u);
    first->add(one);
    EXPECT_EQ(first->total(one), 1u);
}

TEST(Series, BeyondTheBoundOpenLabelsOverflow) {
    Series series(3);
    for (int i = 0; i < 10; ++i) series.add(request(series, "r" + std::to_string(i), "200", "c"));
    series.add(request(series, "r11", "500", "c"));
    series.add(request(series, "r1", "200", "c"));  // one that found room goes on
    EXPECT_EQ(series.overflows(), 8u);
    EXPECT_EQ(series.size(), 5u);
    std::string page = page_of(series);
    EXPECT_NE(
        page.find(
            "{service=\"__overflow__\",route=\"__overflow__\",code=\"200\",source=\"service\",workspace=\"default\","
            "consumer=\"__overflow__\"} 7\n"),
        std::string::npos)
        << page;
    EXPECT_NE(page.find("route=\"__overflow__\",code=\"500\""), std::string::npos);
    EXPECT_NE(page.find("route=\"r1\",code=\"200\",source=\"service\",workspace=\"default\",consumer=\"c\"} 2\n"),
              std::string::npos);
}

TEST(Series, ManyCellsFitIntoChunks) {
    Series series(20'000);
    for (int i = 0; i < 20'000; ++i)
        series.record(time_of(series, "r" + std::to_string(i)), static_cast<std::uint64_t>(i % 100));
    for (int i = 0; i < 20'000; ++i) ASSERT_EQ(series.total(time_of(series, "r" + std::to_string(i))), 1u) << i;
    EXPECT_EQ(series.overflows(), 0u);
}

TEST(SeriesCache, AsksOnceAndStaysBounded) {
    SeriesCache cache;
    int asked = 0;
    auto get = [&](std::uint64_t key) {
        return cache.get(key, [&] {
            ++asked;
            return SeriesId{static_cast<std::uint32_t>(key), 0};
        });
    };
    for (int round = 0; round < 3; ++round)
        for (std::uint64_t key = 1; key <= 1000; ++key)
            ASSERT_EQ(get(key << 20).cell, static_cast<std::uint32_t>(key << 20));
    EXPECT_EQ(asked, 1000);
    for (std::uint64_t key = 1; key <= 3 * SeriesCache::most_entries; ++key) ASSERT_EQ(get(key).cell, key);
    EXPECT_LE(cache.size(), SeriesCache::most_entries);
}

}  // namespace observe
