#include "observe/log_record.h"

#include <gtest/gtest.h>

#include <array>

namespace observe {

namespace {
std::string json_of(const LogRecord& record) {
    std::string out;
    put_json(out, record);
    return out;
}
bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST(LogRecord, HasKongsForm) {
    std::array<LogRecord::Named, 2> arguments{{{"a", "1"}, {"flag", "", true}}};
    std::array<LogRecord::Named, 2> request{{{"Host", "a.example"}, {"Accept", "*/*"}}};
    std::array<LogRecord::Named, 1> response{{{"Content-Type", "text/plain"}}};
    std::array<LogRecord::Try, 2> tries{
        {{"10.0.0.1", 80, 1'700'000'000'000, 0, "failed", 0}, {"10.0.0.2", 80, 1'700'000'000'005, 1}}};
    LogRecord record;
    record.id = "0123";
    record.scheme = "http";
    record.host = "a.example";
    record.port = 8000;
    record.target = "/x?a=1&flag";
    record.method = "GET";
    record.arguments = arguments;
    record.request_headers = request;
    record.request_size = 80;
    record.upstream_uri = "/x?a=1&flag";
    record.upstream_status = 200;
    record.status = 200;
    record.response_headers = response;
    record.response_size = 300;
    record.kong_time = 1;
    record.proxy_time = 2;
    record.request_time = 4;
    record.receive_time = 1;
    record.tries = tries;
    record.is_authenticated = true;
    record.credential = "key-1";
    record.route = {"r-id", "get", {}, {}};
    record.service = {"s-id", "pets", "pets.internal", {}};
    record.consumer = {"c-id", "alice", {}, "custom"};
    record.client_ip = "127.0.0.1";
    record.started_at = 1'700'000'000'000;
    record.is_from_upstream = true;
    EXPECT_EQ(
        json_of(record),
        R"({"request":{"id":"0123","uri":"/x?a=1&flag","url":"http://a.example:8000/x?a=1&flag","method":"GET",)"
        R"("querystring":{"a":"1","flag":true},"headers":{"accept":"*/*","host":"a.example"},"size":80},)"
        R"("upstream_uri":"/x?a=1&flag","upstream_status":"200",)"
        R"("response":{"status":200,"headers":{"content-type":"text/plain"},"size":300},)"
        R"("latencies":{"kong":1,"proxy":2,"request":4,"receive":1},)"
        R"("tries":[{"balancer_start":1700000000000,"balancer_start_ns":1700000000000000000,"balancer_latency":0,)"
        R"("balancer_latency_ns":0,"ip":"10.0.0.1","port":80,"state":"failed"},)"
        R"({"balancer_start":1700000000005,"balancer_start_ns":1700000000005000000,"balancer_latency":1,)"
        R"("balancer_latency_ns":1000000,"ip":"10.0.0.2","port":80}],)"
        R"("authenticated_entity":{"id":"key-1","consumer_id":"c-id"},"route":{"id":"r-id","name":"get"},)"
        R"("service":{"id":"s-id","name":"pets","host":"pets.internal"},)"
        R"("consumer":{"id":"c-id","username":"alice","custom_id":"custom"},"client_ip":"127.0.0.1",)"
        R"("started_at":1700000000000,"source":"upstream","workspace":"default","workspace_name":"default"})");
}

TEST(LogRecord, AnswersOfOurOwnSayLess) {
    LogRecord record;
    record.status = 404;
    std::string json = json_of(record);
    EXPECT_FALSE(holds(json, "upstream_status"));
    EXPECT_FALSE(holds(json, "\"route\""));
    EXPECT_FALSE(holds(json, "authenticated_entity"));
    EXPECT_TRUE(holds(json, "\"proxy\":-1"));
    EXPECT_TRUE(holds(json, "\"tries\":[]"));
    EXPECT_TRUE(holds(json, "\"source\":\"kong\""));
}

TEST(LogRecord, FieldsOfOneNameBecomeAnArray) {
    std::array<LogRecord::Named, 4> headers{{{"X-Two", "b"}, {"A", "1"}, {"x-two", "a"}, {"X-TWO", "c"}}};
    std::array<LogRecord::Named, 3> arguments{{{"q", "2"}, {"Q", "1"}, {"q", "", true}}};
    LogRecord record;
    record.request_headers = headers;
    record.arguments = arguments;
    std::string json = json_of(record);
    EXPECT_TRUE(holds(json, R"("headers":{"a":"1","x-two":["b","a","c"]})")) << json;
    EXPECT_TRUE(holds(json, R"("querystring":{"Q":"1","q":["2",true]})")) << json;
}

TEST(LogRecord, NeverShowsCredentials) {
    std::array<LogRecord::Named, 4> headers{{{"Authorization", "Bearer secret"},
                                             {"authorization", "Basic secret"},
                                             {"PROXY-Authorization", "secret"},
                                             {"X-Authorization", "shown"}}};
    LogRecord record;
    record.request_headers = headers;
    record.response_headers = headers;
    std::string json = json_of(record);
    EXPECT_FALSE(holds(json, "secret")) << json;
    EXPECT_TRUE(holds(json, R"("headers":{"authorization":"REDACTED","proxy-authorization":"REDACTED",)")) << json;
    EXPECT_TRUE(holds(json, "shown"));
}

TEST(LogRecord, IsValidJsonWhateverWasSent) {
    std::array<LogRecord::Named, 2> headers{
        {{"a\"b", "\x01\xff\xc3\x28\xed\xa0\x80 caf\xc3\xa9\\"}, {"", "\n\r\t\x7f"}}};
    LogRecord record;
    record.target = "/\xf0\x9f\x98\x80\xf0\x9f";
    record.request_headers = headers;
    std::string json = json_of(record);
    EXPECT_TRUE(holds(json, R"("":"\n\r\t\u007f")")) << json;
    EXPECT_TRUE(holds(
        json, "\"a\\\"b\":\"\\u0001\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd caf\xc3\xa9\\\\\""))
        << json;
    EXPECT_TRUE(holds(json, "\"uri\":\"/\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"")) << json;
}

}  // namespace observe
