#include <atomic>
#include <thread>
#include <vector>

#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class ResponseRateLimitingTest : public PluginTest {
  protected:
    std::unique_ptr<FakeExchange> made;

    // One exchange: what the upstream is told, the status and the limits that the client is told.
    std::string ask(std::string_view limit_header, std::string_view client = "10.0.0.1") {
        made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        made->client.address.ip = net::IpAddress::parse(client).value();
        if (run(*made) == Verdict::answered) {
            respond(*made);
            return "refused " + std::to_string(made->response.status);
        }
        std::string out = fields(made->request.headers);
        made->answer_from_upstream(200, std::string(limit_header), "body");
        respond(*made);
        EXPECT_FALSE(made->response.headers.has("x-kong-limit"));
        return out + std::to_string(made->response.status) + "\n" + fields(made->response.headers);
    }
    static std::string fields(const http::Headers& headers) {
        std::string out;
        for (const http::Header& header : headers)
            if (header.name.starts_with("X-RateLimit"))
                out += std::string(header.name) + ": " + std::string(header.value) + "\n";
        return out;
    }
};

TEST_F(ResponseRateLimitingTest, CountsWhatTheUpstreamSays) {
    use("response-ratelimiting", "{limits: {video: {minute: 3, hour: 10}, image: {minute: 5}}}");
    EXPECT_EQ(ask("X-Kong-Limit: video=2, image=1\r\n"),
              "X-RateLimit-Remaining-image: 5\nX-RateLimit-Remaining-video: 3\n200\n"
              "X-RateLimit-Limit-image-minute: 5\nX-RateLimit-Remaining-image-minute: 4\n"
              "X-RateLimit-Limit-video-minute: 3\nX-RateLimit-Remaining-video-minute: 1\n"
              "X-RateLimit-Limit-video-hour: 10\nX-RateLimit-Remaining-video-hour: 8\n");
    // One is left, so two pass; then none is.
    EXPECT_NE(ask("X-Kong-Limit: video=2\r\n").find("Remaining-video-minute: 0\n"), std::string::npos);
    EXPECT_EQ(ask("X-Kong-Limit: image=1, video=1\r\n"),
              "X-RateLimit-Remaining-image: 4\nX-RateLimit-Remaining-video: 0\n429\n"
              "X-RateLimit-Limit-image-minute: 5\nX-RateLimit-Remaining-image-minute: 4\n"
              "X-RateLimit-Limit-video-minute: 3\nX-RateLimit-Remaining-video-minute: 0\n"
              "X-RateLimit-Limit-video-hour: 10\nX-RateLimit-Remaining-video-hour: 6\n");
    EXPECT_EQ(made->response_text, "");
    EXPECT_FALSE(made->is_from_upstream);
    // Others are not used up, neither are other clients.
    EXPECT_NE(ask("X-Kong-Limit: image=1\r\n").find("\n200\n"), std::string::npos);
    EXPECT_NE(ask("X-Kong-Limit: video=1\r\n", "10.0.0.2").find("\n200\n"), std::string::npos);
    // The next minute.
    loop.run_for(net::Milliseconds(60'000));
    EXPECT_NE(ask("X-Kong-Limit: video=1\r\n").find("\n200\n"), std::string::npos);
}

TEST_F(ResponseRateLimitingTest, ReadsTheField) {
    use("response-ratelimiting", "{limits: {video: {minute: 100}}, header_name: X-Cost}");
    auto remaining = [this](std::string_view header) {
        std::string got = ask(header);
        std::string_view before = "Remaining-video-minute: ";
        std::size_t at = got.find(before) + before.size();
        return std::stoi(got.substr(at));
    };
    EXPECT_EQ(remaining("X-Cost: video=1\r\n"), 99);
    EXPECT_EQ(remaining("x-cost: audio=1 , video = 2\r\nX-Cost: x\r\n"), 97);
    for (std::string_view none :
         {"X-Cost: video\r\n", "X-Cost: video=\r\n", "X-Cost: video=-5\r\n", "X-Cost: video=x\r\n",
          "X-Cost: video=nan\r\n", "X-Cost: =1\r\n", "X-Other: video=1\r\n", "X-Cost: VIDEO=1\r\n"})
        EXPECT_EQ(remaining(none), 97) << none;
    EXPECT_EQ(remaining("X-Cost: video=1e300\r\n"), 0);
}

TEST_F(ResponseRateLimitingTest, BlocksBeforeTheUpstreamIsAsked) {
    use("response-ratelimiting", "{limits: {video: {minute: 1}}, block_on_first_violation: true}");
    EXPECT_NE(ask("X-Kong-Limit: video=1\r\n").find("200\n"), std::string::npos);
    EXPECT_EQ(ask(""), "refused 429");
    EXPECT_NE(made->response_text.find("API rate limit exceeded for 'video'"), std::string::npos);
}

TEST_F(ResponseRateLimitingTest, CanKeepSilent) {
    use("response-ratelimiting", "{limits: {video: {minute: 1}}, hide_client_headers: true}");
    EXPECT_EQ(ask("X-Kong-Limit: video=1\r\n"), "X-RateLimit-Remaining-video: 1\n200\n");
}

TEST_F(ResponseRateLimitingTest, AStoredAnswerHasBeenPaidFor) {
    use("response-ratelimiting", "{limits: {video: {minute: 1}}}");
    made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    run(*made);
    made->answer_from_upstream(200, "X-Kong-Limit: video=1\r\n");
    made->is_from_cache = true;
    respond(*made);
    EXPECT_FALSE(made->response.headers.has("X-Kong-Limit"));
    EXPECT_EQ(fields(made->response.headers),
              "X-RateLimit-Limit-video-minute: 1\nX-RateLimit-Remaining-video-minute: 1\n");
}

TEST_F(ResponseRateLimitingTest, AReplacedAnswerKeepsWhatIsNotOfItsBody) {
    use("response-ratelimiting", "{limits: {video: {minute: 1}}}");
    ask("X-Kong-Limit: video=1\r\n");
    ask("X-Kong-Limit: video=1\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: a/b\r\nCache-Control: max-age=60\r\n"
        "ETag: \"x\"\r\nSet-Cookie: a=b\r\nConnection: X-Hop\r\nX-Hop: 1\r\n");
    EXPECT_EQ(made->response.status, 429);
    EXPECT_TRUE(made->response.headers.has("Access-Control-Allow-Origin"));
    for (std::string_view gone : {"Content-Type", "Cache-Control", "ETag", "Set-Cookie", "X-Hop", "Content-Length"})
        EXPECT_FALSE(made->response.headers.has(gone)) << gone;
}

// Of many answers at the same instant only as many pass as there is something left for.
TEST_F(ResponseRateLimitingTest, IsExactOverThreads) {
    use("response-ratelimiting", "{limits: {image: {minute: 1000000}, video: {minute: 50}}}");
    std::atomic<int> passed = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([this, &passed] {
            observe::CoreMetrics own_metrics;
            net::simulated::SimulatedLoop own_loop{1};
            Worker own_worker(own_loop, 0, own_metrics);
            for (int i = 0; i < 50; ++i) {
                FakeExchange one(own_worker, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                type->on_request(under_test.get(), one);
                one.answer_from_upstream(200, "X-Kong-Limit: image=1, video=1\r\n");
                type->on_response(under_test.get(), one);
                if (one.response.status == 200) ++passed;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(passed, 50);
    // What did not pass cost nothing.
    std::string got = ask("", "127.0.0.1");
    EXPECT_NE(got.find("X-RateLimit-Remaining-image: 999950\n"), std::string::npos) << got;
}

TEST_F(ResponseRateLimitingTest, SettingsThatAreRefused) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"{}", "limits: required field missing"},
        {"{limits: {}}", "length must be at least 1"},
        {"{limits: {video: {}}}", "at least one of these fields must be non-empty: 'second', 'minute'"},
        {"{limits: {video: {minute: 0}}}", "must be greater than 0"},
        {"{limits: {video: {second: 10, minute: 5}}}",
         "The limit for minute(5.0) cannot be lower than the limit for second(10.0)"},
        {"{limits: {'a b': {minute: 1}}}", "invalid value: a b"},
        {"{limits: {video: {minute: 1}}, policy: redis}", "required field missing"},
        {"{limits: {video: {minute: 1}}, policy: cluster}", "expected one of: local, redis"},
        {"{limits: {video: {minute: 1}}, limit_by: service}", "expected one of: consumer, credential, ip"},
    };
    for (const auto& [settings, message] : cases) {
        std::string got = try_use("response-ratelimiting", settings);
        EXPECT_NE(got.find(message), std::string::npos) << settings << " gave: " << got;
    }
}

}  // namespace
}  // namespace plugin
