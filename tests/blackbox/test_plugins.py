"""Plugins over HTTP: the answers of a real Kong (kong-observed.md 10), and every example of docs/plugins."""

import json
import pathlib
import re

import testing
from authorities import Ca
from client import chunked, request_bytes
from harness import ROOT, command
from testing import check, contains, equal, test

ROUTES = {
    "cid": "{name: correlation-id, config: {header_name: X-Request-ID, generator: 'uuid#counter', echo_downstream: true}}",
    "cid-uuid": "{name: correlation-id, config: {}}",
    "cid-early": "{name: correlation-id, config: {echo_downstream: true, generator: uuid}}, "
                 "{name: ip-restriction, config: {deny: [127.0.0.1]}}",
    "term": "{name: request-termination, config: {status_code: 403, message: So long}}",
    "term-body": "{name: request-termination, config: {status_code: 418, body: '<a/>', content_type: application/xml}}",
    "term-echo": "{name: request-termination, config: {status_code: 200, echo: true, trigger: x-echo}}",
    "ip": "{name: ip-restriction, config: {deny: [127.0.0.0/8]}}",
    "ip-allow": "{name: ip-restriction, config: {allow: [127.0.0.2], status: 404, message: nothing here}}",
    "size": "{name: request-size-limiting, config: {allowed_payload_size: 10, size_unit: bytes}}",
    "size-req": "{name: request-size-limiting, config: {allowed_payload_size: 10, size_unit: bytes, "
                "require_content_length: true}}",
    "bots": "{name: bot-detection, config: {allow: ['^Nicebot'], deny: ['^curl/']}}",
    "moved": "{name: redirect, config: {location: 'https://b.example/x?y', status_code: 302}}",
    "moved-path": "{name: redirect, config: {location: 'https://b.example/x?y', keep_incoming_path: true}}",
}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def bed(t):
    def make(context):
        upstream = context.upstream()
        routes = "".join(f"  - {{name: {name}, paths: [/{name}], plugins: [{plugins}]}}\n"
                         for name, plugins in sorted(ROUTES.items(), reverse=True))
        document = f'_format_version: "3.0"\nservices:\n- name: s\n  url: {upstream.url}\n  routes:\n{routes}'
        return context.gateway(document, settings={"linger_timeout": "500ms"}), upstream
    gateway, upstream = t.shared("plugins", make)
    upstream.clear()
    return gateway, upstream


def error(message, request_id):
    return f'{{\n  "message":"{message}",\n  "request_id":"{request_id}"\n}}'


def check_refused(response, upstream, status, message):
    equal(response.status, status, "status")
    equal(response.header("Content-Type"), "application/json; charset=utf-8", "Content-Type")
    equal(response.body.decode(), error(message, response.header("X-Kong-Request-Id")), "body")
    equal(upstream.requests, [], "the upstream saw")


# ---- correlation-id

@test
def correlation_id_counts_and_is_echoed(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    ids = []
    for _ in range(2):
        response = client.get("/cid")
        ids.append(response.header("X-Request-ID"))
        equal(upstream.one_request().header("X-Request-ID"), ids[-1], "the upstream's id")
        upstream.clear()
    parts = [re.fullmatch(f"({UUID})#([0-9]+)", one) for one in ids]
    check(all(parts), f"uuid#counter: {ids}")
    equal((parts[1][1], int(parts[1][2])), (parts[0][1], int(parts[0][2]) + 1), "one uuid, counting")
    check(client.get("/cid-uuid").header("Kong-Request-ID") is None, "not echoed unless asked for")
    later = upstream.one_request().header("Kong-Request-ID")
    equal(later, f"{parts[0][1]}#{int(parts[1][2]) + 1}", "all uses of the plugin count together")


@test
def correlation_id_of_the_client_is_kept(t):
    gateway, upstream = bed(t)
    response = t.client(gateway).get("/cid", "X-Request-ID: mine")
    equal(response.header("X-Request-ID"), "mine", "echo")
    equal(upstream.one_request().all("X-Request-ID"), ["mine"], "at the upstream")
    upstream.clear()
    t.client(gateway).get("/cid", "X-Request-ID:")
    check(re.fullmatch(f"{UUID}#[0-9]+", upstream.one_request().header("X-Request-ID")), "an empty one is replaced")


@test
def correlation_id_stands_on_refusals(t):
    gateway, upstream = bed(t)
    response = t.client(gateway).get("/cid-early")
    equal(response.status, 403, "status")
    check(re.fullmatch(UUID, response.header("Kong-Request-ID")), "the id")


@test
def a_client_cannot_take_fields_of_plugins_away(t):
    """Connection: NAME ends the client's own field of that name, not the one that the gateway sets."""
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.get("/cid", "Connection: X-Request-ID, X-Mine", "X-Mine: 1", "X-Other: 2")
    request = upstream.one_request()
    check(re.fullmatch(f"{UUID}#[0-9]+", request.header("X-Request-ID") or ""), "the gateway's field is there")
    equal((request.header("X-Mine"), request.header("X-Other")), (None, "2"), "the client's")


# ---- request-termination

@test
def request_termination_message(t):
    gateway, upstream = bed(t)
    for accept in ([], ["Accept: text/html"]):
        response = t.client(gateway).get("/term", *accept)
        equal(response.status, 403, "status")
        equal(response.header("Content-Type"), "application/json; charset=utf-8", "Content-Type")
        equal(response.body, b'{"message":"So long"}', "body")
    equal(upstream.requests, [], "the upstream saw")


@test
def request_termination_body(t):
    gateway, _ = bed(t)
    response = t.client(gateway).get("/term-body")
    equal((response.status, response.header("Content-Type"), response.body), (418, "application/xml", b"<a/>"), "answer")


@test
def request_termination_echo(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    equal(client.get("/term-echo").status, 200, "without the trigger")
    equal(len(upstream.requests), 1, "requests at the upstream")
    client.send(request_bytes("POST", "/term-echo/%7Ea?x=1&x=2&y", ["X-Echo: 1", "Content-Type: application/json",
                                                                 "Transfer-Encoding: chunked"]) + chunked(b'{"a":', b" 1}"))
    response = client.response()
    equal(response.status, 200, "status")
    said = json.loads(response.body)
    request = said["request"]
    equal({key: request[key] for key in ("scheme", "host", "port", "method", "path", "query", "raw_body", "body")},
          {"scheme": "http", "host": "gw.example", "port": gateway.port, "method": "POST", "path": "/term-echo/%7Ea",
           "query": {"x": ["1", "2"], "y": True}, "raw_body": '{"a": 1}', "body": {"a": 1}}, "the request")
    equal(request["headers"]["x-echo"], "1", "its headers")
    equal((said["matched_route"]["name"], said["matched_service"]["name"]), ("term-echo", "s"), "the match")
    equal(said["kong"]["worker_pid"], gateway.pid, "the process")
    equal(client.get("/term").status, 403, "the connection goes on")
    equal(len(upstream.requests), 1, "requests at the upstream")


# ---- ip-restriction

@test
def ip_restriction_denies(t):
    gateway, upstream = bed(t)
    response = t.client(gateway).get("/ip", "X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1")
    check_refused(response, upstream, 403, "IP address not allowed: 127.0.0.1")
    equal(response.header("Content-Length"), "102", "Content-Length")


@test
def ip_restriction_allows(t):
    gateway, upstream = bed(t)
    check_refused(t.client(gateway, source="127.0.0.1").get("/ip-allow"), upstream, 404, "nothing here")
    equal(t.client(gateway, source="127.0.0.2").get("/ip-allow").status, 200, "from the allowed address")


# ---- request-size-limiting

TOO_LARGE = "Request size limit exceeded"


@test
def request_size_by_content_length(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    equal(client.request("POST", "/size", body=b"x" * 10).status, 200, "at the limit")
    upstream.clear()
    response = client.request("POST", "/size", body=b"x" * 11)
    check_refused(response, upstream, 413, TOO_LARGE)
    equal(response.header("Content-Length"), "96", "Content-Length")


@test
def request_size_with_an_expectation_is_417_and_without_100(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/size", ["Expect: 100-continue", "Content-Length: 20"]))
    check_refused(client.response(), upstream, 417, TOO_LARGE)


@test
def request_size_of_chunks_is_counted(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/size-req", ["Transfer-Encoding: chunked"]) + chunked(b"12345", b"67890"))
    equal(client.response().status, 200, "at the limit")
    equal(upstream.one_request().body, b"1234567890", "body at the upstream")
    upstream.clear()
    for pieces in ((b"12345678901",), (b"12345", b"67890", b"1")):
        for size in (1, 10_000):
            client = t.client(gateway)
            client.send_split(request_bytes("POST", "/size", ["Transfer-Encoding: chunked"]) + chunked(*pieces), size)
            response = client.response()
            equal(response.status, 413, "status")
            contains(response.body.decode(), TOO_LARGE, "body")
            equal(upstream.requests, [], "whole requests at the upstream")


@test
def request_size_may_require_a_length(t):
    gateway, upstream = bed(t)
    check_refused(t.client(gateway).get("/size-req"), upstream, 411, "A valid Content-Length header is required")
    equal(t.client(gateway).get("/size-req", "Content-Length: 0").status, 200, "with one")


# ---- bot-detection

@test
def bot_detection(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    for agent in ("curl/8.5.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"):
        check_refused(client.get("/bots", f"User-Agent: {agent}"), upstream, 403, "Forbidden")
    check_refused(client.get("/bots", "User-Agent: a", "User-Agent: b"), upstream, 400,
                  "Only one User-Agent header allowed")
    for lines in ([], ["User-Agent: Nicebot/1 Googlebot/2.1"], ["User-Agent: Mozilla/5.0 Firefox/121.0"]):
        equal(client.get("/bots", *lines).status, 200, f"with {lines}")


# ---- redirect

@test
def redirects(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    for target, status, location in (("/moved/a?b", 302, "https://b.example/x?y"),
                                     ("/moved-path/a?b=%20", 301, "https://b.example/moved-path/a?b=%20"),
                                     ("/moved-path", 301, "https://b.example/moved-path")):
        response = client.get(target)
        equal((response.status, response.header("Location"), response.body), (status, location, b"redirecting"), target)
    equal(upstream.requests, [], "the upstream saw")


# ---- the examples of docs/plugins

def example_of(page):
    """The YAML of a page's example: a list of plugins, with what else of a document it needs beside it."""
    found = re.search(r"## Example\n+(?:(?!```|\n## ).)*?```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    check(found, f"{page.name} has no example in YAML")
    return found[1]


def run_example(page):
    def run(t):
        upstream = t.upstream()
        document = ('_format_version: "3.0"\nservices:\n'
                    f'- {{name: s, url: "{upstream.url}", routes: [{{name: r, paths: ["~/pets/(?<id>[0-9]+)"]}}]}}\n' + example_of(page))
        if page.stem == "mtls-auth":  # whose authority is none that a page could show
            authority = {"id": "3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e", "cert": Ca(t.folder()).cert}
            document += f"ca_certificates: {json.dumps([authority])}\n"
        file = t.folder() / "kong.yaml"
        file.write_text(document)
        checked = command("check", file)
        equal(checked.returncode, 0, f"cardea check: {checked.stdout}{checked.stderr}\n{document}")
        gateway = t.gateway(document)
        response = t.client(gateway).get("/pets/42")
        # A plugin may refuse this request, but not fail on it.
        check(response.status < 500 or page.stem in ANSWERS_WITH_5XX, f"{page.stem}: {response.status} {response.body!r}")
        if response.status < 300:
            equal(response.header("Server"), "upstream", "who answered")
    return run


ANSWERS_WITH_5XX = {"request-termination"}
PAGES = sorted(pathlib.Path(ROOT, "docs", "plugins").glob("*.md"))
check(PAGES, "docs/plugins has pages")
for page in PAGES:
    testing.add(__name__, f"example of {page.stem}", run_example(page))
