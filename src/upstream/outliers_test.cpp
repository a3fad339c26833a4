#include "upstream/outliers.h"

#include <gtest/gtest.h>

#include <thread>

#include "upstream/test_endpoints.h"

namespace upstream {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class OutliersTest : public testing::Test {
  protected:
    void make(std::size_t count, OutlierRules with) {
        set = endpoints_of(equal(count));
        outliers = std::make_unique<Outliers>("u", with, load);
    }
    [[nodiscard]] const Endpoint& at(std::size_t index) const { return set->endpoints[index]; }
    [[nodiscard]] bool is_out(std::size_t index) const { return at(index).state->has(Bar::ejected); }
    // As LiveUpstream does it.
    void ended(std::size_t index, Ending ending, std::uint16_t status = 0, milliseconds latency = milliseconds(10)) {
        if (auto cause = outliers->count(at(index), ending, status, latency, now))
            outliers->eject(at(index), set->endpoints, *cause, now, wall);
    }
    void errors(std::size_t index, int count) {
        for (int i = 0; i < count; ++i) ended(index, Ending::server_error, 500);
    }
    net::Instant sweep() { return outliers->sweep(set->endpoints, now, wall); }
    void pass(milliseconds span) {
        now += span.count();
        sweep();
    }
    [[nodiscard]] std::string why(std::size_t index) const { return text(at(index).state->outlier.ejection.load()); }

    static constexpr std::int64_t wall = 1'700'000'000'000;
    std::shared_ptr<Load> load = std::make_shared<Load>();
    EndpointSetPointer set;
    std::unique_ptr<Outliers> outliers;
    net::Instant now = 1'000;
};

OutlierRules errors_in_a_row(std::uint32_t count) {
    OutlierRules out;
    out.errors_in_a_row = count;
    out.base_ejection = seconds(30);
    out.longest_ejection = seconds(100);
    return out;
}

}  // namespace

TEST_F(OutliersTest, ErrorsInARowEjectAndASuccessEndsTheRow) {
    make(4, errors_in_a_row(3));
    errors(1, 2);
    ended(1, Ending::success, 200);
    errors(1, 2);
    EXPECT_FALSE(is_out(1));
    ended(1, Ending::gateway_error, 503);
    EXPECT_TRUE(is_out(1));
    EXPECT_EQ(why(1), "errors in a row, the last 503");
    EXPECT_EQ(at(1).state->outlier.ejected_at.load(), wall);
    EXPECT_EQ(load->ejections.load(), 1U);
}

TEST_F(OutliersTest, GatewayErrorsAreCountedApart) {
    OutlierRules rules;
    rules.gateway_errors_in_a_row = 2;
    make(4, rules);
    errors(0, 10);
    EXPECT_FALSE(is_out(0)) << "500 says nothing about the way there";
    ended(0, Ending::gateway_error, 502);
    ended(0, Ending::server_error, 500);
    ended(0, Ending::failed);
    EXPECT_FALSE(is_out(0)) << "a 500 is an answer: it ends the row";
    ended(0, Ending::failed);
    EXPECT_TRUE(is_out(0));
    EXPECT_EQ(why(0), "gateway errors in a row, the last a failed attempt");
}

TEST_F(OutliersTest, EjectionsGrowUpToTheLongestAndShrinkWithGoodIntervals) {
    make(4, errors_in_a_row(1));
    sweep();
    auto length = [&] {
        errors(2, 1);
        EXPECT_TRUE(is_out(2));
        net::Instant until = at(2).state->outlier.ejected_until.load();
        net::Instant span = until - now;
        now = until - 1;
        sweep();
        EXPECT_TRUE(is_out(2));
        now = until;
        sweep();
        EXPECT_FALSE(is_out(2));
        return span;
    };
    EXPECT_EQ(length(), 30'000);
    EXPECT_EQ(length(), 60'000);
    EXPECT_EQ(length(), 90'000);
    EXPECT_EQ(length(), 100'000) << "max_ejection_time";
    EXPECT_EQ(length(), 100'000);
    for (int i = 0; i < 3; ++i) pass(seconds(10));
    EXPECT_EQ(length(), 90'000) << "three good intervals";
    for (int i = 0; i < 10; ++i) pass(seconds(10));
    EXPECT_EQ(length(), 30'000);
}

TEST_F(OutliersTest, NeverMoreThanTheShareAndNeverTheLast) {
    OutlierRules rules = errors_in_a_row(1);
    rules.most_ejected = 50;
    make(5, rules);
    for (std::size_t i = 0; i < 5; ++i) errors(i, 3);
    EXPECT_TRUE(is_out(0));
    EXPECT_TRUE(is_out(1));
    for (std::size_t i = 2; i < 5; ++i) EXPECT_FALSE(is_out(i)) << i;
    EXPECT_GT(load->ejections_refused.load(), 0U);

    rules.most_ejected = 100;
    make(3, rules);
    at(0).state->set(Bar::unhealthy, true);
    errors(1, 3);
    errors(2, 3);
    EXPECT_TRUE(is_out(1));
    EXPECT_FALSE(is_out(2)) << "the last in service";

    make(1, rules);
    errors(0, 3);
    EXPECT_FALSE(is_out(0));
}

TEST_F(OutliersTest, TheShareIsExactWhateverManyThreadsFind) {
    OutlierRules rules = errors_in_a_row(1);
    rules.most_ejected = 30;
    for (int round = 0; round < 20; ++round) {
        make(20, rules);
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread)
            threads.emplace_back([this, thread] {
                for (std::size_t i = 0; i < 20; ++i) errors((i * 7 + static_cast<std::size_t>(thread) * 5) % 20, 2);
            });
        for (std::thread& each : threads) each.join();
        EXPECT_EQ(std::ranges::count_if(set->endpoints, [](const auto& one) { return one.state->has(Bar::ejected); }),
                  6);
    }
}

TEST_F(OutliersTest, TheSuccessRateIsHeldAgainstThatOfTheOthers) {
    OutlierRules rules;
    rules.success_rate_deviation = 1.9;
    rules.least_requests = 100;
    rules.interval = seconds(10);
    make(6, rules);
    sweep();
    auto interval = [&](double rate_of_last, int requests) {
        for (std::size_t i = 0; i < 6; ++i)
            for (int j = 0; j < requests; ++j)
                ended(i, j < requests * (i == 5 ? rate_of_last : 0.98) ? Ending::success : Ending::server_error, 500);
        pass(seconds(10));
    };
    interval(0.2, 50);
    EXPECT_FALSE(is_out(5)) << "too few requests";
    interval(0.98, 200);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_FALSE(is_out(i)) << "all are equal";
    interval(0.6, 200);
    EXPECT_TRUE(is_out(5));
    EXPECT_EQ(why(5), "success rate of 60 %, far below the others");
    for (std::size_t i = 0; i < 5; ++i) EXPECT_FALSE(is_out(i));
}

TEST_F(OutliersTest, TheLatencyIsHeldAgainstTheMedian) {
    OutlierRules rules;
    rules.latency_factor = 3;
    rules.least_endpoints = 3;
    rules.least_requests = 10;
    make(4, rules);
    sweep();
    auto interval = [&](milliseconds usual, milliseconds of_first) {
        for (std::size_t i = 0; i < 4; ++i)
            for (int j = 0; j < 20; ++j) ended(i, Ending::success, 200, i == 0 ? of_first : usual);
        pass(seconds(10));
    };
    interval(milliseconds(20), milliseconds(50));
    EXPECT_FALSE(is_out(0));
    interval(milliseconds(1), milliseconds(5));
    EXPECT_FALSE(is_out(0)) << "5 ms are no reason";
    interval(milliseconds(20), milliseconds(70));
    EXPECT_TRUE(is_out(0));
    EXPECT_EQ(why(0), "answers take 70 ms, far above the others");
}

TEST_F(OutliersTest, FailsCountWithinTheirTimeAsInNginx) {
    OutlierRules rules;
    rules.failed_attempts = 3;
    rules.failed_attempts_within = seconds(10);
    rules.most_ejected = 100;
    make(2, rules);
    ended(0, Ending::failed);
    ended(0, Ending::failed);
    now += 11'000;
    ended(0, Ending::failed);
    errors(0, 5);
    EXPECT_FALSE(is_out(0)) << "two are too old, and a status is no failed attempt";
    ended(0, Ending::failed);
    ended(0, Ending::failed);
    EXPECT_TRUE(is_out(0));
    EXPECT_EQ(why(0), "3 failed attempts within fail_timeout");
    EXPECT_EQ(at(0).state->outlier.ejected_until.load() - now, 10'000);
    pass(seconds(10));
    EXPECT_FALSE(is_out(0));
    ended(0, Ending::failed);
    EXPECT_TRUE(is_out(0)) << "on trial: the first failed attempt is enough";
    pass(seconds(10));
    ended(0, Ending::success, 200);
    ended(0, Ending::failed);
    ended(0, Ending::failed);
    EXPECT_FALSE(is_out(0)) << "a success ends the trial";
}

TEST_F(OutliersTest, SweepSaysWhenToComeAgain) {
    OutlierRules rules = errors_in_a_row(1);
    rules.interval = seconds(60);
    make(3, rules);
    EXPECT_EQ(sweep(), now + 60'000);
    errors(0, 1);
    EXPECT_EQ(sweep(), now + 30'000);
}

}  // namespace upstream
