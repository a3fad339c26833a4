"""Upstreams that break off, lie about lengths, talk nonsense or say nothing: each has one stated outcome, and the gateway
serves the next request."""

import signal
import socket
import subprocess
import sys
import threading

import testing
from client import chunked, request_bytes
from harness import ROOT, free_port, proxy_to
from redis_servers import Asking
from testing import check, equal, test, wait_until
from upstream import CLOSE, HOLD, RESET, answer, run_steps

HEAD = b"HTTP/1.1 200 OK\r\n"
QUICK = "retries: 0, connect_timeout: 1000, read_timeout: 400, write_timeout: 400"

# Before a status can have been sent on: the client gets one of ours.
REFUSED = {
    "closes at once": ([CLOSE], 502),
    "resets at once": ([RESET], 502),
    "resets in the head": ([HEAD + b"Content-", RESET], 502),
    "closes in the head": ([HEAD + b"Content-", CLOSE], 502),
    "is garbage": ([b"\x16\x03\x01\x02\x00garbage garbage", CLOSE], 502),
    "is garbage and stays": ([b"no such thing as a status line\r\n\r\n", HOLD], 502),
    "is HTTP/0.9": ([b"<html>hello</html>\n", CLOSE], 502),
    "is HTTP/2.0": ([b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a status of two digits": ([b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a status of four digits": ([b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has Content-Length and Transfer-Encoding": ([HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CLOSE], 502),
    "has two Content-Length": ([HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", CLOSE], 502),
    "has a Content-Length that is no number": ([HEAD + b"Content-Length: abc\r\n\r\nabc", CLOSE], 502),
    "has a negative Content-Length": ([HEAD + b"Content-Length: -1\r\n\r\n", CLOSE], 502),
    "has an unknown coding": ([HEAD + b"Transfer-Encoding: gzip\r\n\r\nabc", CLOSE], 502),
    "has a folded field": ([HEAD + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a NUL in a field": ([HEAD + b"A: b\0c\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a CR in a field": ([HEAD + b"A: b\rX: c\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a blank before a colon": ([HEAD + b"A : b\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "has a line without colon": ([HEAD + b"what\r\nContent-Length: 0\r\n\r\n", CLOSE], 502),
    "never comes": ([HOLD], 504),
    "stops in the head": ([HEAD + b"X-A: 1\r\n", HOLD], 504),
    "is interim for ever": ([b"HTTP/1.1 102 Processing\r\n\r\n" * 200, HOLD], 502),
    "is 101 that nobody asked for": ([b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", HOLD], 502),
}

# After the status is out: what there is of the body, then the connection ends, so that the client sees the break.
CUT = {
    "is too short": ([HEAD + b"Content-Length: 10\r\n\r\n01234", CLOSE], b"01234"),
    "is reset in the body": ([HEAD + b"Content-Length: 10\r\n\r\n01234", RESET], None),
    "stops in the body": ([HEAD + b"Content-Length: 10\r\n\r\n01234", HOLD], b"01234"),
    "is too short in chunks": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde", CLOSE], None),
    "lacks the last chunk": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CLOSE], None),
    "has a bad chunk size": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nabc\r\n", CLOSE], None),
    "has a chunk without line end": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", CLOSE], None),
    "has a chunk size past 64 bits": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", CLOSE], None),
}


def bed(t, steps):
    def reply(exchange):
        if exchange.request.target == "/next":
            return exchange.send(answer(b"next"))
        return run_steps(exchange, steps)
    upstream = t.upstream(reply)
    return t.gateway(proxy_to(upstream.port, QUICK)), upstream


def check_next(t, gateway):
    response = t.client(gateway).get("/next")
    equal((response.status, response.body), (200, b"next"), "the next request")


def run_refused(steps, status):
    def run(t):
        gateway, _ = bed(t, steps)
        client = t.client(gateway)
        response = client.get("/x")
        equal(response.status, status, "status")
        check(response.header("X-Kong-Upstream-Latency"), f"an attempt was made: {response.headers}")
        equal(client.get("/next").body, b"next", "the next request on the connection")
        check_next(t, gateway)
    return run


def run_cut(steps, body):
    def run(t):
        gateway, _ = bed(t, steps)
        client = t.client(gateway)
        client.send(request_bytes("GET", "/x"))
        received = client.everything()
        # A fault that came along with the head may still be answered by a status of ours.
        if received.startswith(b"HTTP/1.1 502"):
            return check_next(t, gateway)
        check(received.startswith(b"HTTP/1.1 200"), f"answer: {received!r}")
        rest = received.partition(b"\r\n\r\n")[2]
        if body is not None:
            equal(rest, body, "what there is of the body")
        check(not rest.endswith(b"0\r\n\r\n"), f"the break looks like an end: {rest!r}")
        return check_next(t, gateway)
    return run


for what, (steps, status) in REFUSED.items():
    testing.add(__name__, f"the answer {what}", run_refused(steps, status))
for what, (steps, body) in CUT.items():
    testing.add(__name__, f"the answer {what}", run_cut(steps, body))


@test
def the_answer_is_too_long(t):
    """What is beyond Content-Length is no answer to anything: dropped with its connection."""
    gateway, upstream = bed(t, [HEAD + b"Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"])
    client = t.client(gateway)
    equal(client.get("/x").body, b"abc", "body")
    equal(client.get("/next").body, b"next", "the next request gets its own answer")
    equal(upstream.connections, 2, "connections to the upstream")


@test
def an_answer_before_any_request_is_not_taken(t):
    """Bytes on an idle pooled connection belong to nobody (response splitting, RFC 9112 9.2)."""
    are_sent = threading.Event()

    def reply(exchange):
        if exchange.number == 0 and exchange.connection == 0:
            exchange.send(answer(b"first"))
            exchange.send(answer(b"unasked"))
            are_sent.set()
            exchange.hold()
        else:
            exchange.send(answer(b"own"))
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, QUICK))
    client = t.client(gateway)
    equal(client.get("/1").body, b"first", "first answer")
    check(are_sent.wait(10), "both are sent")
    for _ in range(3):
        equal(client.get("/2").body, b"own", "an answer to this request")


@test
def head_answer_with_a_body(t):
    """RFC 9110 9.3.2: an answer to HEAD has none, whatever the upstream sends."""
    gateway, _ = bed(t, [HEAD + b"Content-Length: 5\r\n\r\nabcde"])
    client = t.client(gateway)
    equal(client.request("HEAD", "/x").status, 200, "status")
    equal(client.get("/next").body, b"next", "the next request gets its own answer")


@test
def an_answer_204_with_a_body(t):
    gateway, _ = bed(t, [b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nabcde"])
    client = t.client(gateway)
    response = client.get("/x")
    check(response.status in (204, 502), f"answer: {response}")
    equal(client.get("/next").body, b"next", "the next request gets its own answer")


@test
def head_without_end(t):
    """The response head is bounded: 502, long before the memory is gone."""
    def reply(exchange):
        if exchange.request.target == "/next":
            return exchange.send(answer(b"next"))
        exchange.send(HEAD)
        for number in range(100_000):
            exchange.send(b"X-Field-%d: %s\r\n" % (number, b"v" * 100))
        return exchange.close()
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, QUICK))
    before = gateway.memory()
    equal(t.client(gateway).get("/x").status, 502, "status")
    gateway.check_growth(before, 8 << 20)
    check_next(t, gateway)


@test
def one_line_without_end(t):
    def reply(exchange):
        if exchange.request.target == "/next":
            return exchange.send(answer(b"next"))
        exchange.send(HEAD + b"X-Field: ")
        for _ in range(1000):
            exchange.send(b"v" * 10_000)
        return exchange.close()
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, QUICK))
    equal(t.client(gateway).get("/x").status, 502, "status")
    check_next(t, gateway)


@test
def nobody_takes_the_connection(t):
    """A port whose queue is full lets connects hang: connect_timeout ends it with 504, as with Kong."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(4):  # fills the queue
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    try:
        gateway = t.gateway(proxy_to(listener.getsockname()[1], "retries: 0, connect_timeout: 300"))
        equal(t.client(gateway).get("/x").status, 504, "status")
    finally:
        for one in [*waiting, listener]:
            one.close()


@test
def upstream_that_reads_nothing(t):
    """write_timeout ends an upload that nobody takes."""
    def reply(exchange):
        exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        exchange.upstream.stop.wait(20)
    upstream = t.upstream(reply, head_only=True)
    upstream.stop = threading.Event()
    gateway = t.gateway(proxy_to(upstream.port, QUICK), settings={"linger_timeout": "200ms"})
    client = t.client(gateway)
    client.socket.settimeout(5)
    try:
        client.send(request_bytes("POST", "/x", ["Content-Length: 100000000"]))
        for _ in range(2000):
            client.send(b"x" * 50_000)
    except OSError:
        pass
    received = client.everything()
    upstream.stop.set()
    check(not received or received.startswith(b"HTTP/1.1 504"), f"answer: {received[:100]!r}")
    wait_until(lambda: gateway.status()["requests"]["active"] <= 1, "the request is given up")


@test
def upstream_closes_in_the_middle_of_an_upload(t):
    def reply(exchange):
        exchange.reader.exact(10)
        exchange.reset()
    upstream = t.upstream(reply, head_only=True)
    gateway = t.gateway(proxy_to(upstream.port, QUICK), settings={"linger_timeout": "500ms"})
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]) + b"c8\r\n" + b"x" * 200 + b"\r\n")
    equal(client.response().status, 502, "status")
    equal(len(upstream.requests), 1, "a POST is sent once")


@test
def upstream_answers_and_resets_during_an_upload(t):
    """What it said counts more than that it would not read on."""
    def reply(exchange):
        exchange.send(answer(b"no", "403 Forbidden"))
        exchange.close()
    upstream = t.upstream(reply, head_only=True)
    gateway = t.gateway(proxy_to(upstream.port, QUICK), settings={"linger_timeout": "500ms"})
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 50000000"]))
    try:
        for _ in range(20):
            client.send(b"x" * 10_000)
    except OSError:
        pass
    response = client.response()
    equal((response.status, response.body), (403, b"no"), "answer")


@test
def chunked_answer_in_odd_pieces(t):
    def reply(exchange):
        data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*[bytes([65 + i]) * (i * 37 + 1) for i in range(20)])
        for at in range(0, len(data), 7):
            exchange.send(data[at:at + 7])
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, QUICK))
    client = t.client(gateway)
    for _ in range(2):
        equal(client.get("/x").body, b"".join(bytes([65 + i]) * (i * 37 + 1) for i in range(20)), "body")
    equal(upstream.connections, 1, "connections to the upstream")


class Service:
    """examples/demo/service.py as a process, which signals can reach."""

    def __init__(self, process):
        self.process = process

    def end(self):
        self.process.kill()
        self.process.wait()


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@test(seconds=90)
def an_upstream_paused_killed_and_restarted_under_load_loses_nothing(t):
    """Two processes behind one name: while one of them hangs, is dead or comes back, the other one serves."""
    ports = [free_port(), free_port()]

    def start(port):
        process = subprocess.Popen([sys.executable, str(ROOT / "examples/demo/service.py"), "pets", "--port", str(port)])
        processes[port] = t.own(Service(process))
        wait_until(lambda: is_open(port), "a service")
    processes = {}
    for port in ports:
        start(port)
    gateway = t.gateway('_format_version: "3.0"\nupstreams:\n- name: both\n  targets:\n'
                        + "".join(f'  - {{target: "127.0.0.1:{port}"}}\n' for port in ports)
                        + "services:\n- name: s\n  host: both\n  port: 80\n  protocol: http\n  retries: 4\n  connect_timeout: 300\n"
                        "  read_timeout: 300\n  routes: [{name: r, paths: [/]}]\n", workers=2)
    load = Asking([gateway], threads=3)
    for victim in ports:
        load.more(50)
        processes[victim].process.send_signal(signal.SIGSTOP)
        load.more(30, seconds=60)
        processes[victim].process.send_signal(signal.SIGCONT)
        load.more(50)
        processes[victim].process.kill()
        processes[victim].process.wait()
        load.more(100)
        start(victim)
        load.more(100)
    load.end()
    equal(dict(load.statuses), {200: load.count}, "answers")
