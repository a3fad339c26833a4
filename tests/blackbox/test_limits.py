"""Limits: sizes, counts and times of requests, connections, file descriptors; and slow clients."""

import re
import resource
import subprocess
import time

from client import Client, chunked, request_bytes
from harness import is_sanitized, proxy_to
from messages import Closed, Late
from testing import Skip, check, contains, equal, need, test, wait_until
from upstream import answer


def bed(t, settings, reply=None, **options):
    upstream = t.upstream(reply)
    return t.gateway(proxy_to(upstream.port, "retries: 0"), settings={"linger_timeout": "500ms", **settings}, **options), upstream


def drip(client, seconds=8):
    """Sends a byte now and then until the gateway answers or closes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not client.reader.buffer:
        try:
            client.send(b"x")
            if not client.reader.fill(seconds=0.05):
                return
        except Late:
            continue
        except (OSError, Closed):
            return


def check_refused(t, gateway, upstream, data, status, message):
    client = t.client(gateway)
    client.send_split(data, len(data))
    response = client.response()
    equal(response.status, status, "status")
    contains(response.body.decode(), message, "body")
    equal(response.header("Connection"), "close", "Connection")
    check(client.is_closed(), "the connection should be closed")
    equal(upstream.requests, [], "the upstream saw")
    equal(t.client(gateway).get("/next").status, 200, "another request")
    upstream.clear()


@test
def request_line_header_line_bytes_and_count(t):
    gateway, upstream = bed(t, {"limit_request_line": "1k", "limit_header_line": "512", "limit_header_bytes": "2k",
                                "limit_header_count": "20"})
    too_large = "Request header or cookie too large"
    check_refused(t, gateway, upstream, request_bytes("GET", "/" + "x" * 1100), 414, "URI too long")
    check_refused(t, gateway, upstream, request_bytes("GET", "/", ["X-A: " + "x" * 600]), 431, too_large)
    check_refused(t, gateway, upstream, request_bytes("GET", "/", [f"X-{i}: {'x' * 400}" for i in range(8)]), 431, too_large)
    check_refused(t, gateway, upstream, request_bytes("GET", "/", [f"X-{i}: 1" for i in range(25)]), 431, too_large)
    equal(t.client(gateway).get("/" + "x" * 900, "X-A: " + "x" * 450).status, 200, "below all of them")


@test
def header_too_large_status_400_as_kong(t):
    gateway, upstream = bed(t, {"limit_header_line": "512", "header_too_large_status": "400"})
    check_refused(t, gateway, upstream, request_bytes("GET", "/", ["X-A: " + "x" * 600]), 400, "Request header or cookie too large")


@test
def trailer_and_chunk_extension_limits(t):
    gateway, upstream = bed(t, {})
    for data in (b"0\r\n" + b"X-T: y\r\n" * 5000 + b"\r\n", b"0\r\nX-T: " + b"y" * 200_000 + b"\r\n\r\n",
                 b"1;" + b"e" * 100_000 + b"\r\nx\r\n0\r\n\r\n", b"1;a\r\nx\r\n" * 50_000 + b"0\r\n\r\n"):
        client = t.client(gateway)
        client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]))
        client.send_split(data, 16384)
        try:
            status = client.response().status
            check(status in (400, 413, 431) or status == 200 and data.startswith(b"1;a"), f"status {status}")
        except Closed:
            pass
    equal(upstream.malformed, [], "malformed at the upstream")
    equal(t.client(gateway).get("/next").status, 200, "another request")


@test
def slow_head_gets_408(t):
    gateway, upstream = bed(t, {"header_timeout": "300ms"})
    client = t.client(gateway)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    response = client.response()
    equal(response.status, 408, "status")
    contains(response.body.decode(), "Request timeout", "body")
    check(client.is_closed(), "the connection should be closed")
    equal(upstream.requests, [], "the upstream saw")


@test
def slow_head_is_cut_although_bytes_keep_coming(t):
    """Slowloris: the time counts from the first byte, not from the last."""
    gateway, _ = bed(t, {"header_timeout": "500ms"})
    client = t.client(gateway)
    start = time.monotonic()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    drip(client)
    check(time.monotonic() - start < 5, "still open after 5 s")


@test
def connection_without_a_request_is_closed_in_silence(t):
    gateway, _ = bed(t, {"header_timeout": "300ms", "idle_timeout": "300ms"})
    client = t.client(gateway)
    equal(client.everything(), b"", "what comes on a connection that says nothing")
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    equal(client.everything(), b"", "what comes on an idle connection")


@test
def slow_body_gets_408(t):
    gateway, upstream = bed(t, {"body_timeout": "300ms"})
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 100"]) + b"some")
    equal(client.response().status, 408, "status")
    check(client.is_closed(), "the connection should be closed")
    equal(upstream.requests, [], "whole requests at the upstream")


@test
def body_below_the_minimum_rate_gets_408(t):
    gateway, _ = bed(t, {"body_min_rate": "1000", "body_min_rate_after": "500ms", "body_timeout": "5s"})
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 100000"]))
    start = time.monotonic()
    drip(client)
    check(time.monotonic() - start < 8, "still reading after 8 s")
    contains(bytes(client.reader.buffer)[:20], b"408", "answer")


@test
def client_that_takes_nothing_is_closed(t):
    """send_timeout frees what a stuck client holds, and back-pressure keeps the answer out of memory."""
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        for _ in range(5000):
            exchange.send(b"x" * 100_000)
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port), settings={"send_timeout": "500ms"})
    before = gateway.memory()
    client = t.client(gateway, receive_buffer=4096)
    client.send(request_bytes("GET", "/big"))
    wait_until(lambda: gateway.status()["requests"]["active"] >= 1 and upstream.requests, "the request is being served")
    wait_until(lambda: upstream.resets >= 1, "the upstream's connection is closed")
    gateway.check_growth(before, 16 << 20)


@test
def max_connections(t):
    gateway, _ = bed(t, {"max_connections": "5"})
    held = [t.client(gateway) for _ in range(4)]
    for client in held:
        equal(client.get("/x").status, 200, "within the limit")
    more = [t.client(gateway) for _ in range(6)]
    statuses = []
    for client in more:
        try:
            client.send_split(request_bytes("GET", "/x"), 1000)
            response = client.response()
            statuses.append(response.status)
            if response.status == 503:
                equal(response.header("Connection"), "close", "Connection of the refusal")
        except Closed as closed:
            check(closed.was_reset, f"closed without an answer: {closed}")
            statuses.append("reset")
    check(statuses.count(200) == 1, f"one more is served, the others get 503: {statuses}")
    check(503 in statuses, f"refusals are said: {statuses}")
    for client in held + more:
        client.end()
    wait_until(lambda: _status_of_one(gateway) == 200, "served again when there is room")


def _status_of_one(gateway):
    client = Client(gateway.port)
    try:
        return client.get("/x").status
    except (Closed, OSError):
        return None
    finally:
        client.end()


@test
def max_connections_per_client(t):
    gateway, _ = bed(t, {"max_connections_per_client": "2"})
    first = [t.client(gateway, source="127.0.0.1") for _ in range(2)]
    for client in first:
        equal(client.get("/x").status, 200, "within the limit")
    third = t.client(gateway, source="127.0.0.1")
    third.send_split(request_bytes("GET", "/x"), 1000)
    try:
        equal(third.response().status, 503, "past the limit")
    except Closed as closed:
        check(closed.was_reset, f"closed without an answer: {closed}")
    equal(t.client(gateway, source="127.0.0.2").get("/x").status, 200, "another client")


@test(seconds=60)
def out_of_file_descriptors(t):
    """Connections beyond what the kernel gives are refused; those there are served, the log is not flooded, and all is
    well when there is room again."""
    if is_sanitized():
        raise Skip("the sanitizer itself needs file descriptors")
    gateway, _ = bed(t, {}, limit_files=200)
    clients = []
    try:
        for _ in range(400):
            clients.append(Client(gateway.port, seconds=2))
    except OSError:
        pass
    equal(gateway.is_alive(), True, "alive")
    served = 0
    for client in clients[:20]:
        try:
            served += client.get("/x").status == 200
        except Exception:  # refused in one way or another
            continue
    check(served > 0, "some of those there are served")
    lines = len(gateway.log().splitlines())
    check(lines < 60, f"{lines} lines in the log")
    for client in clients:
        client.end()
    wait_until(lambda: _status_of_one(gateway) == 200, "served again when there is room")


@test(seconds=60)
def two_thousand_idle_connections(t):
    """They are kept, cost little, and do not stand in anybody's way."""
    gateway, _ = bed(t, {})
    first = Client(gateway.port)
    equal(first.get("/x").status, 200, "status")
    before = gateway.memory()
    clients = [Client(gateway.port) for _ in range(2000)]
    try:
        for client in clients:  # one after the other: what is measured is being idle, not 2000 requests at once
            equal(client.get("/x").status, 200, "status")
        wait_until(lambda: gateway.status()["connections"]["active"] >= 2000, "2000 connections in the status")
        equal(t.client(gateway).get("/next").status, 200, "another request")
        for client in clients[::100]:
            equal(client.get("/again").status, 200, "an idle connection is still good")
        gateway.check_growth(before, 2000 * 2048 + (4 << 20), "2000 connections")
    finally:
        for client in clients:
            client.end()
        first.end()
    wait_until(lambda: gateway.status()["connections"]["active"] < 20, "closed connections are noticed")


@test(seconds=90)
def ten_thousand_connections(t):
    """All are taken and stay; some of them ask now and then, and others are served beside them."""
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 1000:
        raise Skip(f"only {hard} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 1000), hard))
    gateway, _ = bed(t, {})
    equal(t.client(gateway).get("/x").status, 200, "status")
    before = gateway.memory()
    clients = [Client(gateway.port) for _ in range(count)]
    try:
        for client in clients[::50]:
            equal(client.get("/x").status, 200, "status")
        wait_until(lambda: gateway.status()["connections"]["active"] >= count, "all are in the status")
        gateway.check_growth(before, count * 2048 + (4 << 20), f"{count} connections")
        equal(t.client(gateway).get("/next").status, 200, "another request")
    finally:
        for client in clients:
            client.end()
    wait_until(lambda: gateway.status()["connections"]["active"] < 20, "closed connections are noticed")


@test(seconds=60)
def scripted_slow_clients_do_not_stop_others(t):
    gateway, _ = bed(t, {"header_timeout": "2s", "body_timeout": "2s"})
    slow = [Client(gateway.port) for _ in range(300)]
    for number, client in enumerate(slow):
        client.send(b"GET / HTT" if number % 2 else request_bytes("POST", "/x", ["Content-Length: 10"]) + b"a")
    start = time.monotonic()
    client = t.client(gateway)
    for _ in range(50):
        equal(client.get("/quick").status, 200, "status")
    check(time.monotonic() - start < 5, f"50 requests took {time.monotonic() - start:.1f} s")
    for client in slow:
        client.everything()
        client.end()


@test(seconds=60)
def slowhttptest_on_head_and_body(t):
    program = need("slowhttptest")
    gateway, _ = bed(t, {"header_timeout": "1s", "body_timeout": "1s", "body_min_rate_after": "1s"})
    for mode in ("-H", "-B"):
        finished = subprocess.run([program, mode, "-c", "200", "-r", "200", "-i", "1", "-l", "4", "-p", "2",
                                   "-u", f"http://127.0.0.1:{gateway.port}/"], capture_output=True, text=True,
                                  errors="replace", timeout=40)
        text = re.sub(r"\x1b\[[0-9;]*m", "", finished.stdout)
        check("service available:   NO" not in text.replace("\t", " "), f"{mode}: {text[-600:]}")
        equal(t.client(gateway).get("/x").status, 200, "a request after it")
    wait_until(lambda: gateway.status()["connections"]["active"] < 5, "all slow connections are gone")


@test
def chunked_body_without_end_is_bounded_by_memory_not_by_hope(t):
    """An endless upload that the upstream takes slowly is held back at the client."""
    def reply(exchange):
        exchange.upstream.begun = True
        while not exchange.upstream.is_ended:
            if exchange.upstream.go:
                exchange.reader.fill()
                exchange.reader.buffer.clear()
            else:
                time.sleep(0.01)
    upstream = t.upstream(reply, head_only=True)
    upstream.begun = upstream.go = False
    gateway = t.gateway(proxy_to(upstream.port))
    before = gateway.memory()
    client = t.client(gateway, seconds=1)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]))
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < 400 << 20:
            client.send(piece)
            sent += len(piece)
    except OSError:  # the kernel's buffers are full: held back
        pass
    check(sent < 64 << 20, f"{sent} bytes were taken although the upstream reads nothing")
    gateway.check_growth(before, 16 << 20)
    upstream.go = True
    equal(upstream.begun, True, "the upload had begun")


@test
def answer_is_held_back_for_a_slow_client(t):
    upstream = t.upstream(lambda exchange: exchange.send(answer(b"z" * (30 << 20))))
    gateway = t.gateway(proxy_to(upstream.port))
    before = gateway.memory()
    client = t.client(gateway, receive_buffer=8192)
    client.send(request_bytes("GET", "/x"))
    client.reader.exact(100)
    gateway.check_growth(before, 16 << 20)
    client.send(request_bytes("GET", "/y"))
    client.reader.exact(1 << 20)


@test
def chunks_of_one_byte(t):
    gateway, upstream = bed(t, {})
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]) + chunked(*[b"x"] * 3000))
    equal(client.response().status, 200, "status")
    equal(upstream.one_request().body, b"x" * 3000, "body at the upstream")
