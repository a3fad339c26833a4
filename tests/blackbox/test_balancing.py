"""Balancing over targets, retries, and what is kept and reused between gateway and upstream."""

import collections
import threading

from client import request_bytes
from harness import proxy_to
from testing import check, equal, test, wait_until
from upstream import CLOSE, Upstream, answer


def document(targets, upstream="", service="retries: 2, connect_timeout: 500", route="paths: [/]"):
    """`targets`: (port, weight)."""
    listed = ", ".join(f'{{target: "127.0.0.1:{port}", weight: {weight}}}' for port, weight in targets)
    more = f", {upstream}" if upstream else ""
    return f"""
_format_version: "3.0"
services:
- {{name: app, host: app-upstream, {service}, routes: [{{name: all, {route}}}]}}
upstreams:
- {{name: app-upstream{more}, targets: [{listed}]}}
"""


def named(t, count):
    """Upstreams that answer with their number."""
    return [t.upstream(answer(str(number).encode())) for number in range(count)]


def closed_port():
    upstream = Upstream()
    upstream.end()
    return upstream.port


def picked(client, count, *headers, target="/x"):
    return collections.Counter(client.get(target, *headers).body.decode() for _ in range(count))


@test
def round_robin_weights_are_exact_over_a_cycle(t):
    ups = named(t, 3)
    gateway = t.gateway(document([(ups[0].port, 1), (ups[1].port, 2), (ups[2].port, 5)]))
    client = t.client(gateway)
    for cycle in range(3):
        equal(picked(client, 8), {"0": 1, "1": 2, "2": 5}, f"cycle {cycle}")


@test
def round_robin_is_smooth(t):
    """No target waits for the end of the cycle: the heavy one never comes more than twice in a row at 2:1:1."""
    ups = named(t, 3)
    gateway = t.gateway(document([(ups[0].port, 100), (ups[1].port, 50), (ups[2].port, 50)]))
    client = t.client(gateway)
    order = "".join(client.get("/x").body.decode() for _ in range(16))
    equal(collections.Counter(order), {"0": 8, "1": 4, "2": 4}, "shares")
    check("000" not in order, f"order: {order}")


@test
def weight_0_gets_nothing(t):
    ups = named(t, 2)
    gateway = t.gateway(document([(ups[0].port, 0), (ups[1].port, 10)]))
    equal(picked(t.client(gateway), 10), {"1": 10}, "picked")


@test
def least_connections(t):
    """The one with a request in hand gets no second one while the other is free."""
    go_on = threading.Event()

    def slow(exchange):
        if exchange.request.target == "/slow":
            go_on.wait(10)
        exchange.send(answer(str(exchange.upstream.number).encode()))
    ups = [t.upstream(slow) for _ in range(2)]
    for number, upstream in enumerate(ups):
        upstream.number = number
    gateway = t.gateway(document([(one.port, 100) for one in ups], "algorithm: least-connections"))
    busy = t.client(gateway)
    busy.send(request_bytes("GET", "/slow"))
    wait_until(lambda: ups[0].requests or ups[1].requests, "the slow request is in hand")
    taken = "0" if ups[0].requests else "1"
    other = "1" if taken == "0" else "0"
    equal(picked(t.client(gateway), 10), {other: 10}, "picked while the other is busy")
    go_on.set()
    equal(busy.response().body.decode(), taken, "the slow answer")


def stays(t, upstream_options, keys, route="paths: [/]"):
    """`keys`: (headers, target) of different clients. Each keeps its target, and they are spread."""
    ups = named(t, 4)
    gateway = t.gateway(document([(one.port, 100) for one in ups], "algorithm: consistent-hashing, " + upstream_options,
                                 route=route))
    client = t.client(gateway)
    spread = set()
    for headers, target in keys:
        chosen = picked(client, 4, *headers, target=target)
        equal(len(chosen), 1, f"targets of {headers} {target}: {chosen}")
        spread |= set(chosen)
    check(len(spread) > 1, f"all went to {spread}")


@test
def hashing_by_header(t):
    stays(t, "hash_on: header, hash_on_header: X-User", [([f"X-User: u{i}"], "/x") for i in range(20)])


@test
def hashing_by_header_falls_back_to_another(t):
    stays(t, "hash_on: header, hash_on_header: X-User, hash_fallback: header, hash_fallback_header: X-Device",
          [([f"X-Device: d{i}"], "/x") for i in range(20)])


@test
def hashing_by_path(t):
    stays(t, "hash_on: path", [([], f"/p{i}") for i in range(20)])


@test
def hashing_by_query_argument(t):
    stays(t, "hash_on: query_arg, hash_on_query_arg: user", [([], f"/x?n=1&user=u{i}") for i in range(20)])


@test
def hashing_by_capture(t):
    stays(t, "hash_on: uri_capture, hash_on_uri_capture: user", [([], f"/u/{name}/x") for name in "abcdefghijklmnop"],
          "paths: ['~/u/(?<user>[a-z]+)/'], strip_path: false")


@test
def hashing_by_cookie(t):
    ups = named(t, 4)
    gateway = t.gateway(document([(one.port, 100) for one in ups],
                                 "algorithm: consistent-hashing, hash_on: cookie, hash_on_cookie: pin, hash_on_cookie_path: /"))
    client = t.client(gateway)
    seen = set()
    for _ in range(12):
        first = client.get("/x")
        cookie = first.header("Set-Cookie")
        check(cookie and cookie.startswith("pin="), f"a cookie is issued: {first}")
        pair = cookie.split(";")[0]
        for _ in range(3):
            again = client.get("/x", f"Cookie: other=1; {pair}")
            equal((again.body, again.header("Set-Cookie")), (first.body, None), "with the cookie")
        seen.add(first.body)
    check(len(seen) > 1, f"all went to {seen}")


@test
def hashing_by_address(t):
    ups = named(t, 4)
    gateway = t.gateway(document([(one.port, 100) for one in ups], "algorithm: consistent-hashing, hash_on: ip"))
    seen = set()
    for last in range(2, 14):
        client = t.client(gateway, source=f"127.0.0.{last}")
        chosen = picked(client, 3)
        equal(len(chosen), 1, f"targets of 127.0.0.{last}: {chosen}")
        seen |= set(chosen)
    check(len(seen) > 1, f"all went to {seen}")


@test
def hashing_moves_little_when_a_target_goes(t):
    ups = named(t, 4)
    options = "algorithm: consistent-hashing, hash_on: header, hash_on_header: X-User"
    gateway = t.gateway(document([(one.port, 100) for one in ups], options))
    client = t.client(gateway)
    users = [f"u{i}" for i in range(100)]
    before = {user: client.get("/x", f"X-User: {user}").body for user in users}
    gateway.write(document([(one.port, 100) for one in ups[:3]], options))
    equal(gateway.reload().returncode, 0, "exit code of the reload")
    after = {user: client.get("/x", f"X-User: {user}").body for user in users}
    moved = [user for user in users if before[user] != after[user]]
    equal([user for user in moved if before[user] != b"3"], [], "users that moved although their target stayed")
    check(10 <= len(moved) <= 45, f"{len(moved)} of 100 moved")


@test
def latency_and_two_choices_serve(t):
    for algorithm in ("latency", "least-connections", "round-robin"):
        ups = named(t, 3)
        gateway = t.gateway(document([(one.port, 100) for one in ups], f"algorithm: {algorithm}"))
        chosen = picked(t.client(gateway), 30)
        equal(sum(chosen.values()), 30, algorithm)
        check("" not in chosen, f"{algorithm}: {chosen}")


@test
def retries_go_to_another_target(t):
    ups = named(t, 1)
    gateway = t.gateway(document([(closed_port(), 100), (ups[0].port, 100)]))
    client = t.client(gateway)
    equal(picked(client, 10), {"0": 10}, "with one target down")
    check(gateway.status()["upstream"]["retries"] >= 1, "retries are counted")
    equal([client.request("POST", "/x", body=b"abc").status for _ in range(6)], [200] * 6, "POST: nothing was sent, so it is safe")


@test
def retries_are_limited(t):
    gateway = t.gateway(document([(closed_port(), 100) for _ in range(3)], service="retries: 1, connect_timeout: 500"))
    equal(t.client(gateway).get("/x").status, 502, "status")
    equal(gateway.status()["upstream"]["connects"], 2, "connects: one and one retry")


@test
def get_is_tried_again_after_a_reset_and_post_is_not(t):
    tries = collections.Counter()

    def flaky(exchange):
        tries[exchange.request.method] += 1
        if tries[exchange.request.method] == 1:
            exchange.reset()
        else:
            exchange.send(answer(b"second"))
    upstream = t.upstream(flaky)
    gateway = t.gateway(proxy_to(upstream.port, "retries: 3"))
    client = t.client(gateway)
    equal(client.get("/x").body, b"second", "GET")
    equal(client.request("POST", "/x", body=b"abc").status, 502, "POST")
    equal(client.request("PUT", "/x", body=b"abc").body, b"second", "PUT with its body again")
    equal(client.request("PATCH", "/x", body=b"abc").status, 502, "PATCH")
    equal(client.request("FOO", "/x").status, 502, "a method that nobody knows (RFC 9110 9.2.2)")
    equal(dict(tries), {"GET": 2, "POST": 1, "PUT": 2, "PATCH": 1, "FOO": 1}, "tries at the upstream")
    equal([request.body for request in upstream.requests if request.method == "PUT"], [b"abc", b"abc"], "bodies of PUT")


@test
def upstream_status_is_no_reason_to_retry(t):
    upstream = t.upstream(answer(b"oops", "503 Service Unavailable"))
    gateway = t.gateway(proxy_to(upstream.port, "retries: 5"))
    response = t.client(gateway).get("/x")
    equal((response.status, response.body, len(upstream.requests)), (503, b"oops", 1), "answer and tries")


@test
def keep_alive_connections_are_reused(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port))
    for _ in range(5):
        client = t.client(gateway)
        for _ in range(10):
            equal(client.get("/x").status, 200, "status")
        client.end()
    equal(upstream.connections, 1, "connections to the upstream")
    equal(gateway.status()["upstream"]["reuses"], 49, "reuses in the status")


@test
def connection_close_of_the_upstream_is_honoured(t):
    upstream = t.upstream([answer(b"x", "200 OK", "Connection: close"), CLOSE])
    gateway = t.gateway(proxy_to(upstream.port))
    client = t.client(gateway)
    for _ in range(5):
        equal(client.get("/x").status, 200, "status")
    equal(upstream.connections, 5, "connections to the upstream")


@test
def keep_alive_settings(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), settings={"upstream_keepalive_max_requests": "4"})
    client = t.client(gateway)
    for _ in range(12):
        equal(client.get("/x").status, 200, "status")
    equal(upstream.connections, 3, "connections with 4 requests each")
    none = t.gateway(proxy_to(upstream.port), settings={"upstream_keepalive_pool_size": "0"})
    client = t.client(none)
    for _ in range(3):
        equal(client.get("/x").status, 200, "status")
    equal(upstream.connections, 6, "connections without a pool")


@test
def idle_upstream_connections_are_closed_in_time(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), settings={"upstream_keepalive_idle_timeout": "300ms"})
    equal(t.client(gateway).get("/x").status, 200, "status")
    wait_until(lambda: not upstream.sockets, "the idle connection is closed")


@test
def connections_closed_by_the_upstream_are_noticed(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0"))
    client = t.client(gateway)
    for number in range(10):
        equal(client.get("/x").status, 200, f"GET {number}")
        upstream.drop_connections()
        equal(client.request("POST", "/x", body=b"a").status, 200, f"POST {number}: only on a connection known to be good")
        upstream.drop_connections()


@test
def a_stale_connection_is_tried_once_more_on_a_fresh_one(t):
    """The upstream closes at the very moment the second request comes in: outside the retry budget, and not for POST."""
    def reply(exchange):
        if exchange.number == 1:
            exchange.reset()
        else:
            exchange.send(answer(b"ok"))
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0"))
    client = t.client(gateway)
    equal([client.get("/x").status for _ in range(4)], [200] * 4, "GET")
    upstream.clear()
    upstream.drop_connections()
    wait_until(lambda: not upstream.sockets, "all closed")
    statuses = [client.request("POST", "/x", body=b"a").status for _ in range(2)]
    equal(statuses, [200, 502], "POST: the second one met the stale connection, and is not repeated")
    equal(len(upstream.requests), 2, "POSTs at the upstream")


@test
def two_workers_share_the_load(t):
    ups = named(t, 2)
    gateway = t.gateway(document([(one.port, 100) for one in ups]), workers=2)
    chosen = collections.Counter()
    for _ in range(20):
        client = t.client(gateway)
        chosen += picked(client, 4)
        client.end()
    equal(sum(chosen.values()), 80, "answers")
    check(min(chosen["0"], chosen["1"]) >= 30, f"shares: {chosen}")


@test
def host_header_of_the_upstream(t):
    upstream = t.upstream()
    gateway = t.gateway(document([(upstream.port, 100)], 'host_header: "inner.example:81"'))
    equal(t.client(gateway).get("/x").status, 200, "status")
    equal(upstream.one_request().header("Host"), "inner.example:81", "Host at the upstream")
