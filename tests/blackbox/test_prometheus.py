"""The prometheus plugin's page: names, labels and texts as Kong writes them, numbers as clients saw them."""

import re

from testing import check, contains, equal, test, wait_until
from upstream import answer

ALL = "status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true, upstream_health_metrics: true"


def document(port, settings=ALL, more=""):
    return (f'_format_version: "3.0"\nplugins: [{{name: prometheus, config: {{{settings}}}}}]\n'
            f'consumers: [{{username: alice, keyauth_credentials: [{{key: secret}}]}}]\n'
            f'upstreams: [{{name: lb, targets: [{{target: "127.0.0.1:{port}"}}, {{target: "127.0.0.1:1", weight: 0}}]}}]\n'
            f'services:\n- name: pets\n  url: http://lb\n  routes:\n'
            f'  - {{name: list, paths: [/list]}}\n'
            f'  - name: keyed\n    paths: [/keyed]\n    plugins: [{{name: key-auth}}]\n{more}')


def lines_of(page, name):
    """The lines of one family, comments included."""
    return [line for line in page.splitlines() if re.match(rf"(# (HELP|TYPE) )?{name}(_bucket|_count|_sum)?[ {{]", line)]


def page_of(gateway):
    response = gateway.admin("/metrics")
    equal(response.status, 200, "status of the page")
    return response.body.decode()


@test
def requests_bytes_and_times_with_kongs_names(t):
    up = t.upstream(lambda exchange: exchange.send(answer(b"seven b")))
    gateway = t.gateway(document(up.port), workers=2)
    client = t.client(gateway)
    sent = received = 0
    for _ in range(3):
        before = len(b"GET /list HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        response = client.get("/list")
        equal((response.status, response.body), (200, b"seven b"), "the answer")
        sent += before
    equal(client.get("/keyed").status, 401, "without a key")
    equal(client.get("/keyed", "apikey: secret").status, 200, "with a key")
    equal(client.get("/none").status, 404, "no route")

    page = wait_until(lambda: next((text for text in [page_of(gateway)] if 'route="keyed",code="200"' in text), None), "all counted")
    head = "kong_http_requests_total{service=\"pets\",route="
    equal(lines_of(page, "kong_http_requests_total"),
          ["# HELP kong_http_requests_total HTTP status codes per consumer/service/route in Kong",
           "# TYPE kong_http_requests_total counter",
           head + '"keyed",code="200",source="service",workspace="default",consumer=""} 1',
           head + '"keyed",code="401",source="kong",workspace="default",consumer=""} 1',
           head + '"list",code="200",source="service",workspace="default",consumer=""} 3'], "requests")
    ingress = 'kong_bandwidth_bytes{service="pets",route="list",direction="ingress",workspace="default",consumer=""} '
    contains(page, ingress + str(sent) + "\n", "bytes in")
    egress = re.search(r'kong_bandwidth_bytes\{service="pets",route="list",direction="egress",workspace="default",consumer=""\} (\d+)', page)
    check(int(egress[1]) > 3 * (7 + len(b"HTTP/1.1 200 OK\r\n")), "bytes out count the heads too")
    for name, text, buckets in (
            ("kong_kong_latency_ms", "Latency added by Kong and enabled plugins for each service/route in Kong", 18),
            ("kong_upstream_latency_ms", "Latency added by upstream response for each service/route in Kong", 14),
            ("kong_request_latency_ms", "Total latency incurred during requests for each service/route in Kong", 14)):
        found = lines_of(page, name)
        equal(found[:2], [f"# HELP {name} {text}", f"# TYPE {name} histogram"], name)
        of_list = [line for line in found if f'{name}_bucket{{service="pets",route="list",workspace="default",le=' in line]
        check(1 <= len(of_list) <= buckets and of_list[-1].endswith('le="+Inf"} 3'), f"{name}: {of_list}")
        check(f'{name}_count{{service="pets",route="list",workspace="default"}} 3' in found, f"{name}: {found}")
    of_keyed = 'kong_upstream_latency_ms_count{service="pets",route="keyed",workspace="default"} 1'
    check(of_keyed in lines_of(page, "kong_upstream_latency_ms"), "a refusal has no upstream latency")


@test
def the_node_and_its_upstreams(t):
    up = t.upstream()
    gateway = t.gateway(document(up.port))
    equal(t.client(gateway).get("/list").status, 200, "a request")
    page = page_of(gateway)
    node = re.search(r'^kong_node_info\{node_id="([0-9a-f-]{36})",version="[^"]+"\} 1$', page, re.MULTILINE)
    check(node, "node_info")
    contains(page, "# HELP kong_datastore_reachable Datastore reachable from Kong, 0 is unreachable\n"
                   "# TYPE kong_datastore_reachable gauge\nkong_datastore_reachable 1\n", "datastore_reachable")
    states = re.findall(rf'^kong_nginx_connections_total\{{node_id="{node[1]}",subsystem="http",state="(\w+)"\}} \d+$', page, re.MULTILINE)
    equal(states, ["accepted", "active", "handled", "reading", "total", "waiting", "writing"], "states of connections")
    contains(page, f'kong_nginx_requests_total{{node_id="{node[1]}",subsystem="http"}} 1\n', "requests")
    target = 'kong_upstream_target_health{upstream="lb",target="127.0.0.1:%d",address="127.0.0.1:%d",state="%s",subsystem="http"} %d\n'
    for port in (up.port, 1):
        for state, value in (("dns_error", 0), ("healthchecks_off", 1), ("healthy", 0), ("unhealthy", 0)):
            contains(page, target % (port, port, state, value), "health")
    contains(page, "\ncardea_requests_total 1\n", "our own numbers follow")
    equal(gateway.admin("/metrics", method="HEAD").body, b"", "HEAD has no body")


@test
def consumers_only_if_asked_and_numbers_survive_a_reload(t):
    up = t.upstream()
    gateway = t.gateway(document(up.port, "status_code_metrics: true, per_consumer: true"))
    client = t.client(gateway)
    equal(client.get("/keyed", "apikey: secret").status, 200, "with a key")
    line = 'kong_http_requests_total{service="pets",route="keyed",code="200",source="service",workspace="default",consumer="alice"} %d\n'
    wait_until(lambda: line % 1 in page_of(gateway), "counted for alice")
    page = page_of(gateway)
    check("kong_bandwidth_bytes" not in page and "latency_ms" not in page and "target_health" not in page, "only what was asked for")
    gateway.write(document(up.port, "status_code_metrics: true, per_consumer: true", "  - {name: more, paths: [/more]}\n"))
    equal(gateway.reload().returncode, 0, "reload")
    equal(client.get("/keyed", "apikey: secret").status, 200, "with a key")
    wait_until(lambda: line % 2 in page_of(gateway), "goes on counting")


@test
def a_long_page_comes_whole_and_in_order(t):
    up = t.upstream()
    names = [f"route-{number:04}" for number in range(400)]
    routes = "".join(f"  - {{name: {name}, paths: [/{name}]}}\n" for name in names)
    gateway = t.gateway(document(up.port, ALL, routes), workers=2)
    client = t.client(gateway)
    for name in names:
        equal(client.get(f"/{name}").status, 200, name)
    page = wait_until(lambda: next((text for text in [page_of(gateway)] if f'route="{names[-1]}",code="200"' in text), None), "all counted")
    check(len(page) > 1_000_000, f"a page of {len(page)} bytes is in several pieces")
    equal(re.findall(r'^kong_http_requests_total\{service="pets",route="([^"]+)"', page, re.MULTILINE), names, "routes")
    heads = re.findall(r"^# TYPE (kong_\w+) ", page, re.MULTILINE)
    equal(heads, sorted(heads), "families in order")
    check(all(re.fullmatch(r'(# (HELP|TYPE) .*|[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? [0-9.e+-]+)', line) for line in page.splitlines()),
          "every line is one of the format")
