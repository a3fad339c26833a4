#include "observe/access_log.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace observe {

namespace {
std::string_view find_header(const void* message, std::string_view name) {
    const auto* fields = static_cast<const std::vector<std::pair<std::string, std::string>>*>(message);
    for (const auto& [key, value] : *fields)
        if (key == name) return value;
    return {};
}

class AccessLogTest : public testing::Test {
  protected:
    void SetUp() override {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        using std::chrono::microseconds;
        record.time = WallTime(std::chrono::milliseconds(1'795'521'600'123));
        record.client_ip = "192.0.2.7";
        record.client_port = 51000;
        record.method = "GET";
        record.target = "/pets/1?verbose=1";
        record.path = "/pets/1";
        record.version = "HTTP/1.1";
        record.scheme = "http";
        record.host = "example.com";
        record.status = 200;
        record.request_bytes = 120;
        record.response_bytes = 1300;
        record.body_bytes = 1024;
        record.request_time = microseconds(12'345);
        record.gateway_time = microseconds(45);
        record.upstream_time = microseconds(12'300);
        record.upstream_address = "127.0.0.1:9003";
        record.upstream_status = 200;
        record.tries = 1;
        record.route = "pets";
        record.service = "petstore";
        record.request_id = "00112233445566778899aabbccddeeff";
        record.request = &request;
        record.response = &response;
        record.find_header = find_header;
    }
    std::string line(std::string_view format) {
        auto compiled = AccessFormat::compile(format);
        if (!compiled) return "error: " + compiled.error().detail;
        std::string out;
        Writer writer;
        SinkId sink = writer.add_sink(Sink::capture(out));
        AccessLog log(&*compiled, &writer.open_channel(sink));
        log.write(record);
        writer.drain();
        return out;
    }
    AccessRecord record;
    std::vector<std::pair<std::string, std::string>> request{{"user-agent", "curl/8"}, {"x-team", "a\"b"}};
    std::vector<std::pair<std::string, std::string>> response{{"content-type", "text/plain"}};
};
}  // namespace

TEST_F(AccessLogTest, Combined) {
    EXPECT_EQ(
        line("combined"),
        "192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] \"GET /pets/1?verbose=1 HTTP/1.1\" 200 1024 \"-\" \"curl/8\"\n");
}

TEST_F(AccessLogTest, Json) {
    EXPECT_EQ(
        line("json"),
        "{\"time\":\"2026-11-24T12:00:00.123Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\"host\":\"example.com\","
        "\"target\":\"/pets/1?verbose=1\",\"version\":\"HTTP/1.1\",\"status\":200,\"request_bytes\":120,"
        "\"response_bytes\":1300,\"request_ms\":12.345,\"upstream_ms\":12.300,\"gateway_ms\":0.045,"
        "\"upstream\":\"127.0.0.1:9003\",\"tries\":1,\"route\":\"pets\",\"service\":\"petstore\","
        "\"request_id\":\"00112233445566778899aabbccddeeff\",\"user_agent\":\"curl/8\",\"referer\":\"\"}\n");
}

TEST_F(AccessLogTest, JsonOfARequestThatCouldNotBeReadIsJsonToo) {
    record = {};
    record.time = WallTime(std::chrono::milliseconds(0));
    record.status = 400;
    std::string out = line("json");
    EXPECT_NE(out.find("\"upstream_ms\":null"), out.npos) << out;
    EXPECT_NE(out.find("\"method\":\"\""), out.npos) << out;
    EXPECT_NE(line("combined").find("\"-\" 400 0 \"-\" \"-\""), out.npos);
}

TEST_F(AccessLogTest, HostileValuesStayInsideTheirPlace) {
    record.target = "/\"},{\"forged\":1\n\xff\xc3\xa9";
    EXPECT_NE(line("json").find("\"target\":\"/\\\"},{\\\"forged\\\":1\\n\xef\xbf\xbd\xc3\xa9\""), std::string::npos);
    EXPECT_EQ(line("$request_uri"), "/\\x22},{\\x22forged\\x22:1\\x0a\\xff\\xc3\\xa9\n");
    std::string longest(1'000'000, '\n');
    record.target = longest;
    record.method = longest;
    record.host = longest;
    record.path = longest;
    std::string out = line("json");
    EXPECT_LT(out.size(), 64 * 1024u);
    EXPECT_TRUE(out.ends_with("}\n"));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST_F(AccessLogTest, OwnFormats) {
    EXPECT_EQ(line("$status"), "200\n");
    EXPECT_EQ(line("${status}00 $args|$uri|$http_x_team|$sent_http_content_type|$http_none|$request_time"),
              "20000 verbose=1|/pets/1|a\\x22b|text/plain|-|0.012\n");
    EXPECT_EQ(line("escape=json {\"team\":\"$http_x_team\",\"none\":\"$http_none\"}"),
              "{\"team\":\"a\\\"b\",\"none\":\"\"}\n");
    EXPECT_EQ(line("$time_iso8601 $msec"), "2026-11-24T12:00:00+00:00 1795521600.123\n");
    EXPECT_EQ(line("$upstream_connect_time $upstream_status $remote_port"), "- 200 51000\n");
}

TEST_F(AccessLogTest, EveryKnownVariablePrintsSomething) {
    for (auto [name, help] : AccessFormat::variables()) {
        EXPECT_GT(line("$" + std::string(name)).size(), 1u) << name;
        EXPECT_TRUE(help.ends_with('.')) << name;
    }
}

TEST(AccessFormat, RefusesWithTheReason) {
    auto reason = [](std::string_view text) { return AccessFormat::compile(text).error().detail; };
    EXPECT_TRUE(reason("$statsu").starts_with("unknown variable $statsu; known are $args, $body_bytes_sent"));
    EXPECT_NE(reason("$nonsense").find("$http_NAME"), std::string::npos);
    for (std::string_view text : {"$", "$ status", "${status", "${}", "a $$ b", "$http_"})
        EXPECT_FALSE(AccessFormat::compile(text)) << text;
    EXPECT_FALSE(AccessFormat::compile(""));
    EXPECT_FALSE(AccessFormat::compile("escape=json "));
    EXPECT_EQ(reason("escape=none $status"), "escape=none is not served, only json and default");
    EXPECT_FALSE(AccessFormat::compile("$status\n$status"));
    std::string many;
    for (int i = 0; i < 100; ++i) many += "$host ";
    EXPECT_NE(reason(many).find("could take"), std::string::npos);
}

TEST(AccessLog, OffCostsNothingAndAFullChannelDropsWhole) {
    AccessLog off(nullptr, nullptr);
    off.write({});
    EXPECT_FALSE(off.is_on());

    auto format = AccessFormat::compile("combined");
    std::string out;
    Writer writer;
    SinkId sink = writer.add_sink(Sink::capture(out));
    Channel& channel = writer.open_channel(sink);
    AccessLog log(&*format, &channel);
    AccessRecord record;
    record.status = 200;
    int lines = 20'000;
    for (int i = 0; i < lines; ++i) log.write(record);
    std::uint64_t dropped = channel.dropped();
    EXPECT_GT(dropped, 0u);
    writer.drain();
    auto written = static_cast<std::uint64_t>(std::count(out.begin(), out.end(), '\n'));
    EXPECT_EQ(written, static_cast<std::uint64_t>(lines) - dropped + 1);  // and the report
}

TEST(AccessFormatClock, FollowsTheSecond) {
    AccessFormat::Clock clock;
    clock.set(WallTime(std::chrono::seconds(0)));
    std::string first(clock.local, clock.local_size);
    clock.set(WallTime(std::chrono::milliseconds(999)));
    EXPECT_EQ(std::string(clock.local, clock.local_size), first);
    clock.set(WallTime(std::chrono::seconds(1)));
    EXPECT_NE(std::string(clock.local, clock.local_size), first);
}

}  // namespace observe
