"""Status, metrics, readiness and reload on the admin address."""

import json
import re

from client import Client, request_bytes
from harness import command, proxy_to
from testing import check, contains, equal, test, wait_until
from upstream import answer


def bed(t, **options):
    upstream = t.upstream(answer(b"0123456789"))
    return t.gateway(proxy_to(upstream.port), **options), upstream


@test
def status_page(t):
    gateway, _ = bed(t)
    client = t.client(gateway)
    for _ in range(3):
        client.get("/x")
    status = gateway.status()
    equal(status["snapshot"]["routes"], 1, "routes")
    equal((status["upstream"]["connects"], status["upstream"]["reuses"]), (1, 2), "upstream connects and reuses")
    check(status["connections"]["active"] >= 1, f"connections: {status['connections']}")
    check(status["requests"]["total"] >= 3, f"requests: {status['requests']}")
    equal(status["pid"], gateway.pid, "pid")


@test
def status_word(t):
    gateway, _ = bed(t)
    admin = f"127.0.0.1:{gateway.ports['admin']}"
    finished = command("status", "--admin-listen", admin)
    equal(finished.returncode, 0, f"exit code; {finished.stderr}")
    for word in ("loop", "workers", "connections", "requests", "snapshot"):
        contains(finished.stdout, word, "output")
    contains(finished.stdout, t.loop, "the loop's kind")
    contains(finished.stdout, "requests          active 0", "this is no client's request")
    check(re.search(r"loaded_at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", finished.stdout), f"a time: {finished.stdout}")
    equal(json.loads(command("status", "--json", "--admin-listen", admin).stdout)["workers"], 1, "workers as JSON")


@test
def words_that_there_are_not(t):
    finished = command("chekc")
    equal(finished.returncode, 2, "exit code")
    contains(finished.stderr, "did you mean 'check'?", "a suggestion")
    contains(finished.stderr, "run, check, schema", "the words")


@test
def a_second_gateway_is_told_of_its_admin_address(t):
    gateway, upstream = bed(t)
    document = t.folder() / "second.yaml"
    document.write_text(proxy_to(upstream.port))
    finished = command("run", document, "--listen", "127.0.0.1:0", "--admin-listen", f"127.0.0.1:{gateway.ports['admin']}")
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "--admin-listen", "a hint")


@test
def metrics_are_well_formed(t):
    """Prometheus' text format: one TYPE a name, lines in its order, cumulative buckets up to the count."""
    gateway, _ = bed(t)
    client = t.client(gateway)
    for target in ("/x", "/y"):
        client.get(target)
    response = gateway.admin("/metrics")
    contains(response.header("Content-Type"), "text/plain", "Content-Type")
    types = {}
    samples = {}
    for line in response.body.decode().splitlines():
        found = re.fullmatch(r"# (TYPE|HELP) (\S+) (.+)", line)
        if found:
            if found[1] == "TYPE":
                check(found[2] not in types, f"{found[2]} has more than one TYPE line")
                types[found[2]] = found[3]
            continue
        found = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^{}]*\})? (\S+)', line)
        check(found, f"line: {line!r}")
        base = re.sub(r"_(bucket|sum|count)$", "", found[1])
        check(found[1] in types or types.get(base) == "histogram", f"{found[1]} has no TYPE before it")
        check((found[1], found[2]) not in samples, f"{line!r} came before")
        samples[found[1], found[2]] = float(found[3])
    for name, kind in types.items():
        if kind == "histogram":
            buckets = [value for (key, _), value in samples.items() if key == f"{name}_bucket"]
            equal(buckets, sorted(buckets), f"buckets of {name}")
            equal(buckets[-1], samples[f"{name}_count", None], f"last bucket of {name}")
        if kind == "counter":
            check(name.endswith("_total"), f"{name} is a counter without _total")
    check(samples[("cardea_requests_total", None)] >= 2, "requests are counted")


@test
def metrics_count_what_happens(t):
    upstream = t.upstream(answer(b"0123456789"))
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/x]"))
    client = t.client(gateway)
    client.get("/x")
    client.get("/none")
    bad = t.client(gateway)
    bad.send(b"nonsense\r\n\r\n")
    bad.response()
    equal(gateway.metric("cardea_no_route_total"), 1, "requests without a route")
    check(gateway.metric("cardea_parse_errors_total") >= 1, "malformed requests")
    equal(gateway.metric("cardea_upstream_connects_total"), 1, "connects")


@test
def readiness(t):
    gateway, _ = bed(t)
    for path in ("/ready", "/status/ready"):
        equal(gateway.admin(path).status, 200, path)


@test
def other_paths_and_methods(t):
    gateway, _ = bed(t)
    index = gateway.admin("/")
    equal(index.status, 200, "/")
    for path in ("/status", "/metrics", "/reload", "/proxy-cache"):
        contains(index.body.decode(), path, "the index")
    equal(gateway.admin("/services").status, 404, "/services")
    response = gateway.admin("/reload")
    equal((response.status, response.header("Allow")), (405, "POST"), "GET /reload")
    equal(gateway.admin("/status", "DELETE").status, 405, "DELETE /status")


@test
def head_of_a_page(t):
    gateway, _ = bed(t)
    client = Client(gateway.ports["admin"])
    response = client.request("HEAD", "/status")
    equal((response.status, response.body), (200, b""), "HEAD /status")
    equal(client.get("/status").status, 200, "the next request")
    client.end()


@test
def reload_page_says_what_is_wrong(t):
    gateway, _ = bed(t)
    equal(gateway.admin("/reload", "POST", body=b"").status, 200, "of a good document")
    gateway.write('_format_version: "3.0"\nservicez: []\n')
    response = gateway.admin("/reload", "POST", body=b"")
    equal(response.status, 422, "of a bad document")
    contains(response.body.decode(), "servicez", "body")
    equal(gateway.loads(), (1, 1), "reloads in the status")


@test
def pages_of_other_sites_change_nothing(t):
    """What a form on such a page sends (Fetch Metadata; browsers without it send Origin)."""
    gateway, _ = bed(t)
    own = f"127.0.0.1:{gateway.ports['admin']}"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
                    {"Origin": "https://evil.example"}, {"Origin": f"http://127.0.0.1:{gateway.ports['proxy']}"}):
        lines = [f"{name}: {value}" for name, value in headers.items()]
        for method, target in (("POST", "/reload"), ("DELETE", "/proxy-cache")):
            client = t.client(gateway.ports["admin"])
            client.send(request_bytes(method, target, [f"Host: {own}", "Content-Length: 0", *lines]))
            equal(client.response().status, 403, f"{method} {target} with {headers}")
    equal(gateway.loads()[0], 0, "reloads")
    for line in (f"Origin: http://{own}", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"):
        client = t.client(gateway.ports["admin"])
        client.send(request_bytes("POST", "/reload", [f"Host: {own}", "Content-Length: 0", line]))
        equal(client.response().status, 200, line)


@test
def admin_pages_are_not_on_the_proxy_port(t):
    gateway, upstream = bed(t)
    equal(t.client(gateway).get("/status").body, b"0123456789", "/status of the proxy port is the upstream's")
    equal(upstream.one_request().target, "/status", "target")


@test
def malformed_requests_to_the_admin_port(t):
    gateway, _ = bed(t)
    for data in (b"nonsense\r\n\r\n", b"GET /status HTTP/1.1\r\n\r\n",
                 request_bytes("POST", "/reload", ["Content-Length: 5", "Transfer-Encoding: chunked"])):
        client = t.client(gateway.ports["admin"])
        client.send(data)
        equal(client.response().status, 400, f"status of {data!r}")
    equal(gateway.admin("/status").status, 200, "status")


@test
def admin_serves_while_the_proxy_is_full(t):
    gateway, _ = bed(t, settings={"max_connections": "3"})
    held = [t.client(gateway) for _ in range(5)]
    wait_until(lambda: gateway.status()["connections"]["active"] >= 3, "the proxy is full")
    equal(gateway.admin("/ready").status, 200, "readiness")
    del held
