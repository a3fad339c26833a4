#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

constexpr std::string_view request = "GET /a HTTP/1.1\r\nHost: a";

class AdmissionControlTest : public PluginTest {};

TEST_F(AdmissionControlTest, RefusesBeyondTheLimitAndSaysWhenToComeAgain) {
    use("admission-control", "{limit: 1, queue: 0, retry_after: 7}");
    auto first = exchange(std::string(request));
    EXPECT_EQ(run(*first), Verdict::go_on);
    auto second = exchange(std::string(request));
    EXPECT_EQ(run(*second), Verdict::answered);
    EXPECT_EQ(second->response.status, 503);
    EXPECT_EQ(second->client_headers.first("Retry-After"), "7");
    EXPECT_NE(second->response_text.find("Too many requests are under way"), std::string::npos);
    first.reset();
    EXPECT_EQ(answer(std::string(request)), "go on");
}

TEST_F(AdmissionControlTest, LetsOneWaitForItsTurnOrForItsDeadline) {
    use("admission-control", "{limit: 1, queue: 1, queue_timeout: 100}");
    auto first = exchange(std::string(request));
    EXPECT_EQ(run(*first), Verdict::go_on);
    EXPECT_EQ(answer(std::string(request)).substr(0, 3), "503");  // after its 100 ms
    auto second = exchange(std::string(request));
    ASSERT_EQ(type->on_request(under_test.get(), *second), Verdict::wait);
    base::Task<Verdict> task = type->wait_request(under_test.get(), *second);
    task.start();
    EXPECT_EQ(answer(std::string(request)).substr(0, 3), "503");  // the line is full
    first.reset();
    for (int turn = 0; !task.is_done() && turn < 100; ++turn) loop.turn(true);
    ASSERT_TRUE(task.is_done());
    EXPECT_EQ(task.take(), Verdict::go_on);
}

TEST_F(AdmissionControlTest, APoolIsSharedAndOutlivesAReload) {
    use("admission-control", "{limit: 3, queue: 0, pool: all, priority: high}");
    auto first = exchange(std::string(request));
    auto second = exchange(std::string(request));
    EXPECT_EQ(run(*first), Verdict::go_on);
    EXPECT_EQ(run(*second), Verdict::go_on);
    std::shared_ptr<void> before = under_test;
    use("admission-control", "{limit: 3, queue: 0, pool: all, priority: low}");
    EXPECT_EQ(answer(std::string(request)).substr(0, 3), "503");  // low ones find two thirds of the places
}

TEST_F(AdmissionControlTest, RefusesBadSettings) {
    EXPECT_NE(try_use("admission-control", "{limit: 0}"), "");
    EXPECT_NE(try_use("admission-control", "{priority: urgent}").find("low, normal, high"), std::string::npos);
    EXPECT_NE(
        try_use("admission-control", "{limit: 5, min_limit: 6, target_latency: 10}").find("must not be more than"),
        std::string::npos);
    EXPECT_NE(try_use("admission-control", "{limits: 5}").find("unknown field"), std::string::npos);
}

}  // namespace
}  // namespace plugin
