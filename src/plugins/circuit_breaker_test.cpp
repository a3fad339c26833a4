#include <thread>
#include <vector>

#include "plugin/breaker.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

constexpr const char* request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class CircuitBreakerTest : public PluginTest {
  protected:
    // A whole exchange whose upstream answers with `status`; 0: it does not answer.
    std::string call(int status, base::Code code = base::Code::refused) {
        last = exchange(request);
        if (run(*last) == Verdict::answered) {
            respond(*last);
            return "refused " + std::string(last->response.headers.first("Retry-After"));
        }
        last->upstream_address = net::SocketAddress::parse("10.0.0.1:80").value();
        if (type->on_upstream_request(under_test.get(), *last) == Attempt::skip) {
            reply_error(*last, 503, "no target", ErrorKind::gateway);
            respond(*last);
            return "skipped " + std::string(last->response.headers.first("Retry-After"));
        }
        last->tries = 1;
        if (status == 0) {
            type->on_upstream_failure(under_test.get(), *last,
                                      base::Error::upstream(code, base::Retry::always, "scripted"));
            reply_error(*last, 502, {}, ErrorKind::server);
        } else {
            last->answer_from_upstream(status);
            type->on_upstream_response(under_test.get(), *last);
        }
        respond(*last);
        return std::to_string(last->response.status);
    }
    void pass(net::Milliseconds time) {
        loop.run_until([] { return false; }, time);
    }
    std::unique_ptr<FakeExchange> last;
};

TEST_F(CircuitBreakerTest, OpensAfterSoManyFailuresAndClosesAfterATrial) {
    use("circuit-breaker", "{threshold: 3, window_size: 60, timeout: 30}");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(200), "refused 30");
    pass(net::Milliseconds(29'500));
    EXPECT_EQ(call(200), "refused 1");
    pass(net::Milliseconds(600));
    EXPECT_EQ(call(200), "200");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(200), "200");
}

TEST_F(CircuitBreakerTest, AFailedTrialOpensItAgain) {
    use("circuit-breaker", "{threshold: 1, timeout: 10}");
    EXPECT_EQ(call(503), "503");
    pass(net::Milliseconds(10'001));
    EXPECT_EQ(call(0), "502");
    EXPECT_EQ(call(200), "refused 10");
}

TEST_F(CircuitBreakerTest, OldFailuresDoNotCount) {
    use("circuit-breaker", "{threshold: 2, window_size: 10}");
    EXPECT_EQ(call(500), "500");
    pass(net::Milliseconds(10'001));
    EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(200), "200");
    EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(200), "refused 30");
}

TEST_F(CircuitBreakerTest, CountsWhatItIsToldTo) {
    use("circuit-breaker", "{threshold: 1, failure_statuses: [418], count_timeouts: false}");
    EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(0, base::Code::timed_out), "502");
    EXPECT_EQ(call(418), "418");
    EXPECT_EQ(call(200), "refused 30");
}

TEST_F(CircuitBreakerTest, AnAbandonedTrialGivesItsPlaceBack) {
    use("circuit-breaker", "{threshold: 1, timeout: 10}");
    EXPECT_EQ(call(500), "500");
    pass(net::Milliseconds(10'001));
    auto abandoned = exchange(request);
    EXPECT_EQ(run(*abandoned), Verdict::go_on);
    EXPECT_EQ(call(200), "refused 1");  // one trial at a time
    abandoned.reset();
    EXPECT_EQ(call(200), "200");
}

TEST_F(CircuitBreakerTest, AClientThatGoesAwayIsNobodysFailure) {
    use("circuit-breaker", "{threshold: 1}");
    auto gone = exchange(request);
    EXPECT_EQ(run(*gone), Verdict::go_on);
    gone->tries = 1;
    type->on_upstream_failure(under_test.get(), *gone, base::Error::client(base::Code::reset, "gone", 400));
    reply_error(*gone, 400, {}, ErrorKind::server);
    respond(*gone);
    EXPECT_EQ(call(200), "200");
}

TEST_F(CircuitBreakerTest, OurOwnFaultIsNobodysFailure) {
    use("circuit-breaker", "{threshold: 1}");
    EXPECT_EQ(call(0, base::Code::internal), "502");
    EXPECT_EQ(call(0, base::Code::exhausted), "502");
    EXPECT_EQ(call(200), "200");
}

TEST_F(CircuitBreakerTest, ATargetHasItsOwn) {
    use("circuit-breaker", "{threshold: 1, per: target}");
    EXPECT_EQ(call(500), "500");
    EXPECT_EQ(call(200), "skipped 30");
    last = exchange(request);
    EXPECT_EQ(run(*last), Verdict::go_on);
    last->upstream_address = net::SocketAddress::parse("10.0.0.2:80").value();
    EXPECT_EQ(type->on_upstream_request(under_test.get(), *last), Attempt::go);
}

TEST_F(CircuitBreakerTest, ShowsItsState) {
    use("circuit-breaker", "{threshold: 1}");
    EXPECT_EQ(call(500), "500");
    std::vector<observe::Sample> samples = shared.measure();
    ASSERT_GE(samples.size(), 2u);
    EXPECT_EQ(samples[0].name, "circuit_opened_total");
    EXPECT_EQ(samples[0].value, 1);
    EXPECT_EQ(samples[1].name, "circuit_state");
    EXPECT_EQ(samples[1].value, 1);
    EXPECT_EQ(samples[1].labels[1], (std::pair<std::string, std::string>("service", last->service_facts.name)));
}

// Exact over cores: of many threads, as many trials pass as are allowed, and it opens once.
TEST(BreakerTest, LetsOnlyItsTrialsThroughWhateverTheThreads) {
    auto breaker = std::make_shared<Breaker>();
    BreakerRules rules{1, net::Milliseconds(1000), net::Milliseconds(1000), 3};
    Breaker::Ticket first = breaker->enter(rules, 0);
    first.failed(rules, 0);
    std::vector<std::vector<Breaker::Ticket>> held(4);
    std::vector<std::thread> threads;
    for (auto& own : held)
        threads.emplace_back([&breaker, &rules, &own] {
            for (int i = 0; i < 100; ++i)
                if (Breaker::Ticket ticket = breaker->enter(rules, 1000)) own.push_back(std::move(ticket));
        });
    for (std::thread& thread : threads) thread.join();
    std::size_t passed = 0;
    for (const auto& own : held) passed += own.size();
    EXPECT_EQ(passed, 3u);
    EXPECT_EQ(breaker->state(), Breaker::State::half_open);
    for (auto& own : held)
        for (Breaker::Ticket& ticket : own) ticket.succeeded(rules);
    EXPECT_EQ(breaker->state(), Breaker::State::closed);
    EXPECT_EQ(breaker->opened(), 1u);
}

}  // namespace
}  // namespace plugin
