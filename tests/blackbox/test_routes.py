"""Which route a request takes: one document for all cases; the access log names the route that matched."""

import json
import re

import testing
from client import request_bytes
from testing import check, equal, test, wait_until

ROUTES = r"""
  - {name: prefix, paths: [/shop]}
  - {name: longer, paths: [/shop/cart]}
  - {name: regex, paths: ['~/shop/item/(?<id>\d+)$']}
  - {name: regex-first, paths: ['~/shop/item/(?<id>[0-9]+)$'], regex_priority: 10, methods: [DELETE]}
  - {name: posted, paths: [/shop/cart], methods: [POST]}
  - {name: host, hosts: [api.example], paths: [/shop]}
  - {name: host-only, hosts: [only.example]}
  - {name: wild, hosts: ["*.wild.example"]}
  - {name: wild-end, hosts: ["end.*"]}
  - {name: port, hosts: ["port.example:8443"], paths: [/p]}
  - {name: header, headers: {x-tier: [gold, silver]}}
  - {name: header-regex, headers: {x-agent: ["~*^bot/[0-9]+$"]}}
  - {name: two-headers, headers: {x-tier: [gold], x-region: [eu]}}
  - {name: methods-only, methods: [PATCH]}
  - {name: encoded, paths: [/café]}
  - {name: several, paths: [/one, /two/deep]}
"""

CASES = [
    # request target, header lines, method, source -> route
    ("/shop", (), "prefix"), ("/shop/cart", (), "longer"), ("/shop/cart/1", (), "longer"), ("/shopping", (), "prefix"),
    ("/shop/item/42", (), "regex"), ("/shop/item/42/x", (), "prefix"), ("/shop/item/x", (), "prefix"),
    ("DELETE /shop/item/42", (), "regex-first"), ("POST /shop/cart", (), "posted"), ("PUT /shop/cart", (), "longer"),
    ("/shop", ("Host: api.example",), "host"), ("/shop", ("Host: API.EXAMPLE",), "host"),
    ("/shop/cart", ("Host: api.example",), "host"), ("/any", ("Host: only.example",), "host-only"),
    ("/any", ("Host: a.wild.example",), "wild"), ("/any", ("Host: a.b.wild.example",), "wild"),
    ("/any", ("Host: end.anything",), "wild-end"),
    ("/any", ("Host: wild.example",), None), ("/p", ("Host: port.example:8443",), "port"),
    ("/any", ("X-Tier: gold",), "header"), ("/any", ("X-Tier: silver",), "header"), ("/any", ("X-Tier: bronze",), None),
    ("/any", ("X-Agent: Bot/12",), "header-regex"), ("/any", ("X-Agent: robot",), None),
    ("/any", ("X-Tier: gold", "X-Region: eu"), "two-headers"),
    ("/any", (), None), ("PATCH /any", (), "methods-only"), ("/caf%C3%A9/x", (), "encoded"), ("/caf%c3%a9", (), "encoded"),
    ("/one", (), "several"), ("/two/deep/x", (), "several"), ("/two", (), None),
]


def bed(t):
    def make(context):
        upstream = context.upstream()
        document = f'_format_version: "3.0"\nservices:\n- name: app\n  url: {upstream.url}\n  routes:{ROUTES}'
        return context.gateway(document, settings={"access_log_format": "$request_id $route"}), upstream
    return t.shared("routes", make)


def route_of(gateway, client, target, headers):
    method, _, path = target.rpartition(" ")
    client.send(request_bytes(method or "GET", path, headers))
    response = client.response()
    if response.status == 404:
        return None
    equal(response.status, 200, "status")
    number = response.header("X-Kong-Request-Id")
    log = gateway.folder / "access.log"
    wait_until(lambda: number in log.read_text(), "the request is in the log")
    return re.search(rf"^{number} (\S+)$", log.read_text(), re.MULTILINE)[1]


def run_case(target, headers, route):
    def run(t):
        gateway, _ = bed(t)
        equal(route_of(gateway, t.client(gateway), target, headers), route, "route")
    return run


for target, headers, route in CASES:
    testing.add(__name__, f"{target} {' '.join(headers)}".strip(), run_case(target, headers, route))


@test
def debug_header(t):
    """Kong-Debug: 1 is answered where allow_debug_header is on, and nowhere else."""
    upstream = t.upstream()
    document = f'_format_version: "3.0"\nservices:\n- name: app\n  url: {upstream.url}\n  routes:{ROUTES}'
    response = t.client(t.gateway(document)).get("/shop", "Kong-Debug: 1")
    equal([name for name, _ in response.headers if name.lower().startswith(("kong-route", "kong-service"))], [], "when off")
    response = t.client(t.gateway(document, settings={"allow_debug_header": "on"})).get("/shop", "Kong-Debug: 1")
    equal((response.header("Kong-Route-Name"), response.header("Kong-Service-Name")), ("prefix", "app"), "when on")


@test
def captures_and_strip_path(t):
    gateway, upstream = bed(t)
    got = json.loads(t.client(gateway).get("/two/deep/x/y?q=1").body)
    equal(got["target"], "/x/y?q=1", "target at the upstream")
    fields = dict(got["headers"])
    equal((fields["X-Forwarded-Path"], fields["X-Forwarded-Prefix"]), ("/two/deep/x/y", "/two/deep"), "forwarding fields")
    check(upstream.malformed == [], f"malformed: {upstream.malformed}")
