"""Seeded disorder: mutated messages of both sides, and connections that break anywhere. Whatever happens, each side sees
well-formed messages or a break, nothing leaks, and the next request is served. A failure names its seed."""

import random

from client import Client, chunked, request_bytes
from harness import proxy_to
from messages import Closed, Late, Malformed
from testing import Failure, check, equal, test, wait_until
from upstream import answer

SEEDS = 300
QUICK = {"header_timeout": "150ms", "body_timeout": "150ms", "idle_timeout": "150ms", "linger_timeout": "200ms"}

REQUESTS = [
    request_bytes("GET", "/a?b=c", ["Accept: */*", "Cookie: x=y"]),
    request_bytes("POST", "/a", ["Content-Type: text/plain"], b"0123456789"),
    request_bytes("POST", "/a", ["Transfer-Encoding: chunked", "TE: trailers"]) + chunked(b"abc", b"defghi", trailers=["X-T: 1"]),
    request_bytes("GET", "/a") + request_bytes("GET", "/b"),
    request_bytes("POST", "/a", ["Expect: 100-continue"], b"0123456789"),
    request_bytes("GET", "/ws", ["Connection: Upgrade", "Upgrade: websocket"]) + b"tunnelled",
]
RESPONSES = [
    answer(b"0123456789", "200 OK", "Server: upstream", "ETag: \"x\""),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", b"defghi", trailers=["X-T: 1"]),
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"final"),
    b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
]
SPICE = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"0\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
         b"\xff", b"HTTP/1.1", b"\t", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"-1", b";", b"99999999999999999999"]


def mutated(data, chance):
    data = bytearray(data)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data[at:at] = chance.choice(SPICE)
        elif kind == 1:
            del data[at:at + chance.randrange(1, 8)]
        elif kind == 2 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 3:
            data[at:at] = data[at:at + chance.randrange(1, 40)]
        else:
            del data[at:]
        if not data:
            break
    return bytes(data)


def send_somehow(send, data, chance):
    size = chance.choice([1, 3, 17, 1000, 100_000])
    for at in range(0, len(data), size):
        send(data[at:at + size])


def read_all(client):
    """Every answer must be well-formed; the connection may end between two, or break in one that failed."""
    try:
        for _ in range(4):
            client.response()
    except (Closed, Late):
        pass


@test(seconds=120)
def mutated_requests(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0, read_timeout: 500"), settings=QUICK)
    for seed in range(SEEDS // 2):
        chance = random.Random(seed)
        client = Client(gateway.port, seconds=1)
        try:
            send_somehow(client.send, mutated(chance.choice(REQUESTS), chance), chance)
            if chance.random() < 0.5:
                client.half_close()
            read_all(client)
        except OSError:
            pass
        except Malformed as fault:
            raise Failure(f"seed {seed}: the client got {fault}") from None
        finally:
            client.reset() if chance.random() < 0.3 else client.end()
        equal(upstream.malformed, [], f"seed {seed}: malformed at the upstream")
    equal(t.client(gateway).get("/next").status, 200, "the next request")
    wait_until(lambda: gateway.status()["connections"]["active"] <= 2, "all connections are closed")


@test(seconds=120)
def mutated_responses(t):
    def reply(exchange):
        if exchange.request.target == "/next":
            return exchange.send(answer(b"next"))
        chance = random.Random(int(exchange.request.target[1:]))
        send_somehow(exchange.send, mutated(chance.choice(RESPONSES), chance), chance)
        # Never left open: a whole answer with something behind it could not be told from two answers.
        return exchange.reset() if chance.random() < 0.2 else exchange.close()
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0, read_timeout: 200"), settings=QUICK)
    for seed in range(SEEDS):
        client = Client(gateway.port, seconds=3)
        try:
            response = client.get(f"/{seed}")
            check(200 <= response.status < 600, f"seed {seed}: {response}")
        except Closed:
            pass
        except (Malformed, Late) as fault:
            raise Failure(f"seed {seed}: the client got {type(fault).__name__} {fault}") from None
        finally:
            client.end()
        if seed % 10 == 0:
            equal(t.client(gateway).get("/next").body, b"next", f"seed {seed}: the next request")
    equal(upstream.malformed, [], "malformed at the upstream")


@test(seconds=60)
def clients_that_vanish_leave_nothing_behind(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0, read_timeout: 500"),
                        settings={**QUICK, "upstream_keepalive_idle_timeout": "300ms"})
    t.client(gateway).get("/warm")
    before = gateway.descriptors()
    for seed in range(400):
        chance = random.Random(seed)
        client = Client(gateway.port, seconds=1)
        data = chance.choice(REQUESTS)
        try:
            client.send(data[:chance.randrange(len(data) + 1)])
        except OSError:
            pass
        client.reset() if chance.random() < 0.6 else client.end()
    wait_until(lambda: gateway.status()["connections"]["active"] <= 2, "all connections are closed")
    wait_until(lambda: gateway.descriptors() <= before + 8, f"descriptors: {before} before, {gateway.descriptors()} now")
    equal(upstream.malformed, [], "malformed at the upstream")
    equal(t.client(gateway).get("/next").status, 200, "the next request")
