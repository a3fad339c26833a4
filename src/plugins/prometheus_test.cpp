#include "plugin/plugin_for_tests.h"
#include "plugin/tally.h"

namespace plugin {

class PrometheusTest : public PluginTest {
  protected:
    PrometheusTest() {
        alice = consumers.add({}, "alice", "", {}, {});
        nameless = consumers.add({}, "", "42", {}, {});
    }
    // One request, counted: of 100 bytes, answered with 50 and a body of 7.
    void request(int status = 200, bool is_from_upstream = true, Index consumer = none, std::uint32_t route = 0) {
        auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        FakeExchange& on = *made;
        on.route_facts.name = "r" + std::to_string(route);
        on.service_facts.name = "s";
        on.match.route = route;
        on.request_head_bytes = 100;
        on.sent_head_bytes = 50;
        on.response_body_bytes = 7;
        if (is_from_upstream) {
            on.answer_from_upstream(status);
            on.timings.upstream_began = on.timings.started + 3;
            on.timings.response_head = on.timings.started + 30;
        } else {
            on.response.status = static_cast<std::uint16_t>(status);
        }
        on.timings.finished = on.timings.started + 40;
        if (consumer != none) on.identity.consumer = &consumers[consumer];
        type->on_log(under_test.get(), on);
    }
    // The lines with numbers, without buckets.
    std::string numbers() {
        observe::SeriesPage page(shared.series, {});
        std::string text;
        while (page.next(text, 1 << 20)) {
        }
        std::string out;
        for (std::size_t at = 0; at < text.size();) {
            std::size_t end = text.find('\n', at);
            std::string line = text.substr(at, end - at);
            at = end + 1;
            if (line[0] != '#' && line.find("_bucket{") == line.npos) out += line + "\n";
        }
        return out;
    }
    Index alice = none;
    Index nameless = none;
};

TEST_F(PrometheusTest, CountsNothingUnlessAsked) {
    use("prometheus", "");
    request();
    EXPECT_EQ(numbers(), "");
}

TEST_F(PrometheusTest, CountsAsKong) {
    use("prometheus", "{status_code_metrics: true, bandwidth_metrics: true, latency_metrics: true}");
    for (int i = 0; i < 3; ++i) request();
    request(404);
    request(404, false, alice);
    request();
    EXPECT_EQ(numbers(),
              R"(kong_bandwidth_bytes{service="s",route="r0",direction="egress",workspace="default",consumer=""} 342
kong_bandwidth_bytes{service="s",route="r0",direction="ingress",workspace="default",consumer=""} 600
kong_http_requests_total{service="s",route="r0",code="200",source="service",workspace="default",consumer=""} 4
kong_http_requests_total{service="s",route="r0",code="404",source="kong",workspace="default",consumer=""} 1
kong_http_requests_total{service="s",route="r0",code="404",source="service",workspace="default",consumer=""} 1
kong_kong_latency_ms_count{service="s",route="r0",workspace="default"} 6
kong_kong_latency_ms_sum{service="s",route="r0",workspace="default"} 55
kong_request_latency_ms_count{service="s",route="r0",workspace="default"} 6
kong_request_latency_ms_sum{service="s",route="r0",workspace="default"} 240
kong_upstream_latency_ms_count{service="s",route="r0",workspace="default"} 5
kong_upstream_latency_ms_sum{service="s",route="r0",workspace="default"} 135
)");
}

TEST_F(PrometheusTest, NamesConsumersByUsername) {
    use("prometheus", "{status_code_metrics: true, bandwidth_metrics: true, per_consumer: true}");
    request(200, true, alice);
    request(200, true, alice);
    request(200, true, nameless);
    request(200, true);
    EXPECT_EQ(numbers(),
              R"(kong_bandwidth_bytes{service="s",route="r0",direction="egress",workspace="default",consumer=""} 114
kong_bandwidth_bytes{service="s",route="r0",direction="egress",workspace="default",consumer="alice"} 114
kong_bandwidth_bytes{service="s",route="r0",direction="ingress",workspace="default",consumer=""} 200
kong_bandwidth_bytes{service="s",route="r0",direction="ingress",workspace="default",consumer="alice"} 200
kong_http_requests_total{service="s",route="r0",code="200",source="service",workspace="default",consumer=""} 2
kong_http_requests_total{service="s",route="r0",code="200",source="service",workspace="default",consumer="alice"} 2
)");
}

TEST_F(PrometheusTest, KeepsRoutesAndConfigurationsApart) {
    use("prometheus", "status_code_metrics: true");
    request(200, true, none, 7);
    request(200, true, none, 3);
    request(200, true, none, 7);
    std::shared_ptr<void> before = under_test;  // the next configuration has other consumers, and other numbers
    Consumers next;
    schema::Problems problems;
    schema::Reader reader(problems);
    under_test = type->make(tree.root(), reader);
    struct Setup setup{next, shared, cores, id, {}};
    ASSERT_TRUE(type->prepare(under_test.get(), setup));
    EXPECT_NE(Tally::find(shared, consumers), Tally::find(shared, next));
    request(200, true, none, 3);
    before.reset();
    EXPECT_EQ(Tally::find(shared, consumers), nullptr);
    EXPECT_EQ(
        numbers(),
        R"(kong_http_requests_total{service="s",route="r3",code="200",source="service",workspace="default",consumer=""} 2
kong_http_requests_total{service="s",route="r7",code="200",source="service",workspace="default",consumer=""} 2
)");
}

TEST_F(PrometheusTest, RequestsWithoutARouteAreNotCounted) {
    use("prometheus", "status_code_metrics: true");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->route = nullptr;
    made->response.status = 404;
    type->on_log(under_test.get(), *made);
    EXPECT_EQ(numbers(), "");
}

TEST_F(PrometheusTest, NamesServicesByHostAndRoutesByIdIfNeedBe) {
    use("prometheus", "status_code_metrics: true");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->service_facts.host = "up.example";
    made->route_facts.id = base::Uuid::parse("11111111-2222-4333-8444-555555555555").value();
    made->response.status = 200;
    type->on_log(under_test.get(), *made);
    made->service = nullptr;
    made->match.route = 1;
    type->on_log(under_test.get(), *made);
    EXPECT_EQ(
        numbers(),
        R"(kong_http_requests_total{service="",route="11111111-2222-4333-8444-555555555555",code="200",source="kong",workspace="default",consumer=""} 1
kong_http_requests_total{service="up.example",route="11111111-2222-4333-8444-555555555555",code="200",source="kong",workspace="default",consumer=""} 1
)");
}

}  // namespace plugin
