"""proxy-cache on the wire: Kong's headers, one fetch for many who want it, stale answers while the upstream is asked or
fails, and that nothing stored reaches anybody else. RFC 9111 case by case is in tests/http-cache-tests."""

import json
import pathlib
import re
import signal
import threading
import time

from harness import free_port, proxy_to
from redis_servers import Redis
from testing import check, equal, test, wait_until
from upstream import answer

PLUGIN = "plugins: [{{name: proxy-cache, config: {{strategy: memory, content_type: [text/plain], {config}}}}}]"


class Origin:
    """Answers with the number of the request; `headers` and `status` can be changed; `gate` holds answers back."""

    def __init__(self, *headers):
        self.headers = headers
        self.status = "200 OK"
        self.gate = threading.Event()
        self.gate.set()
        self.count = 0
        self.lock = threading.Lock()
        self.seen = []
        self.is_broken = False

    def __call__(self, exchange):
        with self.lock:
            self.count += 1
            number = self.count
            self.seen.append(exchange.request)
        self.gate.wait(10)
        if self.is_broken:
            return exchange.close()
        if self.status.startswith("304"):
            exchange.send(f"HTTP/1.1 {self.status}\r\n{''.join(h + chr(13) + chr(10) for h in self.headers)}\r\n".encode())
            return None
        return exchange.send(answer(b"number %d" % number, self.status, "Content-Type: text/plain", *self.headers))


def bed(t, config="cache_ttl: 300", origin=None, workers=1, more="", settings=None):
    origin = origin or Origin()
    upstream = t.upstream(origin)
    document = proxy_to(upstream.port, "retries: 0, " + PLUGIN.format(config=config) + more)
    return t.gateway(document, workers=workers, settings=settings), upstream, origin


def told(response):
    return response.status, response.header("X-Cache-Status"), response.body.decode()


@test
def miss_then_hit_as_kong(t):
    gateway, _, origin = bed(t)
    client = t.client(gateway)
    first = client.get("/a")
    equal(told(first), (200, "Miss", "number 1"), "first")
    second = client.get("/a")
    equal(told(second), (200, "Hit", "number 1"), "second")
    equal(second.header("Content-Length"), "8", "Content-Length")
    equal(second.header("X-Cache-Key"), first.header("X-Cache-Key"), "key")
    check(second.header("Age") is not None and int(second.header("Age")) <= 1, "Age on a hit")
    check(second.header("X-Kong-Upstream-Latency") is not None and second.header("Via") is not None,
          "a hit looks like the upstream's answer")
    equal(first.header("Age"), None, "Age on a miss")
    equal(told(client.get("/a", "Connection: close")), (200, "Hit", "number 1"), "with close")
    equal(origin.count, 1, "fetches")


@test
def head_tells_the_length_that_get_has(t):
    gateway, _, origin = bed(t)
    client = t.client(gateway)
    for status in ("Miss", "Hit"):
        response = client.request("HEAD", "/a")
        equal((response.header("X-Cache-Status"), response.header("Content-Length"), response.body), (status, "8", b""), status)
    equal(origin.count, 1, "fetches")


@test
def head_is_answered_from_a_stored_get_by_rfc9111(t):
    gateway, _, origin = bed(t, "rfc9111: true", Origin("Cache-Control: max-age=60"))
    client = t.client(gateway)
    equal(told(client.get("/a")), (200, "Miss", "number 1"), "GET")
    response = client.request("HEAD", "/a")
    equal((response.header("X-Cache-Status"), response.header("Content-Length"), response.body), ("Hit", "8", b""), "HEAD")
    equal(told(client.get("/a", "Range: bytes=0-2")), (206, "Hit", "num"), "a part")
    equal(origin.count, 1, "fetches")


@test
def chunked_and_large_answers(t):
    def reply(exchange):
        if "chunked" in exchange.request.target:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        else:
            exchange.send(answer(bytes(range(256)) * 1200, "200 OK", "Content-Type: text/plain"))

    upstream = t.upstream(reply)
    config = "cache_ttl: 300, max_body_size: 310000"
    gateway = t.gateway(proxy_to(upstream.port, PLUGIN.format(config=config)))
    client = t.client(gateway)
    for target, body in (("/chunked", b"hello world"), ("/large", bytes(range(256)) * 1200)):
        first = client.get(target)
        equal((first.header("X-Cache-Status"), first.body == body), ("Miss", True), target)
        # What is streamed is stored when the last byte has left.
        wait_until(lambda: client.get(target).header("X-Cache-Status") == "Hit", "a hit")
        hit = client.get(target)
        equal((hit.header("Content-Length"), hit.body == body), (str(len(body)), True), target)
    gateway, upstream, origin = bed(t, "cache_ttl: 300, max_body_size: 4")
    client = t.client(gateway)
    for _ in range(2):
        equal(client.get("/a").header("X-Cache-Status"), "Miss", "larger than what is stored")


@test
def many_who_want_the_same_make_one_fetch(t):
    gateway, _, origin = bed(t)
    origin.gate.clear()
    clients = [t.client(gateway) for _ in range(30)]
    for client in clients:
        client.send("GET /a HTTP/1.1\r\nHost: gw.example\r\n\r\n")
    wait_until(lambda: gateway.status()["requests"]["active"] == len(clients), "all of them are there")
    origin.gate.set()
    answers = [told(client.response()) for client in clients]
    equal(sorted({status for _, status, _ in answers}), ["Hit", "Miss"], "statuses")
    equal({body for _, _, body in answers}, {"number 1"}, "bodies")
    equal(origin.count, 1, "fetches")


@test
def who_waits_is_served_though_the_first_one_leaves(t):
    gateway, _, origin = bed(t)
    origin.gate.clear()
    first, second = t.client(gateway), t.client(gateway)
    first.send("GET /a HTTP/1.1\r\nHost: gw.example\r\n\r\n")
    wait_until(lambda: origin.count == 1, "the first one asks")
    second.send("GET /a HTTP/1.1\r\nHost: gw.example\r\n\r\n")
    first.reset()
    wait_until(lambda: origin.count == 2, "the second one asks for itself")
    origin.gate.set()
    equal(told(second.response()), (200, "Miss", "number 2"), "the second one")


@test
def answers_that_cannot_be_stored_are_not_waited_for(t):
    gateway, _, origin = bed(t, "cache_control: true", Origin("Cache-Control: no-store"))
    equal(told(t.client(gateway).get("/a")), (200, "Bypass", "number 1"), "first")
    origin.gate.clear()
    clients = [t.client(gateway) for _ in range(5)]
    for client in clients:
        client.send("GET /a HTTP/1.1\r\nHost: gw.example\r\n\r\n")
    wait_until(lambda: origin.count == 6, "all of them ask at once")
    origin.gate.set()
    equal({told(client.response())[1] for client in clients}, {"Bypass"}, "statuses")


# What comes with an Age beyond its max-age is stale when it comes: no test waits for it to become so.
OLD = "Age: 90"


@test
def stale_answers_while_it_is_asked_anew(t):
    kind = ("Cache-Control: max-age=60, stale-while-revalidate=600", 'ETag: "a"')
    gateway, _, origin = bed(t, "cache_control: true", Origin(*kind, OLD))
    client = t.client(gateway)
    equal(told(client.get("/a")), (200, "Miss", "number 1"), "first")
    origin.gate.clear()
    for _ in range(5):  # on the connection whose request asks in the background, too
        equal(told(client.get("/a")), (200, "Stale", "number 1"), "while it is asked")
    wait_until(lambda: origin.count == 2, "asked in the background")
    equal(origin.seen[1].header("If-None-Match"), '"a"', "with what is stored")
    client.end()
    origin.headers = kind
    origin.gate.set()
    fresh = t.client(gateway)
    wait_until(lambda: told(fresh.get("/a"))[1:] == ("Hit", "number 2"), "fresh again")
    equal(origin.count, 2, "fetches")
    # A 304 in the background.
    origin.headers = (*kind, OLD)
    equal(told(fresh.get("/b")), (200, "Miss", "number 3"), "another one")
    origin.headers = kind
    origin.status = "304 Not Modified"
    equal(told(fresh.get("/b")), (200, "Stale", "number 3"), "stale")
    wait_until(lambda: told(fresh.get("/b"))[1:] == ("Hit", "number 3"), "confirmed")
    equal(origin.count, 4, "fetches")


@test
def a_background_fetch_that_fails_changes_nothing(t):
    kind = "Cache-Control: max-age=60, stale-while-revalidate=600"
    gateway, _, origin = bed(t, "cache_control: true", Origin(kind, OLD))
    client = t.client(gateway)
    client.get("/a")
    origin.is_broken = True
    equal(told(client.get("/a")), (200, "Stale", "number 1"), "stale")
    wait_until(lambda: "path=/a" in gateway.log(), "said in the log")
    before = origin.count
    wait_until(lambda: told(client.get("/a"))[1] == "Stale" and origin.count > before, "and again for a later request")
    origin.headers = (kind,)
    origin.is_broken = False
    wait_until(lambda: told(client.get("/a"))[1] == "Hit", "fresh again")


@test
def stale_answers_while_the_upstream_fails(t):
    origin = Origin("Cache-Control: max-age=60, stale-if-error=600", OLD)
    gateway, upstream, origin = bed(t, "cache_control: true", origin)
    client = t.client(gateway)
    client.get("/a")
    origin.status = "503 Service Unavailable"
    equal(told(client.get("/a")), (200, "Stale", "number 1"), "503")
    origin.is_broken = True
    equal(told(client.get("/a")), (200, "Stale", "number 1"), "closed")
    equal(client.get("/b").status, 502, "what is not stored")
    upstream.end()
    equal(told(client.get("/a")), (200, "Stale", "number 1"), "refused")


@test
def confirmed_answers_keep_the_upstreams_connection(t):
    gateway, upstream, origin = bed(t, "rfc9111: true", Origin("Cache-Control: max-age=0", 'ETag: "a"'))
    client = t.client(gateway)
    equal(told(client.get("/a")), (200, "Miss", "number 1"), "first")
    origin.status = "304 Not Modified"
    for _ in range(5):
        equal(told(client.get("/a")), (200, "Refresh", "number 1"), "confirmed")
    equal((origin.count, upstream.connections), (6, 1), "requests and connections")
    equal(told(client.get("/a", 'If-None-Match: "a"'))[0], 304, "the client's own condition")


@test
def cores_share_what_is_stored(t):
    gateway, _, origin = bed(t, workers=2)
    equal(told(t.client(gateway).get("/a"))[1], "Miss", "first")
    for _ in range(20):
        equal(told(t.client(gateway).get("/a")), (200, "Hit", "number 1"), "on whatever core")
    equal(origin.count, 1, "fetches")


@test
def reloads_keep_what_is_stored(t):
    gateway, _, origin = bed(t)
    equal(told(t.client(gateway).get("/a"))[1], "Miss", "first")
    equal(gateway.reload().returncode, 0, "reload")
    equal(told(t.client(gateway).get("/a")), (200, "Hit", "number 1"), "after the reload")


@test
def asking_in_the_background_outlives_reloads_and_ends_with_the_program(t):
    kind = "Cache-Control: max-age=60, stale-while-revalidate=600"
    gateway, _, origin = bed(t, "cache_control: true", Origin(kind, OLD))
    client = t.client(gateway)
    for target in ("/a", "/b"):
        client.get(target)
    origin.gate.clear()
    equal(told(client.get("/a", "Connection: close")), (200, "Stale", "number 1"), "stale")
    wait_until(lambda: origin.count == 3, "asked in the background")
    equal(gateway.reload().returncode, 0, "reload")
    origin.headers = (kind,)
    origin.gate.set()
    wait_until(lambda: told(t.client(gateway).get("/a"))[1:] == ("Hit", "number 3"), "stored after the reload")
    origin.gate.clear()
    equal(told(t.client(gateway).get("/b", "Connection: close"))[1], "Stale", "the other one")
    wait_until(lambda: origin.count == 4, "asked in the background again")
    gateway.is_expected_to_end = True
    gateway.signal(signal.SIGTERM)
    gateway.wait(8)
    origin.gate.set()


@test
def hits_pass_the_other_plugins(t):
    origin = Origin("Access-Control-Allow-Origin: https://theirs.example", "X-RateLimit-Remaining-Minute: 7")
    upstream = t.upstream(origin)
    gateway = t.gateway(f"""_format_version: "3.0"
consumers:
- {{username: alice, keyauth_credentials: [{{key: alice-key}}]}}
- {{username: bob, keyauth_credentials: [{{key: bob-key}}]}}
services:
- name: echo
  url: "http://127.0.0.1:{upstream.port}"
  routes: [{{name: all, paths: [/]}}]
  plugins:
  - {{name: key-auth, config: {{hide_credentials: true}}}}
  - {{name: rate-limiting, config: {{minute: 3, policy: local}}}}
  - {{name: cors, config: {{origins: ["*"], credentials: true}}}}
  - {{name: proxy-cache, config: {{strategy: memory, content_type: [text/plain]}}}}
""")
    client = t.client(gateway)
    for number, status in ((1, "Miss"), (2, "Hit"), (3, "Hit")):
        response = client.get("/a", "apikey: alice-key", f"Origin: https://{number}.example")
        equal(told(response), (200, status, "number 1"), "alice")
        equal(response.all("Access-Control-Allow-Origin"), [f"https://{number}.example"], "one origin, the client's")
        equal(response.all("Vary"), ["Origin"], "Vary once")
        equal(response.all("X-RateLimit-Remaining-Minute"), [str(3 - number)], "counted")
    equal(client.get("/a", "apikey: alice-key").status, 429, "hits count, too")
    equal(client.get("/a").status, 401, "nobody")
    equal(client.get("/a", "apikey: other").status, 401, "somebody")
    equal(told(client.get("/a", "apikey: bob-key")), (200, "Miss", "number 2"), "bob")


@test
def broken_framings_are_not_stored(t):
    def reply(exchange):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send({"/short": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\nhalf",
                       "/cut": head + b"5\r\nhello\r\n", "/bad": head + b"5\r\nhello\r\nzz\r\n",
                       "/two": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
                               b"Content-Length: 6\r\n\r\nhello!"}[exchange.request.target])
        exchange.close()

    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0, " + PLUGIN.format(config="cache_ttl: 300")))
    for target in ("/short", "/cut", "/bad", "/two"):
        for _ in range(2):
            client = t.client(gateway)
            client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            check(b"X-Cache-Status: Hit" not in client.everything(), target)
    equal(len(upstream.requests), 8, "fetches")


@test
def nobody_gets_what_another_was_given(t):
    gateway, _, origin = bed(t)
    client = t.client(gateway)
    for kind in ("Authorization: Bearer", "Cookie: session="):
        start = origin.count
        for number, who in ((1, [kind + " one"]), (2, [kind + " two"]), (3, [])):
            if who or start == 0:
                equal(told(client.get("/a", *who))[1:], ("Miss", f"number {start + number}"), f"{kind} {number}")
        for number, who in ((1, "one"), (2, "two")):
            equal(told(client.get("/a", f"{kind} {who}"))[1:], ("Hit", f"number {start + number}"), f"{kind} again")


# ---- purging


@test
def purging_by_key_prefix_tag_and_all(t):
    gateway, _, origin = bed(t, origin=Origin("Cache-Tag: pets, cats"))
    client = t.client(gateway)

    def statuses(*targets):
        return [client.get(target).header("X-Cache-Status") for target in targets]

    targets = ("/a/1", "/a/2", "/b")
    equal(statuses(*targets), ["Miss"] * 3, "first")
    key = client.get("/a/1").header("X-Cache-Key")
    equal(gateway.admin(f"/proxy-cache/{key}", "DELETE").status, 204, "by key")
    equal(gateway.admin(f"/proxy-cache/{key}", "DELETE").status, 404, "by key again")
    equal(statuses(*targets), ["Miss", "Hit", "Hit"], "after one key")
    equal(gateway.admin("/proxy-cache?prefix=gw.example/a/", "DELETE").body, b'{"removed":2}', "by prefix")
    equal(statuses(*targets), ["Miss", "Miss", "Hit"], "after a prefix")
    equal(gateway.admin("/proxy-cache?tag=dogs", "DELETE").body, b'{"removed":0}', "by a tag that nothing has")
    equal(gateway.admin("/proxy-cache?tag=cats", "DELETE").body, b'{"removed":3}', "by tag")
    equal(statuses(*targets), ["Miss"] * 3, "after a tag")
    equal(gateway.admin("/proxy-cache", "DELETE").status, 204, "all")
    equal(statuses(*targets), ["Miss"] * 3, "after all")
    equal(gateway.admin("/proxy-cache").status, 405, "GET")
    hit = client.get("/a/1")
    key = hit.header("X-Cache-Key")
    stored = json.loads(gateway.admin(f"/proxy-cache/{key}").body)
    equal((stored["status"], stored["body"], stored["body_len"]), (200, hit.body.decode(), len(hit.body)), "what is stored")
    equal((stored["ttl"], stored["headers"]["Content-Type"]), (300, "text/plain"), "its time and headers")
    equal(gateway.admin(f"/proxy-cache/anything/caches/{key}").status, 200, "by plugin and key")
    equal(gateway.admin("/proxy-cache/" + "0" * 64).status, 404, "a key that nothing has")
    check(gateway.metric("cardea_proxy_cache_entries") == 3, "entries in the metrics")


# ---- strategy redis


class Shared:
    """One real Redis, one upstream, and gateways that store in that Redis."""

    def __init__(self, t, config="cache_ttl: 300", origin=None, gateways=2, settings=(), user=""):
        self.redis = t.own(Redis(t.folder(), *settings))
        self.origin = origin or Origin()
        upstream = t.upstream(self.origin)
        plugin = ("plugins: [{name: proxy-cache, config: {strategy: redis, content_type: [text/plain], "
                  f"redis: {{host: 127.0.0.1, port: {self.redis.port}, timeout: 300{user}}}, {config}}}}}]")
        self.gateways = [t.gateway(proxy_to(upstream.port, "retries: 0, " + plugin)) for _ in range(gateways)]
        self.clients = [t.client(gateway) for gateway in self.gateways]


@test
def redis_shares_what_is_stored(t):
    bed_ = Shared(t)
    one, two = bed_.clients
    equal(told(one.get("/a?x=1")), (200, "Miss", "number 1"), "first")
    wait_until(lambda: told(two.get("/a?x=1")) == (200, "Hit", "number 1"), "on another node")
    response = two.request("HEAD", "/a?x=1")
    equal(response.header("X-Cache-Status"), "Miss", "HEAD has its own key")
    wait_until(lambda: one.request("HEAD", "/a?x=1").header("X-Cache-Status") == "Hit", "HEAD on the first node")
    equal(one.request("HEAD", "/a?x=1").header("Content-Length"), "8", "its length")


@test
def redis_with_vary(t):
    bed_ = Shared(t, origin=Origin("Vary: Accept-Language"))
    one, two = bed_.clients
    equal(told(one.get("/a", "Accept-Language: en"))[1:], ("Miss", "number 1"), "en")
    equal(told(one.get("/a", "Accept-Language: de"))[1:], ("Miss", "number 2"), "de")
    wait_until(lambda: told(two.get("/a", "Accept-Language: en"))[1:] == ("Hit", "number 1"), "en on another node")
    wait_until(lambda: told(two.get("/a", "Accept-Language: de"))[1:] == ("Hit", "number 2"), "de on another node")


@test
def redis_invalidates_and_purges_on_all_nodes(t):
    bed_ = Shared(t, "rfc9111: true", Origin("Cache-Control: max-age=300", "Cache-Tag: pets"))
    one, two = bed_.clients

    def fill():
        one.get("/a")
        wait_until(lambda: told(two.get("/a"))[1] == "Hit", "stored")

    fill()
    equal(one.request("POST", "/a", body=b"x").status, 200, "POST")
    wait_until(lambda: told(two.get("/a"))[1] == "Miss", "invalidated on another node")
    for target in ("/proxy-cache", "/proxy-cache?tag=pets", "/proxy-cache?prefix=gw.example/a"):
        fill()
        check(bed_.gateways[0].admin(target, "DELETE").status in (200, 204), target)
        equal(told(two.get("/a"))[1], "Miss", target)
    fill()
    key = two.get("/a").header("X-Cache-Key")
    equal(bed_.gateways[1].admin(f"/proxy-cache/{key}", "DELETE").status, 204, "by key")
    equal(told(one.get("/a"))[1], "Miss", "by key")


@test
def redis_with_a_user_that_may_do_no_more_than_docs_redis_says(t):
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "redis.md").read_text()
    rights = re.search(r"`(\+get [^`]*)`[^`]*`(~cardea:[^`]*)`", page)
    bed_ = Shared(t, "rfc9111: true", Origin("Cache-Control: max-age=300", "Cache-Tag: pets", "Vary: Accept"),
                  settings=[f"user cache on >secret {rights[2]} {rights[1]}"], user=", username: cache, password: secret")
    one, two = bed_.clients
    for target in ("/proxy-cache", "/proxy-cache?tag=pets", "/proxy-cache?prefix=gw.example/a"):
        one.get("/a")
        wait_until(lambda: told(two.get("/a"))[1] == "Hit", "stored")
        check(bed_.gateways[0].admin(target, "DELETE").status in (200, 204), target)
        equal(told(two.get("/a"))[1], "Miss", target)
    wait_until(lambda: told(two.get("/a"))[1] == "Hit", "stored")
    equal(one.request("POST", "/a", body=b"x").status, 200, "POST")
    wait_until(lambda: told(two.get("/a"))[1] == "Miss", "invalidated")
    refused = bed_.redis.ask("ACL", "LOG")
    equal([entry for entry in refused if b"ping" not in entry and b"role" not in entry], [], "what was refused")


@test
def tags_in_redis_do_not_outgrow_what_is_stored(t):
    bed_ = Shared(t, origin=Origin("Cache-Tag: pets"), gateways=1)
    client = bed_.clients[0]
    equal(bed_.redis.ask("ZADD", "cardea:cache-tag:pets", "1", "long gone"), 1, "one of 1970")
    client.get("/b")
    wait_until(lambda: told(client.get("/b"))[1] == "Hit", "stored")
    equal(bed_.redis.ask("ZCARD", "cardea:cache-tag:pets"), 1, "the one that is left")


@test
def redis_slow_dead_and_back(t):
    bed_ = Shared(t, gateways=1)
    client = bed_.clients[0]
    client.get("/a")
    wait_until(lambda: told(client.get("/a"))[1] == "Hit", "stored")
    bed_.redis.pause()
    for _ in range(3):
        before = time.monotonic()
        status, cached, _ = told(client.get("/a"))
        equal((status, cached), (200, "Miss"), "while Redis is paused")
        check(time.monotonic() - before < 2, "no longer than the timeout of Redis")
    bed_.redis.go_on()
    wait_until(lambda: told(client.get("/a"))[1] == "Hit", "back from the pause")
    bed_.redis.end()
    for _ in range(3):
        equal(told(client.get("/a"))[:2], (200, "Miss"), "while Redis is dead")
    check(bed_.gateways[0].metric("cardea_proxy_cache_redis_failures_total") >= 1, "failures in the metrics")
    bed_.redis.start()
    wait_until(lambda: told(client.get("/a"))[1] == "Hit", "back from the dead", 20)


@test
def redis_with_broken_answers_in_it(t):
    bed_ = Shared(t, gateways=1)
    client = bed_.clients[0]
    client.get("/a")
    wait_until(lambda: told(client.get("/a"))[1] == "Hit", "stored")
    names = bed_.redis.ask("KEYS", "cardea:cache:*")
    equal(len(names), 1, "names in Redis")
    for value in ("x", "0000000000000000", "0" * 300):
        equal(bed_.redis.ask("SET", names[0], value), b"OK", "SET")
        equal(told(client.get("/a"))[:2], (200, "Miss"), value[:20])
        wait_until(lambda: told(client.get("/a"))[1] == "Hit", "stored anew")
    equal(bed_.redis.ask("DEL", names[0]), 1, "DEL")
    equal(bed_.redis.ask("LPUSH", names[0], "x"), 1, "LPUSH")
    equal(told(client.get("/a"))[:2], (200, "Miss"), "a list in its place")


@test
def purging_needs_a_name_and_the_admin_address(t):
    port = free_port()
    gateway, _, _ = bed(t, settings={"status_listen": f"127.0.0.1:{port}"})
    client = t.client(gateway)
    client.get("/a")
    equal(told(client.get("/a"))[1], "Hit", "stored before")
    admin = int(re.search(r"listening on \S+:(\d+) \(admin\)", gateway.log())[1])

    def purge(target):
        return t.client(admin).request("DELETE", target).status
    for target in ("/proxy-cache?tag=", "/proxy-cache?prefix=", "/proxy-cache/x/caches/"):
        equal(purge(target), 400, target)
    equal(t.client(port).get("/status").status, 200, "the status address shows")
    for method, target in (("DELETE", "/proxy-cache"), ("POST", "/reload")):
        equal(t.client(port).request(method, target).status, 404, f"and does not change: {target}")
    equal(told(client.get("/a"))[1], "Hit", "still stored")
    equal(purge("/proxy-cache"), 204, "all")
    equal(told(client.get("/a"))[1], "Miss", "purged")
