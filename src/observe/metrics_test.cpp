#include "observe/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

namespace observe {

namespace {
// Reads the page as Prometheus would: every series once, every name announced before its first series.
std::map<std::string, double> parsed(const std::string& page) {
    std::map<std::string, double> out;
    std::set<std::string> announced;
    std::istringstream in(page);
    static const std::regex series(R"re(^([a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="([^"\\]|\\.)*")*\})? ([0-9.e+-]+)$)re");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("# TYPE ")) {
            std::string name = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(announced.insert(name).second) << "announced twice: " << name;
        }
        if (line.starts_with("#")) continue;
        std::smatch match;
        EXPECT_TRUE(std::regex_match(line, match, series)) << line;
        std::string name = match[1];
        for (const char* suffix : {"_bucket", "_sum", "_count"})
            if (!announced.contains(name) && name.ends_with(suffix))
                name.resize(name.size() - std::string_view(suffix).size());
        EXPECT_TRUE(announced.contains(name)) << line;
        std::string key = match[1].str() + match[2].str();
        EXPECT_TRUE(out.emplace(key, std::stod(match[5])).second) << "twice: " << key;
    }
    return out;
}
}  // namespace

TEST(Metrics, SumsOverTheCores) {
    Metrics metrics(3);
    metrics.core(0).add(Counter::requests);
    metrics.core(2).add(Counter::requests, 10);
    metrics.core(0).raise(Gauge::connections_active, 5);
    metrics.core(1).lower(Gauge::connections_active, 2);  // taken over from another core
    EXPECT_EQ(metrics.total(Counter::requests), 11u);
    EXPECT_EQ(metrics.total(Gauge::connections_active), 3);
    auto page = parsed(metrics.render());
    EXPECT_EQ(page["cardea_requests_total"], 11);
    EXPECT_EQ(page["cardea_connections{state=\"active\"}"], 3);
    EXPECT_EQ(page["cardea_responses_total{class=\"2xx\"}"], 0);
}

TEST(Metrics, ResponsesByClass) {
    EXPECT_EQ(responses(100), Counter::responses_1xx);
    EXPECT_EQ(responses(204), Counter::responses_2xx);
    EXPECT_EQ(responses(499), Counter::responses_4xx);
    EXPECT_EQ(responses(599), Counter::responses_5xx);
    EXPECT_EQ(responses(0), Counter::responses_5xx);
    EXPECT_EQ(responses(999), Counter::responses_5xx);
}

TEST(Metrics, HistogramsAreCumulativeAndAgreeWithTheirCount) {
    Metrics metrics(2);
    using namespace std::chrono_literals;
    metrics.core(0).record(Histogram::request_time, 250us);      // on the bound: inside
    metrics.core(0).record(Histogram::request_time, 250'999ns);  // whole microseconds count
    metrics.core(1).record(Histogram::request_time, 251us);
    metrics.core(1).record(Histogram::request_time, 2h);
    metrics.core(1).record(Histogram::request_time, -5ms);  // a clock that went back
    auto page = parsed(metrics.render());
    EXPECT_EQ(page["cardea_request_seconds_bucket{le=\"0.00025\"}"], 3);
    EXPECT_EQ(page["cardea_request_seconds_bucket{le=\"0.0005\"}"], 4);
    EXPECT_EQ(page["cardea_request_seconds_bucket{le=\"60\"}"], 4);
    EXPECT_EQ(page["cardea_request_seconds_bucket{le=\"+Inf\"}"], 5);
    EXPECT_EQ(page["cardea_request_seconds_count"], 5);
    EXPECT_NEAR(page["cardea_request_seconds_sum"], 7200.000751, 1e-6);
}

TEST(Metrics, ShowsOthersNumbersWithEscapedLabels) {
    Metrics metrics(1);
    std::vector<Sample> samples{
        {"log_lines_dropped_total", "Log lines lost.", "counter", {}, 7},
        {"build_info", "What runs.", "gauge", {{"version", "0.1.0"}, {"loop", "a\"b\\c\nd"}}, 1},
        {"build_info", "What runs.", "gauge", {{"version", "0.2.0"}, {"loop", "x"}}, 0}};
    auto page = parsed(metrics.render(samples));
    EXPECT_EQ(page["cardea_log_lines_dropped_total"], 7);
    EXPECT_EQ(page["cardea_build_info{version=\"0.1.0\",loop=\"a\\\"b\\\\c\\nd\"}"], 1);
}

TEST(Metrics, CanBeReadWhileItsCoreWrites) {
    Metrics metrics(2);
    constexpr std::uint64_t most = 100'000;
    std::vector<std::thread> cores;
    for (std::size_t core = 0; core < 2; ++core)
        cores.emplace_back([&metrics, core] {
            for (std::uint64_t i = 0; i < most; ++i) {
                metrics.core(core).add(Counter::requests);
                metrics.core(core).record(Histogram::request_time, std::chrono::microseconds(i));
            }
        });
    std::uint64_t last = 0;
    while (last < 2 * most) {
        std::uint64_t now = metrics.total(Counter::requests);
        ASSERT_GE(now, last);
        last = now;
        (void)metrics.render();
    }
    for (std::thread& core : cores) core.join();
    EXPECT_EQ(metrics.total(Counter::requests), 2 * most);
}

}  // namespace observe
