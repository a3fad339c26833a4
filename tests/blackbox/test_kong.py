"""The cases of cases/: what Kong does, and where Cardea differs on purpose.

Not compared: Date, the reason phrase, the order of fields of different names, and numbers of milliseconds."""

import json
import re

import testing
from cases import failures, forwarding, refused
from cases.document import DOCUMENT
from client import request_bytes
from harness import product
from testing import check, equal, wait_until
from upstream import Upstream

ID = re.compile(r"^[0-9a-f]{32}$")
MADE_BY_US = {"X-Kong-Response-Latency": "~[0-9]+", "Server": "{product}", "Content-Length": "~[0-9]+"}
TRIED = {"X-Kong-Upstream-Latency": "~[0-9]+", "X-Kong-Proxy-Latency": "~[0-9]+", "Via": "1.1 {product}"}
USUAL = {
    "upstream": {**TRIED, "Server": "upstream", "Content-Type": "application/json", "Content-Length": "~[0-9]+"},
    "us": MADE_BY_US,
    "failed": {**TRIED, "Server": "{product}", "Content-Length": "~[0-9]+"},
}


def bed(t):
    """The gateway, the upstream, and the product's name."""
    def make(context):
        upstream = context.upstream()
        closed = Upstream()
        closed.end()
        document = DOCUMENT.format(upstream=upstream.url, closed=closed.port)
        return context.gateway(document, settings={"linger_timeout": "1s"}), upstream, product()
    gateway, upstream, name = t.shared("kong", make)
    upstream.clear()
    return gateway, upstream, name


def bytes_of(case):
    request = case["request"]
    if isinstance(request, bytes):
        return request, request.split(b" ")[0].decode("latin-1")
    head, _, body = request.partition("\n\n")
    line, *headers = head.split("\n")
    method, target, *version = line.split(" ")
    if version and not version[0].startswith("HTTP/"):  # a blank in the target
        target, version = target + " " + version[0], []
    data = request_bytes(method, target, headers, version=version[0] if version else "HTTP/1.1",
                         host=case.get("host", "gw.example"))
    return data + body.encode("latin-1"), method


def compare_fields(actual, expected, values, what, exact_case=False):
    """`expected`: name -> value, list of values, ~pattern, or None where there is none. Nothing else may be there."""
    fold = (lambda name: name) if exact_case else str.lower
    have = {}
    for name, value in actual:
        have.setdefault(fold(name), []).append(value)
    for name, wanted in expected.items():
        got = have.pop(fold(name), None)
        if wanted is None:
            check(got is None, f"{what}: {name} should not be there: {got}")
            continue
        check(got is not None, f"{what}: no {name} in {actual}")
        if isinstance(wanted, str) and wanted.startswith("~"):
            check(len(got) == 1 and re.fullmatch(wanted[1:], got[0]), f"{what}: {name} is {got}, expected {wanted}")
        else:
            wanted = [wanted] if isinstance(wanted, str) else wanted
            equal(got, [one.format(**values) if "{" in one else one for one in wanted], f"{what}: {name}")
    check(not have, f"{what}: not expected: {have}")


def check_answer(case, response, values):
    by = case.get("by", "upstream")
    equal(response.status, case.get("status", 200), f"status of {response}")
    values["id"] = response.header("X-Kong-Request-Id")
    check(values["id"] and ID.match(values["id"]), f"X-Kong-Request-Id: {values['id']}")
    if by != "any":
        wanted = {**USUAL[by], "X-Kong-Request-Id": "{id}", "Connection": None, **case.get("headers", {})}
        if case.get("closes") and by == "us":
            wanted["Connection"] = "close"
        if response.version == "HTTP/2.0":
            wanted |= {"Connection": None, "Transfer-Encoding": None, "Upgrade": None}
        compared = [(name, value) for name, value in response.headers if name.lower() != "date"]
        if case.get("any_type") or by == "us" and "Content-Type" not in case.get("headers", {}):
            compared = [(name, value) for name, value in compared if name.lower() != "content-type"]
        if case.get("closes", False) is None:
            compared = [(name, value) for name, value in compared if name.lower() != "connection"]
        compare_fields(compared, wanted, values, "answer")
        check(response.header("Date"), "no Date in the answer")
    if "text" in case:
        equal(response.body.decode("latin-1"), case["text"].format(**values), "body")


def check_forwarded(case, request, values, client, gateway):
    equal(request.method, case.get("method", "GET"), "method at the upstream")
    equal(request.target, case["target"], "target at the upstream")
    equal(request.version, "HTTP/1.1", "version at the upstream")
    equal(request.body.decode("latin-1"), case.get("body", ""), "body at the upstream")
    path = re.sub(r"^\w+://[^/]*", "", case["request"].split(" ")[1].split("\n")[0]).split("?")[0]
    wanted = {"Via": "1.1 {product}", "Host": f"127.0.0.1:{values['upstream_port']}", "Connection": "keep-alive",
              "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "gw.example",
              "X-Forwarded-Port": str(gateway.port), "X-Forwarded-Path": path, "X-Real-IP": "127.0.0.1",
              "X-Kong-Request-Id": "{id}"}
    found = re.match(r"/(plain|preserve|v1|getonly)", path)
    if found:
        wanted["X-Forwarded-Prefix"] = found[0]
    wanted |= case.get("got", {})
    is_http2 = hasattr(client, "connection")
    if is_http2:
        wanted["Via"] = wanted["Via"].replace("1.1 {product}", "2.0 {product}")
    compare_fields(request.headers, wanted, values, "upstream got", case.get("exact_case", False) and not is_http2)


def run_case(case):
    def run(t):
        gateway, upstream, name = bed(t)
        if "tries" in case:  # a kept connection that ends unseen is tried once more, outside the budget
            upstream.drop_connections()
            wait_until(lambda: not upstream.sockets, "kept connections are closed")
        client = t.client(gateway)
        data, method = bytes_of(case)
        client.send(data)
        response = client.response(method)
        values = {"product": name, "upstream_port": upstream.port}
        if case.get("any_refusal"):
            check(400 <= response.status < 600, f"refused: {response}")
        else:
            check_answer(case, response, values)
        if case.get("by", "upstream") == "upstream" and "target" in case:
            check_forwarded(case, upstream.one_request(), values, client, gateway)
        elif case.get("by") == "us":
            equal((upstream.requests, upstream.malformed), ([], []), "the upstream saw")
        if "tries" in case:
            wait_until(lambda: len(upstream.requests) >= case["tries"], f"{case['tries']} tries, not {len(upstream.requests)}")
            equal(len(upstream.requests), case["tries"], "tries")
        if case.get("closes"):
            check(client.is_closed(), "the connection should be closed")
        elif case.get("closes") is False or "closes" not in case and case.get("by", "upstream") in ("upstream", "us", "failed"):
            equal(client.get("/plain/again").status, 200, "the next request on the connection")
    return run


for group, cases in (("forwarding", forwarding.CASES), ("no route", refused.CASES), ("malformed", refused.MALFORMED),
                     ("failing upstream", failures.CASES)):
    for one in cases:
        testing.add(__name__, f"{group}: {one['name']}", run_case(one))


def run_path(raw, expected):
    def run(t):
        gateway, upstream, name = bed(t)
        client = t.client(gateway)
        client.send(f"GET {raw} HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        response = client.response()
        if isinstance(expected, int):
            equal(response.status, expected, "status")
            equal((upstream.requests, upstream.malformed), ([], []), "the upstream saw")
        else:
            equal(response.status, 200, "status")
            request = upstream.one_request()
            equal(request.target, expected, "target at the upstream")
            equal(request.header("X-Forwarded-Path"), raw.split("?")[0], "X-Forwarded-Path")
    return run


for raw, expected, *_ in forwarding.PATHS:
    testing.add(__name__, f"path: {raw}", run_path(raw, expected))


@testing.test
def two_pipelined_requests(t):
    gateway, upstream, _ = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/plain/1") + request_bytes("GET", "/plain/2"))
    for number in (1, 2):
        response = client.response()
        equal(response.status, 200, "status")
        equal(json.loads(response.body)["target"], f"/base/{number}", "order of the answers")


@testing.test
def upstream_closes_in_the_middle_of_the_body(t):
    gateway, _, name = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/plain/x?partial=1"))
    head = client.response_head()
    equal(head.status, 200, "status")
    equal(head.header("Content-Length"), "100", "Content-Length")
    equal(head.header("Server"), name, "Server, where the upstream says none")
    equal(client.everything(), b'{"half":', "what there is of the body, and then the end")


def differences():
    """Rows for docs/kong-differences.md: what, Kong, Cardea and why."""
    rows = [case["differs"] for cases in (forwarding.CASES, refused.CASES, refused.MALFORMED, failures.CASES)
            for case in cases if "differs" in case]
    rows += [path[2] for path in forwarding.PATHS if len(path) > 2]
    return sorted(set(rows))


if __name__ == "__main__":
    print("| where | Kong 3.9.1 | Cardea, and why |\n| --- | --- | --- |")
    for row in differences():
        print(f"| {' | '.join(row)} |")
