// What the log plugins write and where it goes; how it is carried is tested in delivery/.
#include <unistd.h>

#include <algorithm>

#include "delivery/sink_for_tests.h"
#include "plugin/log_entry.h"
#include "plugin/log_queue.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {

namespace {

// What was sent as datagrams.
struct Sent {
    std::vector<std::string> to;
    std::vector<std::string> datagrams;
};

class FakeDatagrams final : public delivery::Datagrams {
  public:
    explicit FakeDatagrams(std::shared_ptr<Sent> sent) : sent_(std::move(sent)) {}
    base::Result<void> open(const net::SocketAddress& to) override {
        sent_->to.push_back(to.text());
        return {};
    }
    base::Result<void> open(const std::string& path) override {
        sent_->to.push_back(path);
        return {};
    }
    base::Result<void> send(std::string_view datagram) override {
        sent_->datagrams.emplace_back(datagram);
        return {};
    }

  private:
    std::shared_ptr<Sent> sent_;
};

}  // namespace

class LogPlugins : public PluginTest {
  protected:
    LogPlugins() {
        courier = shared.state<LogCourier>("", [&] {
            auto made = std::make_unique<delivery::Courier>(loop, delivery::Courier::Options{});
            return std::make_shared<LogCourier>(std::move(made),
                                                [sent = sent] { return std::make_unique<FakeDatagrams>(sent); });
        });
    }
    ~LogPlugins() override {
        under_test.reset();
        pass(0);
        courier.reset();
    }
    void pass(net::Instant milliseconds) { loop.run_for(net::Milliseconds(milliseconds)); }
    std::unique_ptr<FakeExchange> request(int status, std::string head = "GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n") {
        auto made = exchange(std::move(head));
        made->route_facts.name = "r";
        made->service_facts.name = "my.service";
        made->request_head_bytes = 100;
        made->sent_head_bytes = 40;
        made->response_body_bytes = 2;
        made->answer_from_upstream(status);
        made->timings.upstream_began = made->timings.started + 2;
        made->timings.response_head = made->timings.started + 12;
        made->timings.finished = made->timings.started + 15;
        return made;
    }
    void log(FakeExchange& on) {
        type->on_log(under_test.get(), on);
        pass(200);
    }
    std::string record(const CustomFieldTexts& texts, FakeExchange& on) {
        auto compiled = CustomFields::compile(texts);
        EXPECT_TRUE(compiled.ok());
        return std::string(compiled->apply(on, R"({"a":1,"b":{"c":2}})"));
    }
    std::string refusal(const std::string& chunk) {
        auto compiled = CustomFields::compile({{"f", chunk}});
        return compiled ? std::string() : compiled.error().detail;
    }

    std::shared_ptr<Sent> sent = std::make_shared<Sent>();
    std::shared_ptr<LogCourier> courier;
};

TEST_F(LogPlugins, CustomFieldsAddReplaceAndRemove) {
    auto on = request(200, "GET /?page=3 HTTP/1.1\r\nHost: h\r\nX-Tenant: \"t\"\r\n\r\n");
    EXPECT_EQ(record({}, *on), R"({"a":1,"b":{"c":2}})");
    EXPECT_EQ(record({{"t", "return kong.request.get_header('X-Tenant')"}}, *on), R"({"a":1,"b":{"c":2},"t":"\"t\""})");
    EXPECT_EQ(record({{"p", " return kong.request.get_query_arg(\"page\") ;"}}, *on), R"({"a":1,"b":{"c":2},"p":"3"})");
    EXPECT_EQ(record({{"p", "return headers['x-none'] or \"a)b\""}}, *on), R"({"a":1,"b":{"c":2},"p":"a)b"})");
    EXPECT_EQ(record({{"a", "return nil"}, {"b", "return"}}, *on), "{}");
    EXPECT_EQ(record({{"a", "return kong.request.get_header('none')"}}, *on), R"({"b":{"c":2}})") << "nil removes";
    EXPECT_EQ(record({{"a", "return 12.5"}, {"b", "return true"}}, *on), R"({"a":12.5,"b":true})");
    EXPECT_EQ(record({{"a", "return headers['none'] .. 'x'"}}, *on), R"({"b":{"c":2}})") << "an error in Lua";
}

TEST_F(LogPlugins, OtherLuaIsRefusedWhenTheDocumentIsLoaded) {
    EXPECT_EQ(refusal("return \"x\""), "");
    for (const char* chunk :
         {"local x = 1 return x", "return os.time()", "returned", "x", "", "return ngx.var.host", "return 1, 2",
          "return kong.request.get_header(", "while true do end", "return (function() end)()"})
        EXPECT_TRUE(refusal(chunk).starts_with("f: only")) << chunk << ": " << refusal(chunk);
    auto dotted = CustomFields::compile({{"a.b", "return 1"}});
    ASSERT_FALSE(dotted.ok());
    EXPECT_EQ(dotted.error().detail, "a.b: names with a dot are not served");
    EXPECT_NE(try_use("file-log", "{path: /dev/null, custom_fields_by_lua: {f: 'return os.time()'}}"), "");
}

TEST_F(LogPlugins, UdpSendsKongsRecord) {
    use("udp-log", "{host: 127.0.0.1, port: 9999, custom_fields_by_lua: {route: return nil, extra: return 1}}");
    auto on = request(201);
    log(*on);
    EXPECT_EQ(sent->to, std::vector<std::string>{"127.0.0.1:9999"});
    ASSERT_EQ(sent->datagrams.size(), 1u);
    const std::string& record = sent->datagrams[0];
    for (const char* part :
         {R"("method":"GET")", R"("status":201)", R"("upstream_status":"201")", R"("kong":2)", R"("proxy":10)",
          R"("request":15)", R"("size":42)", R"("extra":1)", R"("client_ip":"127.0.0.1")"})
        EXPECT_NE(record.find(part), std::string::npos) << part << " in " << record;
    EXPECT_EQ(record.find("\"route\":"), std::string::npos);
}

TEST_F(LogPlugins, SyslogHasASeverityByStatus) {
    use("syslog",
        "{client_errors_severity: debug, server_errors_severity: err, facility: local3, socket_path: /run/l}");
    log(*request(200));
    log(*request(404));  // less than log_level
    log(*request(503));
    EXPECT_EQ(sent->to, std::vector<std::string>{"/run/l"});
    ASSERT_EQ(sent->datagrams.size(), 2u);
    EXPECT_TRUE(sent->datagrams[0].starts_with("<158>")) << sent->datagrams[0];  // 19 * 8 + 6
    EXPECT_TRUE(sent->datagrams[1].starts_with("<155>")) << sent->datagrams[1];
    EXPECT_NE(sent->datagrams[1].find(" kong[" + std::to_string(::getpid()) + "]: {\""), std::string::npos);
}

TEST_F(LogPlugins, HttpSendsBatchesAsArrays) {
    delivery::SinkForTests sink(loop, 8080);
    use("http-log",
        "{http_endpoint: 'http://me:secret@127.0.0.1:8080/in?a=b', method: PUT, headers: {X-A: b}, queue: "
        "{max_batch_size: 2, max_coalescing_delay: 0.1}}");
    type->on_log(under_test.get(), *request(200));
    type->on_log(under_test.get(), *request(204));
    pass(20);
    pass(20);
    ASSERT_EQ(sink.bodies.size(), 1u);
    const std::string& got = sink.heads[0];
    EXPECT_TRUE(got.starts_with("PUT /in HTTP/1.1\r\n")) << got;
    EXPECT_NE(got.find("Authorization: Basic bWU6c2VjcmV0\r\n"), std::string::npos) << got;
    EXPECT_NE(got.find("X-A: b\r\n"), std::string::npos) << got;
    EXPECT_TRUE(sink.bodies[0].starts_with("[{")) << sink.bodies[0];
    EXPECT_TRUE(sink.bodies[0].ends_with("}]")) << sink.bodies[0];
    sink.close_all();
}

TEST_F(LogPlugins, HttpRefusesWhatItCannotSend) {
    EXPECT_NE(try_use("http-log", "http_endpoint: https://a/").find("not served yet"), std::string::npos);
    EXPECT_NE(try_use("http-log", "http_endpoint: ftp://a/"), "");
    EXPECT_NE(try_use("http-log", "{http_endpoint: http://a/, headers: {Host: b}}"), "");
    EXPECT_NE(try_use("tcp-log", "{host: a, port: 1, tls: true}").find("not served yet"), std::string::npos);
    EXPECT_EQ(try_use("http-log", "{http_endpoint: 'http://127.0.0.1:1/', retry_count: 3}"), "");
}

TEST_F(LogPlugins, StatsdNamesWhatItCounts) {
    Index alice = consumers.add({}, "alice", "4.2", {}, {});
    use("statsd", "{host: 127.0.0.1, allow_status_codes: ['200-299', '500-599']}");
    auto on = request(200);
    on->identity.consumer = &consumers[alice];
    log(*on);
    log(*request(404));
    EXPECT_EQ(sent->to, std::vector<std::string>{"127.0.0.1:8125"});
    std::string s = "kong.service.my_service.";
    EXPECT_EQ(sent->datagrams,
              (std::vector<std::string>{s + "request.count:1|c", s + "latency:15|ms", s + "request.size:100|c",
                                        s + "status.200:1|c", s + "response.size:42|c", s + "user.uniques:4.2|s",
                                        s + "user.4.2.request.count:1|c", s + "upstream_latency:10|ms",
                                        s + "kong_latency:2|ms", s + "user.4.2.status.200:1|c",
                                        s + "workspace.default.status.200:1|c",
                                        "kong.route.00000000-0000-0000-0000-000000000000.user.4.2.status.200:1|c"}));
}

TEST_F(LogPlugins, StatsdSaysInTagsWhatNamesWouldSay) {
    Index alice = consumers.add({}, "alice", "4,2", {}, {});
    char host[256] = {};
    gethostname(host, sizeof host - 1);
    std::string node = host;
    std::replace(node.begin(), node.end(), '.', '_');
    auto line = [&](const std::string& style) {
        sent->datagrams.clear();
        use("statsd", "{host: 127.0.0.1, hostname_in_prefix: true, tag_style: " + style +
                          ", metrics: [{name: request_count, stat_type: counter, sample_rate: 0.5}, {name: "
                          "status_count, stat_type: counter, sample_rate: 1}, {name: unique_users, stat_type: set}]}");
        auto on = request(200);
        on->identity.consumer = &consumers[alice];
        log(*on);
        auto none = request(404);
        none->service = nullptr;
        log(*none);
        return sent->datagrams.size() == 1 ? sent->datagrams[0] : std::to_string(sent->datagrams.size()) + " lines";
    };
    auto tags = [&](const std::string& binds) {
        return "service" + binds + "my.service,route" + binds + "r,workspace" + binds + "default,consumer" + binds +
               "4_2,node" + binds + node + ",status" + binds + "200";
    };
    EXPECT_EQ(line("dogstatsd"), "kong.request.count:1|c|@0.5|#" + tags(":"));
    EXPECT_EQ(line("influxdb"), "kong.request.count," + tags("=") + ":1|c|@0.5");
    EXPECT_EQ(line("librato"), "kong.request.count#" + tags("=") + ":1|c|@0.5");
    EXPECT_EQ(line("signalfx"), "kong.request.count[" + tags("=") + "]:1|c|@0.5");
}

TEST_F(LogPlugins, StatsdTakesOneMetricAndJoinsLines) {
    use("statsd",
        "{host: 127.0.0.1, port: 99, prefix: p, udp_packet_size: 1000, service_identifier_default: service_host, "
        "metrics: "
        "[{name: request_count, stat_type: counter, sample_rate: 0.5}, {name: latency, stat_type: histogram}, {name: "
        "upstream_latency, stat_type: gauge, sample_rate: 1}]}");
    auto on = request(200);
    on->service_facts.host = "a|b:c";
    on->timings.upstream_began = net::never;
    log(*on);
    auto none = request(404);
    none->service = nullptr;
    log(*none);
    EXPECT_EQ(sent->datagrams,
              (std::vector<std::string>{"p.service.a_b_c.request.count:1|c|@0.5\np.service.a_b_c.latency:15|h",
                                        "p.global.unmatched.request.count:1|c|@0.5\np.global.unmatched.latency:15|h\n"
                                        "p.global.unmatched.upstream_latency:10|g"}));
    EXPECT_NE(try_use("statsd", "metrics: [{name: request_count, stat_type: counter}]"), "");
    EXPECT_NE(try_use("statsd", "tag_style: statsd"), "");
    EXPECT_NE(try_use("statsd", "allow_status_codes: ['2xx']"), "");
}

TEST_F(LogPlugins, DropsAreCounted) {
    use("http-log", "{http_endpoint: 'http://127.0.0.1:9/', queue: {max_entries: 2}}");  // nobody is there
    for (int i = 0; i < 10; ++i) type->on_log(under_test.get(), *request(200));
    pass(500);
    double dropped = 0;
    for (const observe::Sample& sample : shared.measure())
        if (sample.name == "log_entries_total" && sample.labels[1].second == "dropped") dropped += sample.value;
    EXPECT_GE(dropped, 7);
}

}  // namespace plugin
